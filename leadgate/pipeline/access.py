"""Access: everything that is held about a person, opened for that person; and everybody who was told any of it.

What a recipient got is read from the log, not from today's configuration: the leaf of each delivery names the fields that went.
The document carries a random salt, so that its digest in the log says nothing to whoever does not have the document.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from consent.audit.leaf import decode
from consent.gate import ALL_PURPOSES
from consent.vault import PersonKey, Vault
from leadgate.pipeline.recorder import Recorder
from leadgate.storage import cases, clocks, consents, held, recipients
from leadgate.storage.clock import from_micros
from leadgate.storage.engine import Transaction
from leadgate.storage.held import Held, Row
from schemas.audit import LeafValue
from schemas.cases import SubjectCase
from schemas.errors import AuditError, VaultError
from schemas.personal import Personal
from schemas.policy import BrandPolicy
from schemas.vocabulary import Event, Outcome

#: What the document calls its own shape.
FORMAT: Final = "leadgate-access-report/1"
_SENT: Final = frozenset({Event.DELIVERY_ACCEPTED, Event.DELIVERY_UNCERTAIN, Event.DELIVERY_REJECTED})
_MAY_HOLD: Final = frozenset({Outcome.ACCEPTED, Outcome.CLAIMED, Outcome.UNCERTAIN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The document as a value; ``opened`` maps a lead to the names of the fields that were opened for it."""

    document: Personal[dict[str, Any]]
    persons: int
    opened: Mapping[str, tuple[str, Sequence[str]]]  # lead -> (person, names)
    recipients: tuple[str, ...]


def collect(
    tx: Transaction,
    case: SubjectCase,
    person_ids: Sequence[str],
    *,
    strays: Mapping[str, Sequence[str]],
    vault: Vault,
    policy: BrandPolicy,
    salt: str,
    now: datetime,
) -> Report:
    """Read and open everything. Raises nothing for a seal that does not open: the document names it."""
    there = held.everything(tx, person_ids, strays)
    events = consents.events_of_people(tx, person_ids)
    told = recipients.of_persons(tx, person_ids)
    running = clocks.of_persons(tx, person_ids)
    asked = cases.of_persons(tx, person_ids)
    opened: dict[str, tuple[str, Sequence[str]]] = {}
    persons = []
    for person_id, row in sorted(there.persons.items()):
        leads = [_lead(lead, there, vault, policy) for lead in there.leads.get(person_id, ())]
        opened |= {lead["lead_id"]: (person_id, sorted(lead["fields"])) for lead in leads if lead["fields"]}
        persons.append(
            {
                "person_id": person_id,
                "state": row["state"],
                "known_since": _at(row["created_at"]),
                "erased_at": _at(row["erased_at"]),
                "restricted_since": _at(there.restricted.get(person_id)),
                "leads": leads,
                "received": [_submission(each, vault) for each in there.submissions.get(person_id, ())],
                "consent_events": [
                    {"purpose": each.purpose, "state": each.state.value, "at": _moment(each.event_time)}
                    for each in events.get(person_id, ())
                ],
                "withdrawals": [
                    {"purpose": each["purpose"], "withdrawn_at": _at(each["withdrawn_at"])}
                    for each in there.withdrawals.get(person_id, ())
                    if each["purpose"] != ALL_PURPOSES  # a restriction, which is said above
                ],
                "told_to_stop": [
                    {"destination": each.destination, "wants": str(each.wants), "state": str(each.state)}
                    for each in told
                    if each.person_id == person_id
                ],
                "requests": [
                    {
                        "case_id": each.case_id,
                        "kind": each.kind.value,
                        "state": each.state.value,
                        "received_at": _moment(each.received_at),
                        "closed_at": _moment(each.closed_at),
                    }
                    for each in asked
                    if person_id in each.person_ids
                ],
                "clocks": [
                    {
                        "kind": each.kind.value,
                        "law": each.law,
                        "started_at": _moment(each.started_at),
                        "due_at": _moment(each.due_at),
                        "met_at": _moment(each.met_at),
                    }
                    for each in running
                    if each.person_id == person_id
                ],
            }
        )
    document = {
        "format": FORMAT,
        "case_id": case.case_id,
        "made_at": _moment(now),
        "brand": policy.brand,
        "operator": policy.title,
        "policy_version": case.policy_version,
        "salt": salt,
        "persons": persons,
    }
    names = {each["destination"] for person in persons for lead in person["leads"] for each in lead["recipients"]}
    return Report(document=Personal(document), persons=len(persons), opened=opened, recipients=tuple(sorted(names)))


