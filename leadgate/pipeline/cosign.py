"""Asks witnesses to cosign the newest checkpoint. Refuses to wait, to believe, and to fail for them.

    1. each witness is told which size it signed last, as far as we know (C2SP tlog-witness); never within a transaction
    2. one that answers 409 is somewhere else: it is asked again with the proof from the size it names
    3. a signature line counts if it is by the witness's key, over this checkpoint, and not of the future
    4. what counted is kept beside the checkpoint; how each witness answered is kept too, and shown

A witness is somebody else's machine: it may be off, slow, hostile. Its answer is bounded in time and size as a whole, not
followed elsewhere and not unpacked; nothing of it but a verified line is kept. Ingestion goes on without witnesses (marked);
evidence does not leave the house without a quorum (``proofs``). Two answers are no outage but an accusation: that our
checkpoint does not extend what it signed, and that it signed more than our whole log. They are told apart (``ALARMS``).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import httpx

from consent.audit import checkpoint as checkpoints
from consent.audit import note as notes
from consent.audit.merkle import MAX_SIZE
from consent.audit.note import VerifierKey
from consent.audit.policy import SKEW
from consent.audit.vkey import b64
from leadgate.pipeline.hashes import Hashes
from leadgate.storage import log, witness
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Ledger
from leadgate.storage.log import StoredCheckpoint
from leadgate.storage.witness import Cosigned, WitnessRow
from schemas.errors import AuditError

#: Somebody must look at once: the witness says that ours is not the log it saw, or that it saw more of it than we have.
ALARMS: Final = frozenset({"not_consistent", "witness_ahead"})

#: Bytes of an answer: a few post-quantum signature lines.
_MOST: Final = 65_536
#: Questions to one witness in one run: where are you, here is the proof, and once more if it moved meanwhile.
_ROUNDS: Final = 3
#: A cosignature older than this is renewed, though nothing new was sealed: it also says "nothing larger until now".
_FRESH: Final = timedelta(hours=1)
_SIZE: Final = re.compile(rb"(0|[1-9][0-9]{0,18})\n")
_SECOND: Final = 1_000_000
#: What a status means where nothing more is known of it.
_CODES: Final = {400: "bad_request", 403: "key_not_trusted", 404: "log_not_watched", 422: "not_consistent", 503: "busy"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A witness as we know it: our name for it, where it is asked, and its key."""

    name: str
    url: str
    key: VerifierKey


@dataclass(frozen=True, slots=True, kw_only=True)
class CosignCount:
    """``asked`` witnesses; ``cosigned`` of them have signed the newest checkpoint, ``alarms`` accuse the log."""

    tree_size: int = 0
    witnesses: int = 0
    asked: int = 0
    cosigned: int = 0
    alarms: int = 0
    quorum: bool = True

    def as_dict(self) -> dict[str, int | bool]:
        """Counts for XCom and the console."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What one question to one witness came to. Exactly one of the three says something."""

    line: str = ""
    at: int = 0  # POSIX seconds, as the line states
    elsewhere: int | None = None  # the size the witness signed last
    code: str = ""


