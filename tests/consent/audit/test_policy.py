"""The trust policy: read as C2SP tlog-policy says, refused with the line, and answered with who is missing."""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.audit import checkpoint, note
from consent.audit.cosignature import Kind
from consent.audit.note import SignerKey
from consent.audit.policy import Policy
from schemas.errors import AuditError

ORIGIN = "audit.example.org/leadgate"
NOW = 1_790_000_000
LOG = SignerKey(name=ORIGIN, seed=b"\x01" * 32)
LOG_PQ = SignerKey(name=ORIGIN, seed=b"\x01" * 32, kind=Kind.ML_DSA_44)
WITNESSES = {
    f"{side}{number}": SignerKey(
        name=f"{side}{number}.example.org",
        seed=sha256(f"{side}{number}".encode()).digest(),
        kind=Kind.ML_DSA_44 if number == 3 else Kind.ED25519_COSIGNATURE,
    )
    for side in "xy"
    for number in (1, 2, 3)
}
SIGNED = checkpoint.sign(size=3, root=sha256(b"root").digest(), signers=[LOG, LOG_PQ], time=NOW).note
LINES = [
    f"log {LOG.verifier}",
    *(f"witness {name} {key.verifier}" for name, key in WITNESSES.items()),
    "group xs 2 x1 x2 x3",
    "group ys any y1 y2 y3",
    "group both all xs ys",
    "quorum both",
]


def text(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


POLICY = Policy.parse(text(*LINES))


def seen_by(*names: str, time: int = NOW, on: str = SIGNED) -> str:
    return checkpoint.joined(on, [checkpoint.cosign(on, WITNESSES[name], time=time) for name in names])


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (
            (),
            ["group both needs 2 of 2 and has 0", "group xs needs 2 of 3 and has 0", "group ys needs 1 of 3", "seen by nobody"],
        ),
        (("x1", "y1"), ["group both needs 2 of 2 and has 1", "group xs needs 2 of 3 and has 1, missing are x2, x3"]),
        (("x1", "x2"), ["group ys needs 1 of 3 and has 0, missing are y1, y2, y3", "seen by x1, x2"]),
        (("x1", "x3", "y3"), []),
        (("x1", "x2", "x3", "y1", "y2", "y3"), []),
    ],
)
def test_a_quorum_of_groups(names: tuple[str, ...], missing: list[str]) -> None:
    held = seen_by(*names)
    judged = POLICY.judge(held)
    assert judged.ok == (not missing)
    assert judged.checkpoint.size == 3
    assert dict(judged.seen) == dict.fromkeys(names, NOW)
    assert POLICY.met_by(names) == judged.ok
    for words in missing:
        assert words in judged.reason
    if missing:
        with pytest.raises(AuditError) as caught:
            POLICY.require(held)
        assert caught.value.code == "missing_quorum"
    else:
        assert POLICY.require(held) == judged


def test_one_witness_or_none_can_be_the_quorum() -> None:
    one = Policy.parse(text(LINES[0], LINES[1], "quorum x1"))
    assert "witness x1 is missing" in one.judge(SIGNED).reason
    assert one.judge(seen_by("x1")).ok
    assert not one.judge(seen_by("x2")).ok
    assert Policy.parse(text(LINES[0], "quorum none")).judge(SIGNED).ok


def test_freshness_is_an_option() -> None:
    held = seen_by("x1", "x2", "y1", time=NOW - 3600)
    assert POLICY.judge(held).ok
    assert POLICY.judge(held, now=NOW).ok
    assert POLICY.judge(held, now=NOW, max_age=3600).ok
    late = POLICY.judge(held, now=NOW, max_age=3599)
    assert not late.ok
    assert "x1 does not count: it saw the checkpoint too long ago" in late.reason
    fresh = seen_by("x1", "x2", on=held)
    assert "missing are y1" in POLICY.judge(fresh, now=NOW, max_age=600).reason
    assert "in the future" in POLICY.judge(held, now=NOW - 7200).reason
    untimed = checkpoint.joined(SIGNED, [WITNESSES["x3"].sign(note.parse(SIGNED)[0])])
    assert "does not say when" in POLICY.judge(untimed, now=NOW, max_age=600).reason


def code_of(held: str, **named: object) -> str:
    with pytest.raises(AuditError) as caught:
        POLICY.judge(held, **named)  # type: ignore[arg-type]
    return caught.value.code


def test_a_wrong_signature_is_an_error_and_no_missing_quorum() -> None:
    held = seen_by("x1", "x2", "y1")
    assert code_of(held.replace("\n3\n", "\n4\n")) == "bad_signature"
    other = checkpoint.sign(size=3, root=sha256(b"other").digest(), signers=[LOG]).note
    lifted = checkpoint.joined(other, [checkpoint.cosign(SIGNED, WITNESSES["y2"], time=NOW)])
    assert code_of(lifted) == "bad_signature"
    stranger = SignerKey(name=ORIGIN, seed=b"\x09" * 32)
    assert code_of(checkpoint.sign(size=3, root=b"r" * 32, signers=[stranger]).note) == "unknown_key"
    far = SignerKey(name="far.example.org", seed=b"\x09" * 32)
    text_of_ours = note.parse(SIGNED)[0]
    away = note.sign(text_of_ours, [far])
    assert code_of(away, keys=[far.verifier]) == "wrong_origin"


