"""Whatever happens in whatever order, the books balance: leads, repetitions and withdrawals come in; workers admit, send, die
and come back; vendors lose answers, refuse, hang up and recover; people are erased. Checked after every step, and at the end,
when everything has had time to settle, against what the vendors hold.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from integrations.testing.invented_leads import Flaw, Invented
from integrations.testing.knobs import Fault, FaultKind, Garbage
from integrations.testing.sandbox import Sandbox
from leadgate.storage import outbox
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Ledger
from leadgate.storage.tables import metadata
from schemas.errors import TerminalError
from schemas.vocabulary import FINAL_OUTCOMES, Channel, Outcome
from tests.houses.house import Clock, TestHouse, settings_for
from tests.houses.interrupted import interrupted

DESTINATIONS = ("lada_crm", "lada_calls")
FAULTS = (
    Fault(kind=FaultKind.TAKE_THEN_REFUSE, status=503, times=1),
    Fault(kind=FaultKind.TAKE_THEN_RESET, times=1),
    Fault(kind=FaultKind.TAKE_THEN_CUT, times=1),
    Fault(kind=FaultKind.GARBAGE, form=Garbage.HTML, times=1),
    Fault(kind=FaultKind.GARBAGE, form=Garbage.HTML, take=False, times=1),
    Fault(kind=FaultKind.RESET, times=1),
    Fault(kind=FaultKind.THROTTLE, status=429, retry_after="30", times=1),
    Fault(kind=FaultKind.REFUSE, status=401, times=1),
    Fault(kind=FaultKind.PARTIAL, every=2, code="LOCKED", times=1),
    Fault(kind=FaultKind.PARTIAL, every=3, code="NO_GOOD", times=1),
    Fault(kind=FaultKind.FEWER_RESULTS, count=1, times=1),
    Fault(kind=FaultKind.REFUSE, status=503, on=frozenset({"lookup"}), times=1),
)


class World(RuleBasedStateMachine):
    """One house and its vendors over one example."""

    ledger_url: ClassVar[str]
    sandbox: ClassVar[Sandbox]
    keys: ClassVar[Path]

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="leadgate-any-order-"))
        state = self.folder / "state"
        shutil.copytree(self.keys, state)
        emptied = Ledger(self.ledger_url)
        with emptied.transaction() as tx:
            for table in metadata.tables:
                tx.run(f"delete from {table}")  # noqa: S608 - our own tables
        emptied.close()
        for server in self.sandbox.servers.values():
            server.simulator.knobs.clear()
            server.simulator.world.reset()
        self.house = TestHouse(settings_for(state=state, ledger_url=self.ledger_url), self.sandbox, clock=Clock())
        self.sent: list[Invented] = []
        self.number = 0
        self.leads_come_in(4, None, admitted=True)

    def teardown(self) -> None:
        if not hasattr(self, "house"):
            return
        try:
            self._drain()
            self._check_the_end()
        finally:
            self.house.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    # -- what may happen ----------------------------------------------------------------------------------------------------

    @rule(count=st.integers(1, 4), flaw=st.sampled_from([*[None] * 60, *Flaw]), admitted=st.booleans())
    def leads_come_in(self, count: int, flaw: Flaw | None, *, admitted: bool) -> None:
        for _ in range(count):
            lead = self.house.invented.lead(self.number, brand="lada", flaw=flaw)
            self.number += 1
            self.sent.append(lead)
            self.house.receive(lead)
        if admitted:
            self.house.house.admit()

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), how=st.sampled_from(["same event", "other channel", "withdrawal"]))
    def somebody_writes_again(self, data: Any, how: str) -> None:
        lead = data.draw(st.sampled_from(self.sent))
        if how == "same event":
            assert self.house.receive(lead).new == 0
        elif how == "other channel":
            self.house.receive(self.house.invented.again(lead, channel=Channel.FACEBOOK))
        elif lead.document.get("user"):
            self.house.receive(self.house.invented.withdrawal(lead, by="user"))

    @rule(batch=st.integers(1, 5))
    def admit(self, batch: int) -> None:
        self.house.house.admitter.run(seconds=9, batch=batch)

    @rule(name=st.sampled_from(DESTINATIONS), worker=st.sampled_from("ab"))
    def dispatch(self, name: str, worker: str) -> None:
        with suppress(TerminalError):  # the vendor that answers 401: loud, and nothing is sent
            self.house.dispatcher(name, worker=worker).run(seconds=9)

    @rule(name=st.sampled_from(DESTINATIONS), limit=st.integers(1, 5))
    def a_worker_claims_and_dies(self, name: str, limit: int) -> None:
        now = self.house.clock.now
        lease = to_micros(now + self.house.settings.delivery.lease)
        with self.house.transaction() as tx:
            outbox.claim(tx, destination=name, worker="dead", limit=limit, now=to_micros(now), lease_until=lease)

    @rule(name=st.sampled_from(DESTINATIONS))
    def a_worker_sends_and_dies(self, name: str) -> None:
        def die() -> None:
            raise KeyboardInterrupt  # the vendor has answered, and nothing of ours runs after it

        connector = interrupted(self.house, name, die)
        with suppress(KeyboardInterrupt, TerminalError):
            self.house.dispatcher(name, connector=connector, worker="dead").run(seconds=9)

    @rule(name=st.sampled_from(DESTINATIONS), fault=st.sampled_from(FAULTS), worker=st.sampled_from("ab"))
    def the_vendor_fails(self, name: str, fault: Fault, worker: str) -> None:
        self.house.simulator(name).knobs.set(fault)
        self.dispatch(name, worker)

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def somebody_is_erased(self, data: Any) -> None:
        people = [row[0] for row in self.house.rows("select person_id from person where state <> 'erased' order by 1")]
        if people:
            self.house.house.erase(data.draw(st.sampled_from(people)), actor="officer-1", reason="subject_request")

    @rule()
    def an_engineer_replays(self) -> None:
        ask: dict[str, Any] = {"destination": None, "delivery_ids": None, "include_doubtful": False, "actor": "engineer-1"}
        self.house.house.replay(apply=True, **ask)

    @rule(seconds=st.sampled_from([1, 15, 140, 700]))
    def time_passes(self, seconds: int) -> None:
        self.house.clock.advance(seconds=seconds)

    @rule()
    def seal(self) -> None:
        self.house.house.seal()

    # -- what must hold -----------------------------------------------------------------------------------------------------

    @invariant()
    def the_books_balance(self) -> None:
        if not hasattr(self, "house"):
            return
        balance = self.house.house.balance()
        assert balance.received == balance.admitted + balance.quarantined + balance.refused + balance.waiting
        for name in DESTINATIONS:
            assert set(self.house.states(name)) <= set(Outcome)
            assert not self.house.world(name).doubles(), "nobody is called twice"
        odd = self.house.rows(
            "select count(*) from delivery where (not_before is null) <> (state in ('accepted','rejected','dead','suppressed'))"
        )
        assert odd == [(0,)], "a delivery waits, or it has ended"

    def _drain(self) -> None:
        for name in DESTINATIONS:
            self.house.simulator(name).knobs.clear()
        for _ in range(20):
            self.house.house.admit()
            for name in DESTINATIONS:
                self.dispatch(name, "last")
            balance = self.house.house.balance()
            if balance.closes:
                return
            self.house.clock.advance(minutes=11)
        raise AssertionError("it never settled")

    def _check_the_end(self) -> None:
        for name in DESTINATIONS:
            rows = self.house.rows("select key, state, reason from delivery where destination = :name", name=name)
            held = {row["key"] for row in self.house.world(name).records()}
            accepted = {row[0] for row in rows if row[1] == Outcome.ACCEPTED}
            assert {Outcome(row[1]) for row in rows} <= FINAL_OUTCOMES
            assert accepted <= held, "what we call accepted is there"
            # The vendor may hold what a person took back or had erased while it was under way; never what was rejected.
            assert not held & {row[0] for row in rows if row[1] == Outcome.REJECTED}
            assert held <= {row[0] for row in rows}
            assert not self.house.world(name).doubles(), "nobody is called twice"
        report = self.house.verified()
        assert report.ok, report.findings


@pytest.mark.timeout(240)
def test_any_order_of_events_leaves_balanced_books(ledger_url: str, sandbox: Sandbox, keys: Path, database: str) -> None:
    World.ledger_url, World.sandbox, World.keys = ledger_url, sandbox, keys
    examples = 40 if database == "sqlite" else 20
    run_state_machine_as_test(
        World,
        settings=settings(
            phases=[Phase.generate],  # add Phase.shrink to read a failure: it takes minutes
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
