"""Gathering cosignatures: a witness brings its line or a reason, and nothing it does stops the house."""

from __future__ import annotations

import itertools
import socket
import time
from contextlib import suppress
from pathlib import Path

import pytest

from consent.audit import checkpoint as checkpoints
from consent.audit import note as notes
from consent.audit.cosignature import Kind
from leadgate.settings.log import WitnessSettings
from schemas.errors import AuditError
from tests.houses.house import TestHouse
from tests.houses.witnesses import Answer, invented_key, pretender, reply, watched, witness
from tests.witness.loghouse import InventedLog


def code_of(house: TestHouse, name: str) -> str | None:
    (row,) = house.rows("select code from witness where name = :name", name=f"{name}.example.org/witness")
    return row[0]


def line(note: bytes, *, key: str, time: int) -> bytes:
    """A cosignature under the checkpoint of a request's body."""
    signer = invented_key(key)
    text, _ = notes.parse(note)
    return notes.assemble(text, [signer.sign(text, time=time)]).removeprefix(f"{text}\n").encode()


def note_of(body: bytes) -> bytes:
    return body.partition(b"\n\n")[2]


def test_two_witnesses_of_both_kinds_cosign_what_is_sealed(house: TestHouse, tmp_path: Path) -> None:
    with (
        witness(tmp_path / "one", "one", house) as one,
        witness(tmp_path / "two", "two", house, kind=Kind.ML_DSA_44) as two,
    ):
        watched(house, one.settings, two.settings)
        for number in range(3):
            house.receive(*house.invented.many(3, start=10 * number))
            sealed = house.house.seal()
            assert (sealed.cosigned, sealed.witnesses, sealed.quorum, sealed.published) == (2, 2, True, sealed.tree_size)
        shown = (house.settings.log.publish_to / "checkpoint").read_bytes()
        judged = house.house.logbook.policy.require(shown, now=int(house.clock.now.timestamp()) + 10**9)
        assert judged.checkpoint.size == sealed.tree_size
        again = house.house.logbook.cosign()
        assert (again.asked, again.cosigned) == (0, 2), "nobody is asked twice for the same"
        status = house.house.logbook.status()
        assert (status.vouched, status.quorum) == (sealed.tree_size, True)


def test_a_witness_that_lags_is_brought_up(house: TestHouse, tmp_path: Path) -> None:
    with witness(tmp_path / "one", "one", house) as one, witness(tmp_path / "two", "two", house) as two:
        watched(house, one.settings, two.settings, quorum=1)
        house.receive(*house.invented.many(40))
        house.house.seal()
        two.kill()
        house.receive(*house.invented.many(7, start=400))
        sealed = house.house.seal()
        assert (sealed.cosigned, sealed.quorum) == (1, True)
        assert code_of(house, "two") == "unreachable"
        two.start()
        house.receive(*house.invented.many(5, start=500))
        assert house.house.seal().cosigned == 2, "from the size that it signed before it was killed"
        house.run("delete from witness")
        house.receive(*house.invented.many(5, start=600))
        assert house.house.seal().cosigned == 2, "and from whatever size it names, if we forgot"


def test_a_witness_that_was_shown_another_history_is_heard(house: TestHouse, tmp_path: Path) -> None:
    with witness(tmp_path / "one", "one", house) as one:
        watched(house, one.settings)
        house.receive(*house.invented.many(4))
        house.house.seal()
        state = one.office.state()
        signed = state.last(house.settings.log_origin)
        assert signed is not None
        state.advance(house.settings.log_origin, lambda last: type(last)(size=last.size, root=bytes(32), note=last.note))
        state.close()
        house.receive(*house.invented.many(2, start=50))
        sealed = house.house.seal()
        assert (sealed.integrated, sealed.cosigned, sealed.quorum) == (2, 0, False), "ingestion goes on, marked"
        assert code_of(house, "one") == "not_consistent"
        status = house.house.logbook.status()
        assert [each.name for each in status.alarms] == ["one"]


def test_a_witness_that_saw_more_than_we_have_says_so(house: TestHouse) -> None:
    def ahead(connection: socket.socket, _: bytes) -> None:
        connection.sendall(reply("409 Conflict", b"1000000\n", "content-type: text/x.tlog.size"))

    assert outcome(house, ahead) == "witness_ahead"
    assert [each.name for each in house.house.logbook.status().alarms] == ["bad"]


def outcome(house: TestHouse, answer: Answer) -> str | None:
    """Seal with this one witness; the pipeline goes on; the reason that is noted."""
    with pretender(answer) as url:
        watched(house, WitnessSettings(name="bad", url=url, vkey=str(invented_key("bad").verifier)), patience=0.5)
        house.receive(house.invented.lead(1))
        sealed = house.house.seal()
        assert sealed.integrated > 0
        assert sealed.published == sealed.tree_size
        assert (sealed.cosigned, sealed.quorum) == (0, False)
        with pytest.raises(AuditError) as caught:
            house.house.proof_of(house.rows("select submission_id from submission")[0][0])
        assert caught.value.code == "missing_quorum"
        return code_of(house, "bad")


