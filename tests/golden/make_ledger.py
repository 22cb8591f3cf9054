"""Makes ``ledger-<version>``: a small SQLite ledger as today's Leadgate writes it, with the keys that open it.

    python -m tests.golden.make_ledger

It refuses to overwrite one: a ledger that was released never changes. (Before the first release, delete the folder and make it
again when migration 0001 changes.) Everybody in it is invented, and its keys seal nothing else.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
import tempfile
from pathlib import Path

from integrations.testing.invented_leads import Flaw
from integrations.testing.knobs import FaultKind
from leadgate.pipeline.case_file import Asked
from leadgate.storage import schema
from leadgate.storage.engine import Ledger
from leadgate.wiring.keys import create_keys
from schemas.cases import CaseKind
from schemas.personal import Personal
from schemas.submission import Withdrawal
from tests.houses.house import Clock, TestHouse, settings_for, stands

HERE = Path(__file__).parent


def main() -> int:
    target = HERE / f"ledger-{schema.newest()}"
    if any(target.glob("*.db")):
        sys.stderr.write(f"{target} is there already, and a ledger that was released never changes\n")
        return 1
    with tempfile.TemporaryDirectory(prefix="leadgate-golden-") as folder:
        state = Path(folder)
        settings = settings_for(state=state, ledger_url=f"sqlite:///{state / 'ledger.db'}")
        create_keys(settings, clock=Clock())
        ledger = Ledger(settings.ledger_url)
        schema.upgrade(ledger)
        ledger.close()
        _fill(state)
        with sqlite3.connect(state / "ledger.db") as connection:
            connection.execute("pragma wal_checkpoint(truncate)")
        target.mkdir(exist_ok=True)
        for name in ("ledger.db", "keyring.json", "log.key", "log.pub", "shred.list"):
            shutil.copyfile(state / name, target / name)
    return 0


def _fill(state: Path) -> None:
    """Every kind of row: each state of a submission and a delivery, withdrawals, an erasure, sealed and pending leaves."""
    with stands() as sandbox:
        house = TestHouse(settings_for(state=state, ledger_url=f"sqlite:///{state / 'ledger.db'}"), sandbox, clock=Clock())
        leads = list(house.invented.many(8, brand="lada"))
        house.admit(*leads, *(house.invented.lead(50 + place, brand="lada", flaw=flaw) for place, flaw in enumerate(Flaw)))
        house.simulator("lada_crm").knobs.reject(every=3, code="NO_GOOD", times=1)
        house.dispatcher("lada_crm").run(seconds=20)
        house.admit(house.invented.withdrawal(leads[0]), house.invented.withdrawal(house.invented.lead(99, brand="lada")))
        person = house.rows("select person_id from submission where event_id = :e", e=leads[1].event_id)[0][0]
        house.house.erase(person, actor="officer-1", reason="subject_request")
        held = house.rows("select person_id from submission where event_id = :e", e=leads[2].event_id)[0][0]
        house.house.destruction.hold(held, reason="court_case", until=None, actor="officer-1")
        who = Withdrawal(brand="lada", email=Personal(leads[3].document["email"].lower()))
        asked = Asked(
            kind=CaseKind.RECTIFICATION, who=who, received_at=house.clock(), values=Personal({"city": "Нигде"}), names=("city",)
        )
        house.house.requests.open(asked, owner="officer-1")
        house.simulator("lada_calls").knobs.take_then(FaultKind.TAKE_THEN_RESET, times=1)
        house.dispatcher("lada_calls").run(seconds=20)  # in doubt
        house.house.seal()
        house.admit(*house.invented.many(4, start=20))  # queued, and leaves that are not sealed yet
        house.receive(*house.invented.many(3, start=30))  # not decided yet
        house.house.balance()
        house.close()


if __name__ == "__main__":
    raise SystemExit(main())
