"""What makes two requests the same request. It refuses to let admission and re-indexing disagree about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from schemas.policy import BrandPolicy


def parts(
    policy: BrandPolicy, *, person_id: str, topic: str, purposes: Iterable[str], fields: Mapping[str, str]
) -> tuple[str, ...]:
    """What a fingerprint is taken over: brand, person, topic, purposes, and the details that the topic asks for."""
    known = policy.topics.get(topic)
    details = [f"{name}={fields.get(name, '')}" for name in _in_order(tuple(known.fields))] if known else []
    return (policy.brand, person_id, topic, " ".join(sorted(purposes)), *details)


@lru_cache(maxsize=256)
def _in_order(names: tuple[str, ...]) -> list[str]:
    return sorted(names)
