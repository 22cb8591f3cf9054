"""Leaves of forms and plain ones stand in the order they were noted in, and the plain writer would have written them all."""

from __future__ import annotations

from datetime import UTC, datetime

from consent.audit.leaf import decode, encode
from consent.audit.leaf_form import LeafForm
from leadgate.pipeline.recorder import Recorder
from schemas.audit import AuditEntry
from schemas.vocabulary import Event
from tests.houses.house import TestHouse

AT = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
IDS = [f"01940000-0000-7000-8000-{number:012}" for number in range(8)]

ADMITTED = {
    "brand", "commitment", "consent_id", "consent_sha256", "fields", "given_at", "notice_id", "notice_version",
    "policy_version", "purposes", "record_sha256", "routes", "sealed_sha256", "text_sha256",
}  # fmt: skip
ACCEPTED = {"attempt", "consent_id", "destination", "fields", "policy_version", "purpose", "sent_sha256"}


def test_leaves_keep_their_order_whatever_way_they_were_noted() -> None:
    recorder, form = Recorder(at=AT), LeafForm(Event.LEAD_ADMITTED, {"brand": "lada"}, ("lead_id",))
    for number, lead in enumerate(IDS):
        if number % 3:
            recorder.fill(form, lead, (lead,))
        else:
            recorder.note(Event.LEAD_ADMITTED, facts={"brand": "lada"}, lead_id=lead)
    entries = [
        AuditEntry(event=Event.LEAD_ADMITTED, at=AT, actor="system", lead_id=lead, facts={"brand": "lada"}) for lead in IDS
    ]
    assert recorder.leaves == [(entry.lead_id, encode(entry)) for entry in entries]
    recorder.note(Event.LEAD_ADMITTED, facts={}, lead_id=IDS[0])
    assert len(recorder.leaves) == len(IDS) + 1


def test_admission_and_dispatch_say_all_that_they_said_before_there_were_forms(house: TestHouse) -> None:
    house.admit(*house.invented.many(12))
    for destination in ("lada_crm", "lada_calls"):
        house.dispatcher(destination).run(seconds=9)
    # Reading a leaf writes it again by the plain writer and compares.
    entries = [decode(bytes(row[0])) for row in house.rows("select body from audit_pending order by pending_id")]
    admitted = [entry for entry in entries if entry.event is Event.LEAD_ADMITTED]
    assert len(admitted) == 12
    for entry in admitted:
        assert entry.facts.keys() == ADMITTED
        assert all((entry.lead_id, entry.person_id, entry.submission_id))
    accepted = [entry for entry in entries if entry.event is Event.DELIVERY_ACCEPTED]
    assert {entry.facts["destination"] for entry in accepted} == {"lada_crm", "lada_calls"}
    for entry in accepted:
        assert entry.facts.keys() - {"vendor_ref_sha256", "code"} == ACCEPTED
        assert all((entry.lead_id, entry.person_id, entry.delivery_id))
    house.house.seal()
    assert house.house.verify().ok
