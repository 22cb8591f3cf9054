"""Notices: what people were shown. Refused: to work with a notice that is not what it was when it was published.

leadgate.yaml says which notices there are; the ledger remembers each as it was first seen, and the log has a leaf of it. So a
text that is rewritten later is noticed, whoever rewrites it: in the file, at the next start; in the file and in the ledger, by
the leaf; and in the log, by its signature (``leadgate verify``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from consent.audit.facts import offending
from consent.audit.leaf import decode
from leadgate.pipeline.recorder import Recorder
from leadgate.storage import log, notices
from leadgate.storage.engine import Transaction
from leadgate.storage.notices import Published
from schemas.audit import LeafValue
from schemas.errors import AuditError, ConfigurationError
from schemas.policy import Notice
from schemas.vocabulary import Event

#: By brand: its notices.
InForce = Mapping[str, Iterable[Notice]]

#: What never changes of a notice, by the name it has in leadgate.yaml.
_PINNED: Final = {
    "text_sha256": "text",
    "purposes": "purposes",
    "valid_from": "valid_from",
    "renewal_from": "requires_renewal",
    "one_purpose": "one_purpose",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """A notice that is not what it was. ``what`` is the key of leadgate.yaml; ``where`` the place that differs."""

    brand: str
    notice_id: str
    version: str
    language: str
    what: str
    where: str  # file, ledger, log

    def __str__(self) -> str:
        return f"{self.brand}: {self.notice_id} {self.version} ({self.language}): {self.what}"


def reference(brand: str, notice: Notice) -> str:
    """What a notice's leaves are found by: the first 32 hex digits of a digest over its name."""
    name = f"leadgate/notice/v1\n{brand}\n{notice.notice_id}\n{notice.version}\n{notice.language.value}"
    return sha256(name.encode()).hexdigest()[:32]


def rewritten(known: Iterable[Published], in_force: InForce) -> list[Rewritten]:
    """Notices of the file that are not what the ledger remembers."""
    remembered = {(each.brand, *each.notice.key): each.notice for each in known}
    found = []
    for brand, ours in in_force.items():
        for notice in ours:
            before = remembered.get((brand, *notice.key))
            if before is not None:
                found += [
                    _difference(brand, notice, name, "file")
                    for attribute, name in _PINNED.items()
                    if getattr(before, attribute) != getattr(notice, attribute)
                ]
    return found


def register(tx: Transaction, in_force: InForce, *, now: datetime, actor: str = "system") -> int:
    """Remember what is new, each with its leaf; answer how many. Raises ConfigurationError naming what was rewritten."""
    known = notices.published(tx)
    wrong = rewritten(known, in_force)
    if wrong:
        raise refusal(wrong)
    remembered = {(each.brand, *each.notice.key): each.notice for each in known}
    recorder = Recorder(at=now, actor=actor)
    new: list[Published] = []
    for brand, ours in in_force.items():
        for notice in ours:
            before = remembered.get((brand, *notice.key))
            if before is None:
                new.append(Published(brand=brand, notice=notice, published_at=now, actor=actor))
                recorder.note(Event.NOTICE_PUBLISHED, facts=_facts(brand, notice), about=reference(brand, notice))
            if notice.valid_until is not None and (before is None or before.valid_until != notice.valid_until):
                notices.retire(tx, brand, notice, notice.valid_until)
                facts = {**_name(brand, notice), "until": _moment(notice.valid_until)}
                recorder.note(Event.NOTICE_RETIRED, facts=facts, about=reference(brand, notice))
    notices.add(tx, new)
    log.append(tx, recorder.leaves)
    return len(new)


def up_to_date(known: Iterable[Published], in_force: InForce) -> bool:
    """Whether there is nothing to register."""
    remembered = {(each.brand, *each.notice.key): each.notice for each in known}
    for brand, ours in in_force.items():
        for notice in ours:
            before = remembered.get((brand, *notice.key))
            if before is None or (notice.valid_until is not None and before.valid_until != notice.valid_until):
                return False
    return True


def refusal(wrong: Iterable[Rewritten]) -> ConfigurationError:
    """The error of a start on rewritten notices."""
    named = "; ".join(str(each) for each in wrong)
    mend = "is not as it was published; people agreed to that. Restore it, and publish what is new as a new version"
    return ConfigurationError("notice_rewritten", f"{mend}: {named}", field="brands.notices")


def check(tx: Transaction, in_force: InForce) -> list[Rewritten]:
    """Everything that differs: the file from the ledger, the ledger's text from its digest, the ledger from the leaf."""
    known = notices.published(tx)
    found = rewritten(known, in_force)
    leaves = notices.leaves(tx, [reference(each.brand, each.notice) for each in known])
    for each in known:
        notice = each.notice
        if sha256(notice.text.encode()).hexdigest() != notice.text_sha256:
            found.append(_difference(each.brand, notice, "text", "ledger"))
        facts = _published_facts(leaves.get(reference(each.brand, notice), []))
        if facts is None:
            found.append(_difference(each.brand, notice, "leaf", "log"))
        else:
            now_said = _facts(each.brand, notice)
            names = [name for name in now_said.keys() | facts.keys() if now_said.get(name) != facts.get(name)]
            found += [_difference(each.brand, notice, name, "log") for name in sorted(names)]
    return found


def _published_facts(leaves: Iterable[bytes]) -> Mapping[str, LeafValue] | None:
    """What the first leaf that published a notice says of it."""
    for leaf in leaves:
        try:
            entry = decode(leaf)
        except AuditError:
            continue  # verify names it
        if entry.event is Event.NOTICE_PUBLISHED:
            return entry.facts
    return None


def _difference(brand: str, notice: Notice, what: str, where: str) -> Rewritten:
    return Rewritten(
        brand=brand,
        notice_id=notice.notice_id,
        version=notice.version,
        language=notice.language.value,
        what=what,
        where=where,
    )


def _name(brand: str, notice: Notice) -> dict[str, LeafValue]:
    name: dict[str, LeafValue] = {
        "brand": brand,
        "notice_id": notice.notice_id,
        "notice_version": notice.version,
        "language": notice.language.value,
    }
    # A name of the operator's own making that no leaf may hold is left out: the leaf is found by its reference.
    return {fact: value for fact, value in name.items() if offending({fact: value}) is None}


def _facts(brand: str, notice: Notice) -> dict[str, LeafValue]:
    facts = _name(brand, notice)
    facts["text_sha256"] = notice.text_sha256
    facts["purposes"] = sorted(notice.purposes)
    facts["valid_from"] = _moment(notice.valid_from)
    facts["one_purpose"] = notice.one_purpose
    if notice.renewal_from is not None:
        facts["renewal_from"] = _moment(notice.renewal_from)
    return facts


def _moment(at: datetime) -> str:
    return f"{at.isoformat()[:19]}Z"
