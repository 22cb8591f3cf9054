"""Known invented people go through the whole house, through quarantine, refusal, loss and every kind of trouble; then every
byte that was stored, logged, exported, printed or raised is searched for them. The wires alone may carry a person.
"""

from __future__ import annotations

import base64
import io
import json
import logging
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from integrations.testing.invented_leads import Flaw, Invented, possible
from integrations.testing.knobs import FaultKind, Garbage
from leadgate.postgres import EmbeddedPostgres
from schemas.contact import phone_or_none
from schemas.errors import LeadgateError
from schemas.personal import Personal
from schemas.submission import Withdrawal
from tests.houses.commands import leadgate
from tests.houses.house import TestHouse, document
from tests.stories.canary import Scanner, telling

#: Numbers whose syllables and digits stand nowhere else.
_FIRST = 4217


@contextmanager
def everything_logged() -> Iterator[io.StringIO]:
    """Every record of every library, at DEBUG, with its arguments filled in and its traceback: the worst handler there is."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s %(pathname)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    logging.disable(logging.NOTSET)
    # Airflow's own logging set-up, in another test of this process, disables every logger that was there before it
    silenced = [one for one in logging.root.manager.loggerDict.values() if isinstance(one, logging.Logger) and one.disabled]
    for one in silenced:
        one.disabled = False
    try:
        yield stream
    finally:
        for one in silenced:
            one.disabled = True
        root.removeHandler(handler)
        root.setLevel(level)


class Raised:
    """What was raised, as anybody could print it."""

    def __init__(self) -> None:
        self.said = ""

    def during(self, act: Callable[[], object]) -> None:
        try:
            act()
        except LeadgateError as error:
            self.said += f"{error}\n{error!r}\n{error.diagnostics()}\n{error.args!r}\n"
            self.said += "".join(traceback.format_exception(error, chain=True))
            inner: BaseException | None = error
            while inner is not None:  # what a careless handler would print although we suppressed it
                self.said += f"{inner!r} {inner}\n"
                inner = inner.__cause__ or inner.__context__


def _trouble(house: TestHouse, raised: Raised) -> list[Invented]:
    """A day with everything that can go wrong; answer whoever took part."""
    policy = house.house.policies["lada"]
    good = list(house.invented.many(12, start=_FIRST, brand="lada"))
    bad = [house.invented.lead(_FIRST + 100 + place, brand="lada", flaw=flaw) for place, flaw in enumerate(possible(policy))]
    other = list(house.invented.many(4, start=_FIRST + 200, brand="s7"))
    stop = [house.invented.withdrawal(good[0], by="phone"), house.invented.withdrawal(good[1], by="email")]
    stop += [document(house.invented.withdrawal(good[2]), purposes=["astrology"]), house.invented.lead(_FIRST, brand="lada")]
    house.receive(*good, *bad, *other, *stop[:3])
    house.house.admit()
    for name in house.settings.destinations:
        knobs = house.simulator(name).knobs
        knobs.reject(every=3, code="NO_GOOD", field="phone", times=1)
        knobs.take_then(FaultKind.TAKE_THEN_CUT, times=1)
        knobs.garbage(Garbage.HTML, times=1)
        knobs.error_inside(times=1)
        for _ in range(6):
            raised.during(lambda name=name: house.dispatcher(name).run(seconds=20))  # type: ignore[misc] # bound now
            house.clock.advance(seconds=45)
        house.server(name).down()
        house.run("update destination_state set open_until = null")
    house.admit(*house.invented.many(3, start=_FIRST + 300))
    for name in house.settings.destinations:
        raised.during(lambda name=name: house.dispatcher(name).run(seconds=20))  # type: ignore[misc] # as above
        house.server(name).up()
        house.simulator(name).knobs.refuse(401, times=1)
        house.clock.advance(minutes=20)
        raised.during(lambda name=name: house.dispatcher(name).run(seconds=20))  # type: ignore[misc] # as above
        house.clock.advance(minutes=20)
        raised.during(lambda name=name: house.dispatcher(name).run(seconds=20))  # type: ignore[misc] # as above
    phone = phone_or_none(good[3].document["phone"], "RU")
    assert phone is not None
    house.house.withdraw(Withdrawal(brand="lada", phone=Personal(phone)), actor="moderator-1")
    person = house.house.persons(withdrawal=Withdrawal(brand="lada", phone=Personal(phone)))[0]
    house.house.erase(person, actor="officer-1", reason="subject_request")
    return [*good, *bad, *other, *house.invented.many(3, start=_FIRST + 300)]


def _damage(house: TestHouse, raised: Raised) -> None:
    """Rows are written to, and everything that reads them is asked."""
    house.run("update lead set sealed = :bytes where lead_id in (select lead_id from lead order by 1 limit 1)", bytes=b"?")
    house.run(
        "update consent_record set indication = 'telepathy' where consent_id in (select min(consent_id) from consent_record)"
    )
    house.run("update delivery set state = 'queued', not_before = 0 where state = 'accepted'")
    for name in house.settings.destinations:
        raised.during(lambda name=name: house.house.plan(name))  # type: ignore[misc] # as above
        raised.during(lambda name=name: house.dispatcher(name).run(seconds=20))  # type: ignore[misc] # as above
    raised.during(lambda: house.ledger.retrying(lambda tx: tx.rows("select nonsense")))
    raised.during(house.house.verify)


def _spoken(house: TestHouse, lead_id: str) -> str:
    """What the commands print, as real processes, on both streams."""
    said = ""
    for words in (
        ["balance"],
        ["quarantine"],
        ["plan"],
        ["trace", lead_id],
        ["trace", lead_id, "--json"],
        ["verify"],
        ["replay"],
        ["retention"],
    ):
        done = leadgate(house, *words)
        assert done.returncode in {0, 1, 3, 4}, f"{words}: {done.stderr}"
        said += done.stdout + done.stderr
    return said


def _checkpoint(server: EmbeddedPostgres) -> None:
    """Everything that is committed stands in the files now, and not only in memory."""
    with psycopg.connect(server.libpq_url(), autocommit=True) as connection:
        connection.execute("checkpoint")


@pytest.mark.timeout(280)
def test_nobody_is_found_where_no_person_may_be(
    house: TestHouse, database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    began = time.time() - 1
    raised = Raised()
    with everything_logged() as log:
        people = _trouble(house, raised)
        house.house.seal()
        house.house.export(tmp_path / "export")
        _damage(house, raised)
    scanner = Scanner(telling(people))
    assert scanner.count > 5_000
    assert "throttled" in raised.said or "unauthorized" in raised.said, "trouble was had"
    assert len(log.getvalue()) > 5_000

    lead_id = house.rows("select lead_id from lead order by 1 limit 1")[0][0]
    finds = scanner.text("the log", log.getvalue())
    finds += scanner.text("errors", raised.said)
    if database == "sqlite":  # a command says the same over either
        finds += scanner.text("commands", _spoken(house, lead_id))
    finds += scanner.text("counts", json.dumps([house.house.balance().as_dict(), house.house.admit().as_dict()]))
    size, found = scanner.tree(tmp_path)
    finds += found
    if database == "postgres":
        _checkpoint(request.getfixturevalue("postgres"))
        stored, found = scanner.tree(request.getfixturevalue("postgres_folder"), since=began)
        size += stored
        finds += found
    assert size > 300_000, "the ledger was looked at"
    assert finds == [], sorted({(find.where, find.writing, find.value) for find in finds})[:20]


# -- the scanner itself -------------------------------------------------------------------------------------------------------

PLANTED: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "hex": lambda value: value.encode().hex().encode(),
    "base64, first alignment": lambda value: base64.b64encode(value.encode()),
    "base64, second alignment": lambda value: base64.b64encode(b"x" + value.encode() + b"yz"),
    "base64, third alignment": lambda value: base64.b64encode(b"xy" + value.encode() + b"z"),
    "base64 for addresses": lambda value: base64.urlsafe_b64encode(b"xy" + value.encode() + b"z"),
    "percent": lambda value: quote(value).encode(),
    "UTF-16": lambda value: value.encode("utf-16"),
    "JSON": lambda value: json.dumps({"x": value}).encode(),
    "JSON in JSON": lambda value: json.dumps(json.dumps(value)).encode(),
    "repr of bytes": lambda value: repr(value.encode()).encode(),
    "upper case": lambda value: value.upper().encode(),
    "a digest without a key": lambda value: sha256(value.encode()).hexdigest().encode(),
    "the digest's bytes": lambda value: sha256(value.encode()).digest(),
}


@pytest.mark.parametrize("how", PLANTED)
def test_the_scanner_finds_what_was_planted(house: TestHouse, how: str) -> None:
    lead = house.invented.lead(_FIRST, brand="lada")
    scanner = Scanner(telling([lead]))
    for value in lead.telling():
        noise = bytes(range(256)) * 40
        assert scanner.bytes("noise", noise) == []
        assert scanner.bytes("planted", noise + PLANTED[how](value) + noise), (how, value)


@pytest.mark.parametrize(
    "written",
    [
        "+79000004217",
        "89000004217",
        "9000004217",
        "8 900 000 42 17",
        "+7 (900) 000-42-17",
        "7-900-000-42-17",
        "(900)000.42.17",
        "+7 900 000 42 17",
    ],
)
def test_the_scanner_knows_a_phone_in_any_dress(written: str) -> None:
    scanner = Scanner(["8 (900) 000-42-17"])
    assert scanner.text("x", f"call {written} now")
    assert not scanner.text("x", "call +7 900 000-42-18 now")


def test_the_scanner_knows_a_phone_without_digits() -> None:
    scanner = Scanner(["8 (900) 000-42-17"])
    for number in (79000004217, 9000004217):
        assert scanner.bytes("a column of numbers", number.to_bytes(8, "big"))
        assert scanner.text("a digest", sha256(str(number).encode()).hexdigest())


def test_the_scanner_finds_names_of_files_and_pieces_over_chunks(tmp_path: Path, house: TestHouse) -> None:
    lead = house.invented.lead(_FIRST, brand="lada", flaw=Flaw.UNKNOWN_KEY)
    scanner = Scanner(telling([lead]))
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / f"{lead.document['family_name']}.txt").touch()
    (tmp_path / "deep" / "large").write_bytes(b"\1" * (8 * 1024 * 1024 - 5) + lead.document["email"].encode())
    _, finds = scanner.tree(tmp_path)
    assert {find.value for find in finds} == {lead.document["family_name"], lead.document["email"]}
