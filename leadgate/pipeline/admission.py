"""What one transaction of the gate writes, collected row by row and written together: the vault's rows, the outbox, the
decisions and their leaves; and what goes express from there. It decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import msgspec

from consent.audit.digest import consent_columns_digest, lead_columns_digest
from consent.audit.facts import code_word, code_words, route_words
from consent.audit.leaf_form import LeafForm
from consent.vault import PersonKey, Vault
from leadgate.pipeline.opening import HandOver, InHand
from leadgate.pipeline.recognition import Candidate
from leadgate.pipeline.recorder import Recorder
from leadgate.storage import inbox, leads, log, outbox, people
from leadgate.storage.clock import rfc3339, to_micros
from leadgate.storage.engine import Transaction
from leadgate.storage.ids import stream_of_ids
from leadgate.storage.inbox import Waiting
from leadgate.storage.outbox import Claimed
from schemas.audit import LeafValue
from schemas.consent_record import CONSENT_SCHEMA_VERSION
from schemas.submission import Withdrawal
from schemas.verdict import Finding, Route, Verdict
from schemas.vocabulary import Decision, Event, Outcome, SubmissionKind, SubmissionState

Row = tuple[object, ...]

_LEAD: Final = SubmissionKind.LEAD.value
_WITHDRAWAL: Final = SubmissionKind.WITHDRAWAL.value
_QUEUED: Final = Outcome.QUEUED.value
_CLAIMED: Final = Outcome.CLAIMED.value
#: Ids made at once: a lead, its consent record and a delivery or two for each of a hundred.
_IDS: Final = 400
#: What differs from lead to lead in the leaf of an admission, in the order in which a leaf writes it.
_HOLES: Final = (
    "commitment", "consent_id", "consent_sha256", "given_at", "record_sha256", "sealed_sha256",
    "lead_id", "person_id", "submission_id",
)  # fmt: skip


@lru_cache(maxsize=4096)  # as many as there are sets of optional fields; one is three kilobytes
def _form(
    brand: str,
    consent: tuple[tuple[str, ...], str, str, str],
    fields: tuple[str, ...],
    routes: tuple[Route, ...],
    policy_version: str,
) -> tuple[LeafForm, str, str]:
    """The leaf of an admission but for its ids, digests and moment, with the purposes and the names of the fields as rows hold
    them. Leads of one source mostly have the same, and nothing here is anybody's own.
    """
    purposes, notice_id, notice_version, text_sha256 = consent
    names = sorted(fields)
    fixed: dict[str, LeafValue] = {
        "brand": brand,
        "notice_id": notice_id,
        "notice_version": notice_version,
        "text_sha256": text_sha256,
        "purposes": list(purposes),
        "fields": names,
        "routes": route_words(routes),
        "policy_version": policy_version,
    }
    return LeafForm(Event.LEAD_ADMITTED, fixed, _HOLES), " ".join(purposes), " ".join(names)


class Admission:
    """Everything one transaction writes."""

    def __init__(
        self,
        *,
        at: datetime,
        vault: Vault,
        pseudonyms: Mapping[str, Callable[[str], str]],
        express: Mapping[str, HandOver] = MappingProxyType({}),
    ) -> None:
        """``express`` are the destinations that are sent to at once; each takes its deliveries in."""
        self.now = to_micros(at)
        self.recorder = Recorder(at=at)
        self.withdrawals = 0
        self.deliveries: list[Row] = []
        self.admitted: list[Row] = []
        self._vault = vault
        self._pseudonyms = pseudonyms
        self.express = express
        self._ids = stream_of_ids(self.now, block=_IDS)
        self._persons: Sequence[Row] = ()
        self._identifiers: Sequence[Row] = ()
        self._leads: list[Row] = []
        self._consents: list[Row] = []
        self._otherwise: list[Row] = []

    def count(self, state: SubmissionState) -> int:
        """How many were put aside so."""
        return sum(row[1] == state for row in self._otherwise)

    def people(self, persons: Sequence[Row], identifiers: Sequence[Row]) -> None:
        """New people and what they are known by."""
        self._persons, self._identifiers = persons, identifiers

    def withdrawal(self, one: Waiting, withdrawal: Withdrawal, person_id: str) -> None:
        """A submission that took consent back; its effect was written already."""
        self.withdrawals += 1
        self.admitted.append((one.submission_id, _WITHDRAWAL, withdrawal.brand, person_id, None))

    def admit(self, candidate: Candidate, verdict: Verdict, key: PersonKey) -> str:
        """Seal the lead under its person's key, queue a delivery for each route, and write the leaf. Answers the lead's id."""
        lead, one, consent, now = candidate.lead, candidate.waiting, candidate.lead.consent, self.now
        lead_id, consent_id, person_id, brand = next(self._ids), next(self._ids), key.person_id, lead.brand
        sealed = self._vault.seal_lead(key, lead_id, lead.fields)
        terms = consent.purposes, consent.notice_id, consent.notice_version, consent.text_sha256
        form, purposes, names = _form(brand, terms, tuple(candidate.fields), verdict.routes, verdict.policy_version)
        given_at = to_micros(consent.given_at)
        committed = (
            lead_id, person_id, one.submission_id, consent_id, brand, str(lead.channel), str(lead.language), lead.topic,
            lead.country, names, one.received_at, now, sealed.commitment,
        )  # fmt: skip
        agreed = (
            consent_id, person_id, brand, purposes, consent.notice_id, consent.notice_version,
            str(consent.notice_language), consent.text_sha256, str(consent.indication), " ".join(consent.evidence),
            given_at, now, CONSENT_SCHEMA_VERSION,
        )  # fmt: skip
        self._leads.append((*committed, sealed.envelope, candidate.fingerprints[0]))
        self._consents.append(agreed)
        for route in verdict.routes:
            delivery_id, pseudonym = next(self._ids), self._pseudonyms[route.destination](lead_id)
            told = delivery_id, lead_id, person_id, route.destination, route.purpose, pseudonym
            handed = self.express.get(route.destination)
            if handed is None:
                self.deliveries.append((*told, _QUEUED, 0, now, now, None, None))
                continue
            worker, until = handed.claim
            self.deliveries.append((*told, _CLAIMED, 1, now, None, until, worker))
            claimed = Claimed._make((
                delivery_id, lead_id, person_id, route.purpose, pseudonym, 1, *committed[4:9], one.received_at,
                sealed.envelope, key.wrapped, key.key_version, consent_id, *agreed[3:-1],
            ))  # fmt: skip
            handed.records[delivery_id] = InHand(claimed, key, candidate.fields)
        self.admitted.append((one.submission_id, _LEAD, brand, person_id, lead_id))
        self.recorder.fill(
            form,
            lead_id,
            (
                sealed.commitment, consent_id, consent_columns_digest(agreed), rfc3339(given_at),
                lead_columns_digest(committed, sealed.envelope_sha256), sealed.envelope_sha256,
                lead_id, person_id, one.submission_id,
            ),
        )  # fmt: skip
        return lead_id

    def put_aside(
        self,
        one: Waiting,
        findings: Sequence[Finding],
        *,
        verdict: Verdict | None = None,
        candidate: Candidate | None = None,
        person: str | None = None,
    ) -> None:
        """Quarantine (the default: a person can mend it) or refuse."""
        refused = verdict is not None and verdict.decision is Decision.REFUSE
        state = SubmissionState.REFUSED if refused else SubmissionState.QUARANTINED
        event = Event.SUBMISSION_REFUSED if refused else Event.SUBMISSION_QUARANTINED
        listed = [{"reason": each.reason.value, "field": each.field, "hint": each.hint} for each in findings]
        brand = candidate.lead.brand if candidate else None
        kind = _LEAD if candidate else None
        written = msgspec.json.encode(listed).decode()
        self._otherwise.append((one.submission_id, state.value, kind, brand, person, written))
        # a field may be a key of the sender's own making: what may not stand in a leaf is withheld, and stops nothing
        facts: dict[str, LeafValue] = {"findings": code_words(_word(each) for each in findings)}
        if verdict is not None:
            facts["policy_version"] = verdict.policy_version
        self.recorder.note(event, submission_id=one.submission_id, person_id=person, facts=facts)

    def write(self, tx: Transaction) -> None:
        """Write it all."""
        people.add(tx, self._persons)
        people.add_identifiers(tx, self._identifiers)
        leads.add(tx, self._leads, self._consents)
        outbox.add(tx, self.deliveries)
        outbox.add_hand_overs(tx, [(name, *each.span, *each.claim) for name, each in self.express.items() if each.records])
        inbox.decide_admitted(tx, self.admitted, at=self.now)
        inbox.decide_otherwise(tx, self._otherwise, at=self.now)
        log.append(tx, self.recorder.leaves)


def _word(finding: Finding) -> str:
    """``reason`` or ``reason:field``, as the log keeps it; a place in a list is written ``purposes.0``."""
    if not finding.field:
        return finding.reason.value
    word = f"{finding.reason.value}:{finding.field.replace('[', '.').replace(']', '')}"
    # What a sender made up as a field's name may be anything; it must not stop its own recording.
    return word if code_word(word) == word else finding.reason.value