def _endless(connection: socket.socket, _: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    with suppress(OSError):
        for _number in itertools.count():
            connection.sendall(b"x" * 65_536)


def _dripping(connection: socket.socket, _: bytes) -> None:
    with suppress(OSError):
        for letter in itertools.cycle(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100):
            connection.sendall(bytes([letter]))
            time.sleep(0.05)


def _dripping_body(connection: socket.socket, _: bytes) -> None:
    with suppress(OSError):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _number in itertools.count():
            connection.sendall(b"x")
            time.sleep(0.05)


def _silent(connection: socket.socket, _: bytes) -> None:
    with suppress(OSError):
        connection.recv(1)


def _hanging_up(connection: socket.socket, _: bytes) -> None:
    connection.close()


def _saying(status: str, body: bytes, *headers: str) -> Answer:
    return lambda connection, _: connection.sendall(reply(status, body, *headers))


def _signing(**how: object) -> Answer:
    """Sign, but not quite as a witness should."""

    def answer(connection: socket.socket, body: bytes) -> None:
        note = note_of(body)
        if how.get("other"):
            other = InventedLog(origin="log.example.org/proof").with_leaves(3, "other")
            note = other.note().encode()
        said = line(note, key=str(how.get("key", "bad")), time=int(str(how.get("time", 1))))
        if how.get("flip"):
            said = said[:-10] + (b"A" if said[-10:-9] != b"A" else b"B") + said[-9:]
        connection.sendall(reply("200 OK", said * int(str(how.get("times", 1)))))

    return answer


HOSTILE: dict[str, tuple[Answer, str]] = {
    "an endless body": (_endless, "answer_too_large"),
    "headers that drip": (_dripping, "no_answer_in_time"),
    "a body that drips": (_dripping_body, "no_answer_in_time"),
    "silence": (_silent, "no_answer_in_time"),
    "hanging up": (_hanging_up, "unusable_answer"),
    "garbage instead of HTTP": (lambda connection, _: connection.sendall(b"\x00\xff garbage\r\n\r\n"), "unusable_answer"),
    "garbage instead of a line": (_saying("200 OK", b"\xff\xfe\x00"), "unusable_answer"),
    "an empty answer": (_saying("200 OK", b""), "unusable_answer"),
    "a page": (_saying("200 OK", b"<html>welcome</html>\n"), "unusable_answer"),
    "a redirect": (_saying("307 Temporary Redirect", b"", "location: http://127.0.0.1:1/"), "redirected"),
    "no size": (_saying("409 Conflict", b"many\n"), "unusable_answer"),
    "a size beyond all": (_saying("409 Conflict", b"9" * 19 + b"\n"), "unusable_answer"),
    "always another size": (_saying("409 Conflict", b"0\n"), "keeps_moving"),
    "forbidden": (_saying("403 Forbidden", b""), "key_not_trusted"),
    "unknown": (_saying("404 Not Found", b""), "log_not_watched"),
    "a fault": (_saying("500 Internal Server Error", b"secret"), "unusable_answer"),
    "busy": (_saying("503 Service Unavailable", b""), "busy"),
    "packed": (_saying("200 OK", b"\x1f\x8b\x08\x00", "content-encoding: gzip"), "unusable_answer"),
    "somebody else's key": (_signing(key="other"), "not_signed_by_its_key"),
    "a signature over another log": (_signing(other=True), "wrong_signature"),
    "a flipped bit": (_signing(flip=True), "wrong_signature"),
    "a time that has not come": (_signing(time=10**11), "clocks_differ"),
    "a hundred lines": (_signing(times=100), "unusable_answer"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_whatever_a_witness_does_the_house_goes_on(sqlite_house: TestHouse, what: str) -> None:
    answer, code = HOSTILE[what]
    assert outcome(sqlite_house, answer) == code


def test_a_line_that_is_right_counts_once(sqlite_house: TestHouse) -> None:
    moment = int(sqlite_house.clock.now.timestamp())
    with pretender(_signing(time=moment, times=3)) as url:
        watched(sqlite_house, WitnessSettings(name="bad", url=url, vkey=str(invented_key("bad").verifier)))
        sqlite_house.receive(sqlite_house.invented.lead(1))
        sealed = sqlite_house.house.seal()
    assert (sealed.cosigned, sealed.quorum) == (1, True)
    shown = (sqlite_house.settings.log.publish_to / "checkpoint").read_bytes()
    assert [each.time for each in checkpoints.cosigned(shown, [invented_key("bad").verifier])] == [moment]


def test_an_idle_log_is_seen_again_after_an_hour(sqlite_house: TestHouse) -> None:
    asked: list[bytes] = []

    def sign(connection: socket.socket, body: bytes) -> None:
        asked.append(body)
        moment = int(sqlite_house.clock.now.timestamp())
        connection.sendall(reply("200 OK", line(note_of(body), key="bad", time=moment)))

    with pretender(sign) as url:
        watched(sqlite_house, WitnessSettings(name="bad", url=url, vkey=str(invented_key("bad").verifier)))
        sqlite_house.receive(sqlite_house.invented.lead(1))
        sqlite_house.house.seal()
        sqlite_house.clock.advance(minutes=30)
        sqlite_house.house.seal()
        assert len(asked) == 1
        sqlite_house.clock.advance(minutes=31)
        sqlite_house.house.seal()
        assert len(asked) == 2
    status = sqlite_house.house.logbook.status()
    assert status.witnesses[0].cosigned_at == sqlite_house.clock.now


def test_our_clock_set_back_stops_nothing_and_is_seen(sqlite_house: TestHouse) -> None:
    began = int(sqlite_house.clock.now.timestamp())
    with pretender(_signing(time=began)) as url:
        watched(sqlite_house, WitnessSettings(name="bad", url=url, vkey=str(invented_key("bad").verifier)))
        sqlite_house.clock.advance(days=-2)
        sqlite_house.receive(sqlite_house.invented.lead(1))
        sealed = sqlite_house.house.seal()
    assert (sealed.integrated > 0, sealed.quorum) == (True, False)
    assert code_of(sqlite_house, "bad") == "clocks_differ"
