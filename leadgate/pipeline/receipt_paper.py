"""A receipt as files: PDF and HTML for the person, JSON for their machine, each proof beside. All private, none overwritten.

The JSON holds a random salt, so that its digest, which the log keeps, says nothing to whoever has not the receipt. It travels
inside the PDF and the HTML as well, with the proofs: any one of the files is enough.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from consent.audit.leaf import decode
from consent.standing import Standing
from leadgate.documents import Attachment, Page, html, pdf, said_moment, words, write_private
from leadgate.pipeline.receipts import FORMAT, VERSION, ReceiptFacts, Told, kantara
from schemas.errors import ConfigurationError
from schemas.personal import Personal
from schemas.policy import BrandPolicy
from schemas.vocabulary import Ask, Indication, Language, TellingState
from schemas.words import TELLINGS, Said
from schemas.words.cases import CLOCK_KINDS
from schemas.words.destruction import CATEGORIES

_JSON: Final = "receipt.json"
_STANDINGS: Final[Mapping[str, Said]] = {
    Standing.GRANTED: Said("in force", "действует"),
    Standing.STALE: Said("replaced by a newer text; not used", "заменено новым текстом; не используется"),
    Standing.WITHDRAWN: Said("taken back", "отозвано"),
    Standing.EXPIRED: Said("expired", "срок истёк"),
    Standing.TERMINATED: Said("ended by us", "прекращено нами"),
    Standing.REFUSED: Said("refused", "отказ"),
    Standing.INVALIDATED: Said("found never valid", "признано недействительным"),
}
_INDICATIONS: Final[Mapping[str, Said]] = {
    Indication.DIRECT_MESSAGE: Said("in a direct message", "в личном сообщении"),
    Indication.COMMENT: Said("in a comment", "в комментарии"),
    Indication.FORM_CHECKBOX: Said("by a tick in a form", "отметкой в форме"),
    Indication.LEAD_FORM: Said("in a lead form", "в форме заявки"),
    Indication.SPOKEN: Said("in words, by voice", "устно"),
}
#: A platform of fewer letters is called by them.
_INITIALS: Final = 3
_ORDER: Final = tuple(CATEGORIES)
#: A recipient of which these hold has done what was asked.
_STILL_HELD: Final = Said(
    "uses it no more, and cannot destroy it: it still holds it", "не использует, но уничтожить не может: хранит"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The files of one receipt; ``sha256`` is of the JSON."""

    files: tuple[Path, ...]
    sha256: str


def document(facts: ReceiptFacts, *, salt: str, opened: Personal[Mapping[str, str]], language: Language) -> Personal[bytes]:
    """The machine-readable receipt; wrapped, because it may say who the person is."""
    said: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "kind": facts.kind,
        "receipt_id": facts.receipt_id,
        "schema_version": "ISO/IEC TS 27560:2023 receipt; leadgate 1",
        "made_at": facts.made_at.isoformat(timespec="seconds"),
        "language": language.value,
        "brand": facts.policy.brand,
        "person_ids": list(facts.person_ids),
        "salt": salt,
        "log": {
            "origin": facts.origin,
            "keys": list(facts.vkeys),
            "quorum": facts.quorum,
            "witnesses": [name for name, _ in facts.witnesses],
        },
        "records": list(facts.records),
        "notices": _notices(facts),
        "proofs": [{"index": each.index, "leaf": each.leaf.decode(), "proof": each.proof.decode()} for each in facts.proven],
    }
    if opened.reveal():
        said["identity"] = dict(opened.reveal())
    if facts.record is not None:
        said["kantara"] = kantara(facts)
        said["iso27560"] = facts.iso27560
        if facts.iso27560_lacks:
            said["iso27560_lacks"] = list(facts.iso27560_lacks)
    if facts.withdrawal is not None:
        said["withdrawal"] = facts.withdrawal.as_dict()
    return Personal(json.dumps(said, ensure_ascii=False, indent=1, default=_plain).encode() + b"\n")


