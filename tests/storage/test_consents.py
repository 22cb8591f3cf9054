"""Consent events in the ledger: what goes in comes out, an old withdrawal counts as one, and no person gets in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from leadgate.storage import consents, people
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Ledger
from leadgate.storage.ids import new_ids
from schemas.consent_event import ConsentEvent, ConsentOrigin, ConsentState
from schemas.errors import AuditError, StorageUnavailableError

NOW = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
ANNA, BORIS = "0190b5b0-0000-7000-8000-000000000001", "0190b5b0-0000-7000-8000-000000000002"


def event(**changes: object) -> ConsentEvent:
    values: dict[str, object] = {
        "event_id": new_ids(1, to_micros(NOW))[0],
        "person_id": ANNA,
        "state": ConsentState.WITHDRAWN,
        "event_time": NOW,
        "recorded_at": LATER,
        "origin": ConsentOrigin.OFFICER,
        **changes,
    }
    return ConsentEvent(**values)  # type: ignore[arg-type] # a test's shorthand


def test_what_was_written_is_read_back_oldest_first(ledger: Ledger) -> None:
    first = event(
        consent_id="c" * 32, purpose="callback", facts={"reason": "subject_request", "fields": ["phone"]}, actor="anna.k"
    )
    second = event(state=ConsentState.TERMINATED, event_time=LATER, policy_version="0" * 32)
    with ledger.transaction() as tx:
        consents.add_events(tx, [second, first, event(person_id=BORIS)])
        assert consents.events_of(tx, ANNA) == [first, second]
        assert consents.events_of(tx, "nobody") == []


def test_a_withdrawal_of_an_older_ledger_is_an_event(ledger: Ledger) -> None:
    with ledger.transaction() as tx:
        people.withdraw(tx, [(ANNA, "callback", to_micros(NOW), None), (BORIS, "callback", to_micros(NOW), None)])
        consents.add_events(tx, [event(person_id=BORIS, purpose=None)])
        (old,) = consents.events_of(tx, ANNA)
        (new,) = consents.events_of(tx, BORIS)
    assert (old.state, old.purpose, old.event_time) == (ConsentState.WITHDRAWN, "callback", NOW)
    assert new.recorded_at == LATER, "the event beside the row says more than the row, and is not told twice"


def test_a_withdrawal_somebody_wrote_to_still_counts(ledger: Ledger) -> None:
    with ledger.transaction() as tx:
        people.withdraw(tx, [(ANNA, "callback", -5, None)])
        assert consents.events_of(tx, ANNA)[0].state is ConsentState.WITHDRAWN


@pytest.mark.parametrize("changes", [{"facts": {"phone": "+79000000001"}}, {"actor": "Anna K."}])
def test_no_person_gets_into_an_event(ledger: Ledger, changes: dict[str, object]) -> None:
    with ledger.transaction() as tx, pytest.raises(AuditError) as refused:
        consents.add_events(tx, [event(**changes)])
    assert "9000" not in str(refused.value)
    assert "Anna" not in str(refused.value)


def test_an_event_is_written_once(ledger: Ledger) -> None:
    once = event()
    with ledger.transaction() as tx:
        consents.add_events(tx, [once])

    def again(tx: object) -> None:
        consents.add_events(tx, [once])  # type: ignore[arg-type] # the ledger's own transaction

    with pytest.raises(StorageUnavailableError):
        ledger.retrying(again)
