"""What both peers do to a record before they send it: check its sixteen fields and mask four, as fast as they can.

pydantic comes with both and is compiled; Leadgate's own sixteen checks are stricter (a phone is read by the numbering plans,
text is normalised), so the peers are given the easier half.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

#: Hidden before they leave: the least a sender that keeps people private must do.
MASKED = ("given_name", "family_name", "phone", "email")

Line = Annotated[str, Field(max_length=200)]
Id = Annotated[str, Field(pattern=r"^[!-~]{1,200}$")]


class Lead(BaseModel):
    """One flat record."""

    model_config = ConfigDict(extra="forbid")

    external_id: Id
    brand: Annotated[str, Field(pattern="^[a-z0-9_]+$")]
    channel: Annotated[str, Field(pattern="^(vk|facebook|instagram)$")]
    language: Annotated[str, Field(pattern="^(ru|en)$")]
    given_name: Annotated[str, Field(min_length=1, max_length=100)]
    family_name: Annotated[str, Field(min_length=1, max_length=100)]
    phone: Annotated[str, Field(pattern=r"^\+?[0-9 ()-]{7,30}$")] | None = None
    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")] | None = None
    city: Line
    topic: Id
    booking_reference: Line
    flight: Line
    permalink: Annotated[str, Field(pattern="^https://[!-~]+$")]
    consent_id: Id
    consent_given_at: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
    notice: Line


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a file of JSON lines, each checked."""
    check = TypeAdapter(Lead).validate_python
    with path.open("rb") as lines:
        for line in lines:
            record = orjson.loads(line)
            check(record)
            yield record
