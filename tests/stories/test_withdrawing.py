"""A person writes "stop": the queue stops at once, the recipients are named, nothing more is sent under the old consent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.houses.commands import leadgate, verify
from tests.houses.house import TestHouse, consent, renamed


def test_stop_means_stop_until_new_consent(house: TestHouse) -> None:
    lead = house.invented.lead(1, brand="lada")
    house.admit(lead)
    house.dispatcher("lada_crm").run(seconds=20)  # the card is there, the call is not
    house.clock.advance(minutes=1)
    typed = f"{lead.document['phone']}\n"
    done = leadgate(house, "withdraw", "--brand", "lada", "--actor", "moderator-7", "--yes", typed=typed)
    assert done.returncode == 0, done.stderr
    assert "lada_crm" in done.stdout
    assert lead.document["phone"] not in done.stdout + done.stderr
    house.dispatcher("lada_calls").run(seconds=20)
    assert house.world("lada_calls").stats()["records"] == 0
    assert house.states("lada_calls") == {"suppressed": 1}

    # The same consent on another channel is no new one.
    late = renamed(lead, "late", channel="facebook", topic={"code": "price", "fields": {"car_model": "X"}})
    assert house.admit(late)[0][0] == "refused"

    # What the person agrees to afterwards stands. The command has the real clock, so the new consent comes after it.
    house.clock.now = datetime.now(UTC) + timedelta(minutes=2)
    given = (house.clock.now - timedelta(minutes=1)).isoformat()
    anew = renamed(lead, "anew", consent=consent(lead, given_at=given), topic={"code": "price", "fields": {"car_model": "Y"}})
    assert house.admit(anew) == [("admitted", [])]
    house.dispatcher("lada_calls").run(seconds=20)
    assert house.world("lada_calls").stats()["records"] == 1
    house.clock.now = datetime.now(UTC)
    assert house.house.seal().integrated > 0
    assert verify(house) == (0, [])
