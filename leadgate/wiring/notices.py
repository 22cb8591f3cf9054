"""The notices of leadgate.yaml, wired. It refuses to start on a notice that was rewritten."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from leadgate.pipeline import notices
from leadgate.storage import notices as stored
from leadgate.storage.engine import Ledger
from schemas.policy import BrandPolicy


def registered(policies: Mapping[str, BrandPolicy], ledger: Ledger, *, now: datetime) -> Mapping[str, BrandPolicy]:
    """The same policies, once every notice of theirs stands in the ledger and in the log as it stands in leadgate.yaml."""
    in_force = in_force_of(policies)
    with ledger.snapshot() as tx:
        known = stored.published(tx)
    wrong = notices.rewritten(known, in_force)
    if wrong:
        raise notices.refusal(wrong)
    if not notices.up_to_date(known, in_force):
        ledger.retrying(lambda tx: notices.register(tx, in_force, now=now))
    return policies


def in_force_of(policies: Mapping[str, BrandPolicy]) -> notices.InForce:
    """By brand: the notices of leadgate.yaml."""
    return {brand: tuple(policy.notices.values()) for brand, policy in policies.items()}