def note(recorder: Recorder, case: SubjectCase, opened: Mapping[str, tuple[str, Sequence[str]]]) -> None:
    """A leaf for each lead that was opened: who looked, and at which fields."""
    for lead_id, (person_id, names) in opened.items():
        facts: dict[str, LeafValue] = {"case_id": case.case_id, "reason": "subject_request", "fields": list(names)}
        recorder.note(Event.IDENTITY_OPENED, lead_id=lead_id, person_id=person_id, facts=facts)


def _lead(lead: Row, there: Held, vault: Vault, policy: BrandPolicy) -> dict[str, Any]:
    fields, sealed = _opened(lead, there, vault)
    consent = there.consents.get(lead["consent_id"], {})
    sent = _sent(there.leaves.get(lead["lead_id"], ()))
    return {
        "lead_id": lead["lead_id"],
        "channel": lead["channel"],
        "language": lead["language"],
        "topic": lead["topic"],
        "country": lead["country"],
        "received_at": _at(lead["received_at"]),
        "admitted_at": _at(lead["admitted_at"]),
        "fields": fields,
        "sealed": sealed,
        "consent": {name: _at(value) if name.endswith("_at") else value for name, value in consent.items()},
        "recipients": [
            _recipient(each, sent.get(each["delivery_id"]), policy) for each in there.deliveries.get(lead["lead_id"], ())
        ],
    }


def _opened(lead: Row, there: Held, vault: Vault) -> tuple[dict[str, str], str]:
    """(the fields, how they are kept): a seal that does not open is said, and stops nothing."""
    found = there.sealed.get(lead["lead_id"])
    if found is None:
        return {}, "destroyed"
    try:
        key = _key(vault, lead["person_id"], found.wrapped_key, found.key_version)
        return vault.open_all(key, lead["lead_id"], bytes(found.row[13])).reveal(), "opened"
    except VaultError as error:
        return {}, error.code


def _key(vault: Vault, person_id: str, wrapped: bytes | None, version: int | None) -> PersonKey:
    return vault.unwrap_person_key(person_id, wrapped, version or 0)


def _recipient(delivery: Row, sent: tuple[datetime, list[str]] | None, policy: BrandPolicy) -> dict[str, Any]:
    known = policy.recipients.get(delivery["destination"])
    return {
        "destination": delivery["destination"],
        "kind": known.kind.value if known else "",
        "country": known.country if known else "",
        "purpose": delivery["purpose"],
        "state": delivery["state"],
        "reason": delivery["reason"] or "",
        "may_hold": delivery["state"] in _MAY_HOLD,
        "fields": sent[1] if sent else [],
        "sent_at": _moment(sent[0]) if sent else None,
        "record_there": delivery["vendor_ref"] or "",
    }


def _sent(leaves: Iterable[bytes]) -> dict[str, tuple[datetime, list[str]]]:
    """By delivery: when it was last sent, and every field that ever went."""
    found: dict[str, tuple[datetime, list[str]]] = {}
    for leaf in leaves:
        try:
            entry = decode(leaf)
        except AuditError:  # another program's leaf; verify names it
            continue
        names = entry.facts.get("fields")
        if entry.event in _SENT and entry.delivery_id is not None:
            before = found.get(entry.delivery_id, (entry.at, []))[1]
            told = names if isinstance(names, list) else []
            found[entry.delivery_id] = (entry.at, sorted({*before, *told}))
    return found


def _submission(row: Row, vault: Vault) -> dict[str, Any]:
    told = {"submission_id": row["submission_id"], "source": row["source"], "media_type": row["media_type"]}
    told |= {"received_at": _at(row["received_at"]), "state": row["state"]}
    try:
        wrapped = bytes(row["wrapped_key"]) if row["wrapped_key"] is not None else None
        raw = vault.open_submission(row["submission_id"], wrapped, row["key_version"] or 0, bytes(row["sealed"]))
    except VaultError as error:
        return told | {"content": None, "sealed": error.code}
    return told | {"content": raw.reveal().decode("utf-8", "replace"), "sealed": "opened"}


def _at(micros: int | None) -> str | None:
    return None if micros is None else _moment(from_micros(micros))


def _moment(at: datetime | None) -> str | None:
    return None if at is None else f"{at.isoformat(timespec='seconds')[:19]}Z"
