"""The witness signs a log that only grows; each refusal has the status of C2SP tlog-witness and changes nothing."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.audit import checkpoint as checkpoints
from consent.audit import note as notes
from consent.audit.merkle import EMPTY_ROOT
from consent.audit.note import SEED_SIZE, SignerKey
from leadgate.witness import Office, State, Witness
from leadgate.witness.request import MAX_BODY, parse
from leadgate.witness.watching import ConflictError
from schemas.errors import IntakeError
from tests.houses.house import Clock
from tests.witness.loghouse import InventedLog, body


def ask(witness: Witness, request: bytes) -> str:
    return witness.add_checkpoint(parse(request))


def refusal(witness: Witness, request: bytes) -> IntakeError:
    with pytest.raises(IntakeError) as caught:
        ask(witness, request)
    return caught.value


def test_a_growing_log_is_signed_and_the_line_verifies(
    witness: Witness, office: Office, log: InventedLog, clock: Clock
) -> None:
    key = office.signer().verifier
    old = 0
    for leaves in (3, 1, 300, 7):
        log.grow(leaves)
        line = ask(witness, log.request(old))
        assert line.startswith("— ")
        assert line.endswith("\n")
        assert line.count("\n") == 1
        (seen,) = checkpoints.cosigned(log.note() + line, [key])
        assert seen.time == int(clock.now.timestamp())
        old = log.size
    shown = witness.last(log.origin)
    assert shown is not None
    assert checkpoints.verify(shown, [log.signer.verifier, key]).size == log.size


def test_the_same_checkpoint_may_be_signed_again(witness: Witness, log: InventedLog) -> None:
    log.grow(5)
    assert ask(witness, log.request(0)) == ask(witness, log.request(5))


def test_who_is_behind_is_told_where_the_witness_is(witness: Witness, log: InventedLog) -> None:
    log.grow(9)
    ask(witness, log.request(0, 6))
    for old in (0, 5):
        refused = refusal(witness, log.request(old))
        assert isinstance(refused, ConflictError)
        assert (refused.status, refused.size) == (409, 6)
    ask(witness, log.request(6))


def test_a_rollback_is_refused_whatever_the_old_size(witness: Witness, log: InventedLog) -> None:
    log.grow(20)
    ask(witness, log.request(0))
    before = witness.last(log.origin)
    assert refusal(witness, log.request(0, 12)).status == 409
    assert refusal(witness, body(20, log.proof(12), log.note(12))).status == 400, "old is beyond the checkpoint"
    assert refusal(witness, body(12, [], log.note(12))).status == 409
    assert witness.last(log.origin) == before


@pytest.mark.parametrize("leaves", [0, 1, 11])
def test_a_fork_is_refused(witness: Witness, log: InventedLog, leaves: int) -> None:
    log.grow(20)
    ask(witness, log.request(0))
    fork = log.forked(13, "other").with_leaves(leaves, "other")
    refused = refusal(witness, fork.request(20))
    assert (refused.status, refused.code) == (422, "not_consistent")
    assert refusal(witness, body(20, log.proof(13, 20), fork.note())).status == 422, "a proof of something else"
    log.grow(2)
    ask(witness, log.request(20))


@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=5), fork_at=st.integers(0, 59), flip=st.integers(0, 255))
def test_any_history_but_its_own_is_refused(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], fork_at: int, flip: int
) -> None:
    office, log = Office(tmp_path_factory.mktemp("w") / "witness"), InventedLog()
    office.create("witness.example.org/any")
    office.trust(log.vkey)
    state = office.state()
    witness = office.witness(state, clock=Clock())
    old = 0
    for leaves in sizes:
        log.grow(leaves)
        ask(witness, log.request(old))
        old = log.size
    fork = log.forked(min(fork_at, log.size - 1), "other").with_leaves(3, "other")
    assert refusal(witness, fork.request(old)).status == 422
    log.grow(4)
    proof = log.proof(old)
    if proof:
        bit = flip % (len(proof) * 256)
        broken = bytearray(b"".join(proof))
        broken[bit // 8] ^= 1 << bit % 8
        wrong = [bytes(broken[at : at + 32]) for at in range(0, len(broken), 32)]
        assert refusal(witness, body(old, wrong, log.note())).status == 422
    for change in (proof[:-1], [*proof, bytes(32)]):
        if change != proof:
            assert refusal(witness, body(old, change, log.note())).status == 422
    ask(witness, log.request(old))
    state.close()


def test_who_is_not_watched_is_not_found(witness: Witness) -> None:
    stranger = InventedLog(origin="log.example.org/stranger").with_leaves(2, "leaf")
    assert refusal(witness, stranger.request(0)).status == 404


def test_a_key_nobody_trusts_is_forbidden(witness: Witness, log: InventedLog) -> None:
    thief = InventedLog(origin=log.origin, seed=b"t" * SEED_SIZE).with_leaves(2, "leaf")
    assert refusal(witness, thief.request(0)).status == 403


def test_a_wrong_signature_of_a_trusted_key_is_forbidden_beside_a_right_one(witness: Witness, log: InventedLog) -> None:
    log.grow(2)
    text, (right,) = notes.parse(log.note())
    wrong = replace(right, value=bytes([right.value[0] ^ 1, *right.value[1:]]))
    assert refusal(witness, body(0, [], notes.assemble(text, [wrong]))).status == 403
    assert refusal(witness, body(0, [], notes.assemble(text, [right, wrong]))).status == 403


def test_signatures_of_strangers_are_neither_believed_nor_kept(witness: Witness, log: InventedLog) -> None:
    log.grow(2)
    stranger = SignerKey(name="elsewhere.example.org", seed=b"s" * SEED_SIZE)
    text, signatures = notes.parse(log.note())
    ask(witness, body(0, [], notes.assemble(text, [stranger.sign(text), *signatures])))
    assert "elsewhere" not in (witness.last(log.origin) or "")


def test_the_empty_log_has_one_root(witness: Witness, log: InventedLog) -> None:
    text = f"{log.origin}\n0\n{base64.b64encode(bytes(32)).decode()}\n"
    assert refusal(witness, body(0, [], notes.sign(text, [log.signer]))).status == 422
    assert log.root(0) == EMPTY_ROOT
    ask(witness, log.request(0))
    log.grow(4)
    assert refusal(witness, body(0, [bytes(32)], log.note())).status == 422, "from nothing there is nothing to prove"
    ask(witness, log.request(0))


@pytest.mark.parametrize(
    "request_",
    [
        b"",
        b"\n",
        b"old 0\n",
        b"old 0\n\n",
        b"old 0\n\nno note\n",
        b"old 00\n\nNOTE",
        b"old -1\n\nNOTE",
        b"old 9223372036854775808\n\nNOTE",
        b"old 1 \n\nNOTE",
        b"new 0\n\nNOTE",
        b"old 0\nAAAA\n\nNOTE",
        b"old 0\n" + base64.b64encode(bytes(32)) + b" \n\nNOTE",
        "old ٠\n\nNOTE".encode(),
        b"old 0\n" + (base64.b64encode(bytes(32)) + b"\n") * 64 + b"\nNOTE",
    ],
)
def test_a_body_that_is_none_is_a_bad_request(witness: Witness, log: InventedLog, request_: bytes) -> None:
    log.grow(3)
    assert refusal(witness, request_.replace(b"NOTE", log.note().encode())).status == 400


def test_a_body_beyond_bounds_is_too_large(witness: Witness, log: InventedLog) -> None:
    assert refusal(witness, log.request(0) + b"x" * MAX_BODY).status == 413


def test_a_clock_that_was_set_back_signs_nothing_earlier(
    witness: Witness, office: Office, log: InventedLog, clock: Clock
) -> None:
    key = office.signer().verifier
    log.grow(1)
    ask(witness, log.request(0))
    began = int(clock.now.timestamp())
    clock.advance(seconds=-200)
    log.grow(1)
    (seen,) = checkpoints.cosigned(log.note() + ask(witness, log.request(1)), [key])
    assert seen.time == began, "a small step back: the last time once more"
    clock.advance(days=-1)
    log.grow(1)
    refused = refusal(witness, log.request(2))
    assert (refused.status, refused.code) == (503, "clock_set_back")
    clock.advance(days=2)
    ask(witness, log.request(2))


def test_several_logs_do_not_disturb_each_other(office: Office, state: State, clock: Clock, log: InventedLog) -> None:
    other = InventedLog(origin="log.example.org/second", seed=b"o" * SEED_SIZE)
    office.trust(other.vkey)
    witness = office.witness(state, clock=clock)
    for each, leaves in ((log, 5), (other, 9)):
        each.grow(leaves)
        ask(witness, each.request(0))
    log.grow(1)
    ask(witness, log.request(5))
    assert [state.last(each.origin).size for each in (log, other)] == [6, 9]  # type: ignore[union-attr]


def test_at_once_only_one_of_two_histories_is_signed(witness: Witness, log: InventedLog) -> None:
    log.grow(30)
    ask(witness, log.request(0, 10))
    forks = [log.forked(10, f"other {number}") for number in range(8)]

    def work(each: InventedLog) -> int:
        try:
            ask(witness, each.request(10))
        except IntakeError as error:
            return error.status
        return 200

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(work, forks))
    assert sorted(answers) == [200, *[409] * 7]
