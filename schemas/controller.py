"""Who answers for the data, and who receives them: the parties of a consent record (ISO/IEC TS 27560)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.vocabulary import Language


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A company or an authority. ``contact`` is an address people can write to: an e-mail, a page or a phone."""

    name: str
    address: str
    contact: str
    register_number: str | None = None  # of the company, or of the operator at the regulator


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller(Party):
    """The controller (152-FZ: operator) of one brand, and what it must tell the person about their rights."""

    withdrawal_method: Mapping[Language, str]
    rights_url: str
    policy_url: str | None = None
    officer: str | None = None  # how to reach the data protection officer
    authority: Party | None = None
    jurisdiction: str | None = None  # ISO 3166-1 alpha-2 or a region; the brand's home country if it is not named
    methods: str | None = None  # 152-FZ Art. 9(4): how the data are processed, in general words
    actions: tuple[str, ...] = field(default=("collect", "record", "store", "use", "transfer", "block", "erase", "destroy"))


@dataclass(frozen=True, slots=True, kw_only=True)
class StoragePlace:
    """Where the ledger stands: the country the data are stored in first (152-FZ Art. 18(5)), and the place within it."""

    country: str
    location: str