def test_a_policy_without_logs_takes_the_keys_it_is_given() -> None:
    none = Policy.parse(text("quorum none"))
    with pytest.raises(AuditError):
        none.judge(SIGNED)
    assert none.judge(SIGNED, keys=[LOG_PQ.verifier]).ok
    assert POLICY.judge(seen_by("x1", "x2", "y1"), keys=[LOG.verifier, LOG_PQ.verifier]).ok


@pytest.mark.parametrize(
    ("lines", "number", "why"),
    [
        (["log"], 1, "words that belong"),
        (["quorum none", "quorum none"], 2, "one quorum line"),
        (["quorum x1"], 1, "no line before it defines"),
        ([LINES[1], "group g all x1 x1", "quorum g"], 2, "count twice"),
        ([LINES[1], LINES[2], "group g any x1", "group h any x1 x2", "quorum h"], 4, "count twice"),
        ([LINES[1], "group g 2 x1", "quorum g"], 2, "threshold"),
        ([LINES[1], "group g 0 x1", "quorum g"], 2, "threshold"),
        ([LINES[1], "group g 01 x1", "quorum g"], 2, "threshold"),
        ([LINES[1], "group g any", "quorum g"], 2, "words that belong"),
        ([LINES[1], "group g any none", "quorum g"], 2, "no line before it defines"),
        ([LINES[1], "group none any x1"], 2, "is taken"),
        ([LINES[1], LINES[1]], 2, "is taken"),
        ([LINES[1], LINES[1].replace(" x1 ", " again ")], 2, "same public key"),
        ([LINES[0], LINES[0]], 2, "same public key"),
        ([f"log {WITNESSES['x1'].verifier}"], 1, "witness's"),
        ([f"witness w {LOG.verifier}"], 1, "log's"),
        ([LINES[0][:-1]], 1, ""),
        (["log \x00"], 1, "control character"),
        (["quorum none\r"], 1, "control character"),
        (["", "# no quorum", "nonsense"], 3, "words that belong"),
        ([LINES[0] + " https://example.org more"], 1, "words that belong"),
    ],
)
def test_a_line_that_is_wrong_is_named(lines: list[str], number: int, why: str) -> None:
    with pytest.raises(AuditError) as caught:
        Policy.parse(text(*lines))
    assert caught.value.code == "bad_policy"
    assert f"line {number}:" in caught.value.message
    assert why in caught.value.message


def test_what_is_no_whole_policy_is_refused() -> None:
    for raw in ("", text(*LINES[:-1]), text(*LINES)[:-1], "#" * 2_000_000):
        with pytest.raises(AuditError) as caught:
            Policy.parse(raw)
        assert caught.value.code == "bad_policy"


def test_comments_blanks_urls_and_names_outside_ascii_are_read() -> None:
    raw = (
        b"\t# Zeugen\n\n \t \n  log\t" + str(LOG.verifier).encode() + b"  https://audit.example.org/leadgate \n"
        b"witness \xff\xfe " + str(WITNESSES["x1"].verifier).encode() + b" https://w.example.org/\xd0\xb6\n"
        b"witness K " + str(WITNESSES["x2"].verifier).encode() + b"\n"
        b"witness \xe2\x84\xaa " + str(WITNESSES["y1"].verifier).encode() + b"\n"
        b"group g 3 K \xe2\x84\xaa \xff\xfe\nquorum g\n"
    )
    policy = Policy.parse(raw)
    assert policy.logs[0].url == "https://audit.example.org/leadgate"
    assert len(policy.witnesses) == 3
    assert policy.judge(seen_by("x1", "x2", "y1")).ok


def test_thirty_two_of_each_and_more_are_read() -> None:
    many = [SignerKey(name=f"w{n}.example.org", seed=bytes([n]) * 32, kind=Kind.ED25519_COSIGNATURE) for n in range(1, 65)]
    logs = [SignerKey(name=f"l{n}.example.org", seed=bytes([n]) * 32) for n in range(1, 65)]
    lines = [f"log {log.verifier}" for log in logs]
    lines += [f"witness w{n} {key.verifier}" for n, key in enumerate(many)]
    lines += ["group g0 any w0", *(f"group g{n} all g{n - 1} w{n}" for n in range(1, 64)), "quorum g63"]
    assert len(Policy.parse(text(*lines)).groups) == 64


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_parse_or_be_refused(raw: bytes) -> None:
    with suppress(AuditError):
        Policy.parse(raw + b"\nquorum none\n")