class Gatherer:
    """Asks all witnesses at once; each has ``patience`` seconds for each answer."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        parties: Sequence[Party],
        met_by: Callable[[Sequence[str]], bool],
        clock: Callable[[], datetime],
        patience: float,
    ) -> None:
        self._ledger = ledger
        self._parties = parties
        self._met_by = met_by
        self._clock = clock
        self._patience = patience

    def run(self) -> CosignCount:
        """Gather what is missing under the newest checkpoint. Never raises for anything a witness does."""
        with self._ledger.snapshot() as tx:
            newest = log.last_checkpoint(tx)
            known = witness.witnesses(tx)
            kept = witness.cosignatures(tx, least=newest.tree_size) if newest else []
        if newest is None or newest.tree_size == 0 or not self._parties:
            return CosignCount(witnesses=len(self._parties), quorum=self._met_by(()))
        fresh = to_micros(self._clock() - _FRESH)
        have = {each.witness for each in kept if each.tree_size == newest.tree_size}
        recent = {each.witness for each in kept if each.tree_size == newest.tree_size and each.received_at > fresh}
        missing = [party for party in self._parties if party.key.name not in recent]
        answers = self._ask(missing, newest, {name: row.tree_size for name, row in known.items()}) if missing else {}
        self._keep(newest, answers, known)
        cosigned = have | {name for name, answer in answers.items() if answer.line}
        signed_by = [party.name for party in self._parties if party.key.name in cosigned]
        return CosignCount(
            tree_size=newest.tree_size,
            witnesses=len(self._parties),
            asked=len(missing),
            cosigned=len(signed_by),
            alarms=sum(answer.code in ALARMS for answer in answers.values()),
            quorum=self._met_by(signed_by),
        )

    def _ask(self, parties: Sequence[Party], newest: StoredCheckpoint, sizes: Mapping[str, int]) -> dict[str, _Answer]:
        """The last answer of each, by the name of its key."""
        at = {party.key.name: min(sizes.get(party.key.name, 0), newest.tree_size) for party in parties}
        answers: dict[str, _Answer] = {}
        asking = list(parties)
        for _ in range(_ROUNDS):
            with self._ledger.snapshot() as tx:
                proofs = Hashes(tx).consistency((size for size in at.values() if size), newest.tree_size)
            bodies = [_body(at[party.key.name], proofs.get(at[party.key.name], []), newest.note) for party in asking]
            answers.update(zip((party.key.name for party in asking), self._post(asking, bodies, newest.note), strict=True))
            for party in asking:
                answer = answers[party.key.name]
                if answer.elsewhere is not None and answer.elsewhere > newest.tree_size:
                    answers[party.key.name] = replace(answer, elsewhere=None, code="witness_ahead")
                elif answer.elsewhere is not None:
                    at[party.key.name] = answer.elsewhere
            asking = [party for party in asking if answers[party.key.name].elsewhere is not None]
            if not asking:
                break
        return answers

    def _post(self, parties: Sequence[Party], bodies: Sequence[bytes], note: str) -> list[_Answer]:
        return asyncio.run(self._together(parties, bodies, note))

    async def _together(self, parties: Sequence[Party], bodies: Sequence[bytes], note: str) -> list[_Answer]:
        questions = (self._one(party, body, note) for party, body in zip(parties, bodies, strict=True))
        return list(await asyncio.gather(*questions))

    async def _one(self, party: Party, body: bytes, note: str) -> _Answer:
        """One question. Whatever the other side does, it is over after ``patience`` seconds."""
        try:
            async with (
                asyncio.timeout(self._patience),
                httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=self._patience) as client,
                client.stream(
                    "POST",
                    f"{party.url.rstrip('/')}/add-checkpoint",
                    content=body,
                    headers={"accept-encoding": "identity", "content-type": "text/plain; charset=utf-8"},
                ) as response,
            ):
                answer = bytearray()
                async for piece in response.aiter_raw():
                    answer += piece
                    if len(answer) > _MOST:
                        return _Answer(code="answer_too_large")
                return self._understood(party.key, response.status_code, bytes(answer), note)
        except (TimeoutError, httpx.TimeoutException):
            return _Answer(code="no_answer_in_time")
        except httpx.ConnectError:
            return _Answer(code="unreachable")
        except Exception:  # noqa: BLE001 - a stranger's bytes: whatever they break, it is this witness that did not answer
            return _Answer(code="unusable_answer")

    def _understood(self, key: VerifierKey, status: int, answer: bytes, note: str) -> _Answer:
        if status == httpx.codes.CONFLICT:
            size = _SIZE.fullmatch(answer)
            return _Answer(elsewhere=int(size[1])) if size and int(size[1]) <= MAX_SIZE else _Answer(code="unusable_answer")
        if status != httpx.codes.OK:
            return _Answer(code=_CODES.get(status, "redirected" if httpx.codes.is_redirect(status) else "unusable_answer"))
        try:
            text, signatures = notes.parse(notes.parse(note)[0].encode() + b"\n" + answer)
            mine = [each for each in signatures if (each.name, each.key_id) == (key.name, key.key_id)]
            seen = checkpoints.cosigned(notes.assemble(text, mine), [key]) if mine else ()
        except AuditError as error:
            return _Answer(code="wrong_signature" if error.code == "bad_signature" else "unusable_answer")
        if not seen:
            return _Answer(code="not_signed_by_its_key")
        if seen[0].time == 0 or seen[0].time > int(self._clock().timestamp()) + SKEW:
            return _Answer(code="clocks_differ")
        latest = [each for each in mine if checkpoints.cosigned(notes.assemble(text, [each]), [key])[0].time == seen[0].time]
        return _Answer(line=_line(latest[0].name, latest[0].key_id + latest[0].value), at=seen[0].time)

    def _keep(self, newest: StoredCheckpoint, answers: Mapping[str, _Answer], known: Mapping[str, WitnessRow]) -> None:
        if not answers:
            return
        now = to_micros(self._clock())
        rows = [_row(name, answer, known.get(name), newest.tree_size, now) for name, answer in answers.items()]
        lines = [
            Cosigned(
                tree_size=newest.tree_size,
                witness=name,
                line=answer.line,
                cosigned_at=answer.at * _SECOND,
                received_at=now,
            )
            for name, answer in answers.items()
            if answer.line
        ]
        with self._ledger.transaction() as tx:
            witness.keep_cosignatures(tx, lines)
            witness.keep_witnesses(tx, rows)


def _row(name: str, answer: _Answer, before: WitnessRow | None, size: int, now: int) -> WitnessRow:
    old = before or WitnessRow(name=name, tree_size=0, asked_at=now, answered_at=None, failures=0, code=None)
    if answer.line:
        return replace(old, tree_size=size, asked_at=now, answered_at=now, failures=0, code=None)
    code = answer.code or "keeps_moving"  # it named another size each time it was asked
    return replace(
        old,
        tree_size=answer.elsewhere if answer.elsewhere is not None else old.tree_size,
        asked_at=now,
        failures=old.failures + 1,
        code=code,
    )


def _body(old: int, proof: Sequence[bytes], note: str) -> bytes:
    return "\n".join([f"old {old}", *map(b64, proof), "", note]).encode()


def _line(name: str, raw: bytes) -> str:
    return f"— {name} {b64(raw)}\n"
