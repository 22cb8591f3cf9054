"""What makes two requests the same request. It refuses to let admission and re-indexing disagree about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from schemas.policy import BrandPolicy


def parts(
    policy: BrandPolicy, *, person_id: str, topic: str, purposes: Iterable[str], fields: Mapping[str, str]
) -> tuple[str, ...]:
    """What a fingerprint is taken over: brand, person, topic, purposes, and the details that the topic asks for."""
    known = policy.topics.get(topic)
    details = [f"{name}={fields.get(name, '')}" for name in sorted(known.fields)] if known else []
    return (policy.brand, person_id, topic, " ".join(sorted(purposes)), *details)
