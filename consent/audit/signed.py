"""Decides which checkpoints may be believed. Refuses to let one that is damaged, foreign or unwitnessed pass without a word.

The rules are those of ``checkpoint`` (a key of the log itself signed, every known signature is right) and ``policy`` (the
quorum has seen it); here they become findings with a place and an advice: a verification tells everything that is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from consent.audit import checkpoint as checkpoints
from consent.audit.findings import Collector
from consent.audit.history import Statement
from consent.audit.note import VerifierKey
from consent.audit.policy import Policy
from schemas.audit import Checkpoint
from schemas.errors import AuditError

_PROBLEM: Final = {
    "unknown_key": "checkpoint_foreign_key",
    "bad_signature": "checkpoint_bad_signature",
    "wrong_origin": "checkpoint_wrong_origin",
}
_ADVICE: Final = {
    "checkpoint_foreign_key": "Somebody else signed it, or the verifier key given is not this log's: compare both keys",
    "checkpoint_bad_signature": "It was changed after it was signed: take this checkpoint from another copy and compare",
    "checkpoint_wrong_origin": "It belongs to another log: find out how it came here",
    "checkpoint_damaged": "It is cut or was changed: take this checkpoint from another copy and compare",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whom the auditor believes: keys of the log, and a policy with its witnesses if there is one."""

    keys: tuple[VerifierKey, ...]
    policy: Policy | None
    max_age: int | None  # seconds
    now: datetime

    @classmethod
    def of(
        cls, vkeys: Sequence[VerifierKey | str], *, policy: Policy | None, max_age: int | None = None, now: datetime
    ) -> Trust:
        """Raises AuditError for keys that cannot be used, and if there is none."""
        given = [VerifierKey.parse(key) if isinstance(key, str) else key for key in vkeys]
        keys = dict.fromkeys((*given, *(policy.log_keys if policy else ())))
        if not keys:
            raise AuditError("no_key", "nothing can be verified without the log's public key", field="vkeys")
        return cls(keys=tuple(keys), policy=policy, max_age=max_age, now=now)

    def read(self, note: str | bytes, place: str, found: Collector) -> Checkpoint | None:
        """A checkpoint that a known key of the log signed; else a finding. A known witness's wrong signature is one too."""
        try:
            checkpoint = checkpoints.verify(note, self.keys)
            if self.policy is not None:  # apart, so that a witness whose name is the origin cannot speak for the log
                checkpoints.cosigned(note, self.policy.witness_keys)
        except AuditError as error:
            code = _PROBLEM.get(error.code, "checkpoint_damaged")
            found.add(code, place=_placed(note, place), problem=error.message, advice=_ADVICE[code])
            return None
        return checkpoint

    def seen(self, signed: Sequence[tuple[Checkpoint, str]], found: Collector) -> tuple[str, ...]:
        """The witnesses of the newest of these checkpoints; a finding if they are no quorum."""
        if self.policy is None or not signed:
            return ()
        newest_first = sorted(signed, key=lambda each: each[0].size, reverse=True)
        judged = (self.policy.judge(each.note, keys=self.keys, now=self._now, max_age=self.max_age) for each, _ in newest_first)
        newest = next(judged)
        if not newest.ok:
            seen = next((each.checkpoint.size for each in judged if each.ok), 0)
            found.add(
                "quorum_missing",
                place=newest_first[0][1],
                problem=f"{newest.reason}; the largest log that the quorum has seen here has {seen} leaves",
                advice="Let the witnesses sign it (leadgate log publish), or ask them why they do not",
            )
        return tuple(sorted(newest.seen))

    def kept(self, trusted: Checkpoint, *, newest: int, found: Collector) -> Statement | None:
        """The auditor's own checkpoint; it is read again from its note, and must be of the same log."""
        place = f"checkpoint you kept, of size {trusted.size}"
        kept = self.read(trusted.note, "the one you kept", found)
        if kept is None:
            return None
        if newest < kept.size:
            found.add(
                "log_rolled_back",
                place=place,
                problem=f"the newest signed checkpoint is of size {newest}: the log was shortened, or an old copy was given",
                advice="Ask for an export of today; if there is none, the log was rolled back",
            )
        return Statement.of(kept, place=place, kept=True)

    @property
    def _now(self) -> int:
        return int(self.now.timestamp())


def damaged(place: str, problem: str, found: Collector) -> None:
    """A checkpoint that is not what it should be."""
    found.add("checkpoint_damaged", place=place, problem=problem, advice=_ADVICE["checkpoint_damaged"])


def nothing_signed(place: str, found: Collector) -> None:
    """No checkpoint can be believed."""
    found.add(
        "nothing_signed",
        place=place,
        problem="no checkpoint is signed by a known key, so nothing here is proven",
        advice="Get the log's verifier key from its owner by another way, or seal the log and export again",
    )


def _placed(note: str | bytes, place: str) -> str:
    try:
        return f"checkpoint of size {checkpoints.parse(note).size} ({place})"
    except AuditError:
        return f"checkpoint in {place}"
