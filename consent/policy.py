"""What a brand's policy permits before any person is looked at. It permits nothing it cannot cite: a destination is reachable
for a purpose only if the purpose allows its kind, the agreed fields suffice for it, and no border is crossed without a basis.

Everything here is worked out once for a policy, so that deciding about one lead is a few look-ups.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from schemas.lead import PERSONAL_FIELDS, PLAIN_FIELDS
from schemas.policy import BrandPolicy, Purpose, Recipient

_PLAIN: Final = frozenset(PLAIN_FIELDS)
_ORDER: Final = {name: place for place, name in enumerate((*PERSONAL_FIELDS, *PLAIN_FIELDS))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """One destination for one purpose: the fields it may be told, in canonical order, and those it cannot do without."""

    destination: str
    purpose: str
    fields: tuple[str, ...]
    requires: frozenset[str]


def permissions_of(policy: BrandPolicy) -> Mapping[str, tuple[Permission, ...]]:
    """Answer, for each destination, what it is permitted, in its order of preference; an empty tuple if nothing is."""
    return MappingProxyType(
        {name: tuple(_permitted(policy, recipient)) for name, recipient in policy.recipients.items()},
    )


def _permitted(policy: BrandPolicy, recipient: Recipient) -> list[Permission]:
    # 152-FZ Art. 12, GDPR Art. 44: no transfer abroad without a recorded basis.
    if recipient.country != policy.home_country and not recipient.transfer_basis and recipient.cross_border is None:
        return []
    found = []
    for code in recipient.purposes:
        purpose = policy.purposes.get(code)
        # GDPR Art. 13(1)(e), 152-FZ Art. 9(4): the person was told which kind of recipient gets the data.
        if purpose is None or recipient.kind not in purpose.recipients:
            continue
        fields = disclosed(recipient, purpose)
        requires = recipient.requires - _PLAIN
        # GDPR Art. 5(1)(c), 152-FZ Art. 5(5): a destination that needs more than the purpose allows gets nothing.
        if fields and requires <= frozenset(fields):
            found.append(Permission(destination=recipient.name, purpose=code, fields=fields, requires=requires))
    return found


def closed_borders(policy: BrandPolicy) -> Mapping[str, datetime]:
    """By destination abroad: the moment from which its recorded basis allows the transfer."""
    return MappingProxyType(
        {
            name: recipient.cross_border.allowed_from
            for name, recipient in policy.recipients.items()
            if recipient.cross_border is not None and recipient.country != policy.home_country
        }
    )


def disclosed(recipient: Recipient, purpose: Purpose) -> tuple[str, ...]:
    """The fields this recipient may be told for this purpose: what its manifest discloses and the purpose allows.

    Plain facts (``PLAIN_FIELDS``) name no person, so the purpose does not list them; the manifest must. A topic's own
    fields come after the fields every brand knows.
    """
    declared = recipient.discloses.get(purpose.code)
    if declared is None:
        declared = recipient.discloses.get("*", frozenset())
    allowed = declared & (purpose.fields | _PLAIN)
    return tuple(sorted(allowed, key=lambda name: (_ORDER.get(name, len(_ORDER)), name)))