def write(facts: ReceiptFacts, target: Path, *, salt: str, opened: Personal[Mapping[str, str]], language: Language) -> Written:
    """Write ``target``.pdf, .html, .json and the proofs. Raises ConfigurationError before anything if a name is taken."""
    machine = document(facts, salt=salt, opened=opened, language=language)
    template = f"{facts.kind}_receipt"
    said = words(template, language)
    attached = [
        *(
            Attachment(
                name=each.file_name,
                content=each.proof.decode(),
                description=said["proof_file"].format(index=each.index),
            )
            for each in facts.proven
        ),
        Attachment(
            name=_JSON,
            content=machine.reveal().decode(),
            media_type="application/json",
            description=said["json_file"],
        ),
    ]
    zone = ZoneInfo(facts.policy.clocks.calendar.zone)
    page = _page(facts, zone)
    data = (_of_consent if facts.record is not None else _of_withdrawal)(facts, language, zone)
    data["about"] = [{"label": CATEGORIES.get(name, name), "value": value} for name, value in opened.reveal().items()]
    files = {
        ".pdf": pdf(template, data, language, page=page, attachments=attached),
        ".html": html(template, data, language, page=page, attachments=attached).encode(),
        ".json": machine.reveal(),
        **{f".{each.file_name}": each.proof for each in facts.proven},
    }
    named = {target.with_name(f"{target.name}{suffix}"): content for suffix, content in files.items()}
    if any(path.exists() for path in named):
        raise ConfigurationError("file_exists", "a receipt is never overwritten: choose another name", field="--to")
    for path, content in named.items():
        write_private(path, content)
    return Written(files=tuple(named), sha256=sha256(machine.reveal()).hexdigest())


def _page(facts: ReceiptFacts, zone: tzinfo) -> Page:
    controller = facts.policy.controller
    return Page(
        operator=controller.name if controller else facts.policy.title,
        document_id=facts.receipt_id,
        made_at=facts.made_at.astimezone(zone),
        origin=facts.origin,
        leaf_index=facts.leaf_index,
        subtitle=facts.policy.title,
    )


def _of_consent(facts: ReceiptFacts, language: Language, zone: tzinfo) -> dict[str, Any]:
    record = facts.record
    if record is None:
        raise AssertionError("unreachable: write has asked")
    leaf = decode(facts.proven[0].leaf)
    place = facts.channel.upper() if len(facts.channel) < _INITIALS else facts.channel.capitalize()
    return {
        "given_at": record.given_at.astimezone(zone),
        "how": f"{_INDICATIONS[record.indication].in_(language)}, {place}",
        "consent_id": record.consent_id,
        "person_id": record.person_id,
        "operator": _operator(facts.policy),
        "purposes": [
            {
                "title": _title(each.title, language) or each.code,
                "fields": [CATEGORIES.get(name, name) for name in sorted(each.fields, key=_place)],
                "recipients": list(each.recipients),
                "standing": _standing(each.answer.standing, each.answer.until, language, zone),
            }
            for each in facts.purposes
        ],
        "notice": {
            "id": record.notice_id,
            "version": record.notice_version,
            "text": facts.notice.text if facts.notice else None,
        },
        "rights": _rights(facts.policy, language),
        "leaf_index": facts.leaf_index,
        "tree_size": facts.tree_size,
        **_vouched(facts, zone),
        "consent_sha256": leaf.facts.get("consent_sha256", ""),
        "text_sha256": record.text_sha256,
        "leaf": facts.proven[0].leaf.decode(),
    }


def _of_withdrawal(facts: ReceiptFacts, language: Language, zone: tzinfo) -> dict[str, Any]:
    found = facts.withdrawal
    if found is None:
        raise AssertionError("unreachable: write has asked")
    controller = facts.policy.controller
    titles = {code: _title(each.title, language) or code for code, each in facts.policy.purposes.items()}
    return {
        "verdict": "nobody" if not found.recipients else "complete" if found.complete else "open",
        "withdrawn_at": found.withdrawn_at.astimezone(zone),
        "recorded_at": found.recorded_at.astimezone(zone),
        "purposes": [titles.get(each, each) for each in found.purposes],
        "withdrawal_id": found.withdrawal_id,
        "person_ids": list(found.person_ids),
        "operator": controller.name if controller else facts.policy.title,
        "contact": controller.contact if controller else "-",
        "stopped": len(found.stopped),
        "told": [
            {
                "name": each.name,
                "purpose": titles.get(each.fact.purpose, each.fact.purpose),
                "state": _state(each),
                "done": each.fact.ended,
                "since": each.fact.at.astimezone(zone) if each.fact.at else None,
            }
            for each in facts.told
        ],
        "clocks": [
            {
                "what": CLOCK_KINDS.get(each.kind, each.kind.value),
                "law": each.law,
                "due_at": each.due_at.astimezone(zone),
                "met_at": each.met_at.astimezone(zone) if each.met_at else None,
            }
            for each in found.clocks
        ],
        "leaf_index": facts.leaf_index,
        "tree_size": facts.tree_size,
        **_vouched(facts, zone),
        "leaf": facts.proven[0].leaf.decode(),
    }


def _vouched(facts: ReceiptFacts, zone: tzinfo) -> dict[str, Any]:
    """Who stands behind the log beside its owner. Where no witness was asked for, none is claimed."""
    kind = "quorum_no" if not facts.quorum else "quorum_yes" if facts.witnesses else "quorum_none"
    return {
        "vouched": kind,
        "witnesses": [{"name": name, "at": at.astimezone(zone) if at else None} for name, at in facts.witnesses],
    }


def _state(each: Told) -> Said | str:
    """What a recipient answered; one that stopped and was asked to destroy still holds the record, and that is said."""
    if each.fact.state is TellingState.SUPPRESSED and each.fact.wants is Ask.ERASE and each.fact.by_hand:
        return _STILL_HELD
    return TELLINGS.get(each.fact.state, each.fact.state.value)


def _place(field: str) -> tuple[int, str]:
    """The order in which people tell of themselves: name, contacts, the rest."""
    return (_ORDER.index(field) if field in _ORDER else len(_ORDER), field)


def _title(titles: Mapping[Language, str], language: Language) -> str | None:
    """In the reader's language; better in the other one than as a word of code."""
    return titles.get(language) or next(iter(titles.values()), None)


def _standing(standing: Standing, until: datetime | None, language: Language, zone: tzinfo) -> str:
    said = _STANDINGS.get(standing, Said(standing.value, standing.value)).in_(language)
    if standing is not Standing.GRANTED or until is None:
        return said
    moment = said_moment(until.astimezone(zone), language).partition(",")[0]
    return f"{said} {'до' if language is Language.RU else 'until'} {moment}"


def _operator(policy: BrandPolicy) -> list[dict[str, str]]:
    controller = policy.controller
    if controller is None:
        return [{"label": "name", "value": policy.title}]
    told = {
        "name": controller.name,
        "address": controller.address,
        "contact": controller.contact,
        "register_number": controller.register_number,
        "officer": controller.officer,
    }
    return [{"label": label, "value": value} for label, value in told.items() if value]


def _rights(policy: BrandPolicy, language: Language) -> list[dict[str, str]]:
    controller = policy.controller
    if controller is None:
        return []
    authority = controller.authority
    told = {
        "withdraw": controller.withdrawal_method.get(language) or next(iter(controller.withdrawal_method.values()), None),
        "more": controller.rights_url,
        "authority": f"{authority.name}, {authority.address}, {authority.contact}" if authority else None,
    }
    return [{"label": label, "value": value} for label, value in told.items() if value]


def _notices(facts: ReceiptFacts) -> Sequence[Mapping[str, str]]:
    if facts.record is None or facts.notice is None:
        return []
    notice = facts.notice
    return [
        {
            "notice_id": notice.notice_id,
            "version": notice.version,
            "language": notice.language.value,
            "text": notice.text,
            "text_sha256": notice.text_sha256,
        }
    ]


def _plain(value: object) -> str:
    """Moments, and nothing else that JSON does not know."""
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)
