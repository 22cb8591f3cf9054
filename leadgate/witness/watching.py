"""Decides whether to sign a checkpoint, in the order of C2SP tlog-witness. Refuses first, remembers second, answers last.

    1. the log is one that this witness watches                                                   else 404
    2. a key trusted for that log signed, and no trusted key's signature is wrong                  else 403
    3. the checkpoint is one, and ``old`` is not beyond it                                         else 400 (422: size zero)
    4. ``old`` is the size of the last checkpoint it signed                                       else 409, with that size
    5. same size, same root; else the proof shows that the log only grew                            else 422
    6. the clock has not gone back behind the last signature                                       else 503
    7. what is signed now is on disk; then the signature is answered                                200

4 to 7 are one exclusive transaction of the state file. A witness that dies between 7's two halves signed something nobody
received: the next request is told the new size (409), asks again from there, and is given a signature for the same root.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from consent.audit import checkpoint as checkpoints
from consent.audit import head
from consent.audit import note as notes
from consent.audit.cosignature import LOG_KINDS
from consent.audit.head import TreeHead
from consent.audit.merkle import verify_consistency
from consent.audit.note import SignerKey, VerifierKey
from leadgate.witness.request import AddCheckpoint
from leadgate.witness.state import Signed, State
from schemas.errors import AuditError, IntakeError

#: Seconds a clock may be set back without a person looking. Less is NTP at work: the last time is used again.
_SET_BACK: Final = 300


class ConflictError(IntakeError):
    """The caller is not where this witness is; ``size`` is."""

    def __init__(self, size: int) -> None:
        super().__init__("conflict", "the last checkpoint signed here has another size", status=409)
        self.size = size


class Witness:
    """The logs it watches, what it remembers of them, and its key."""

    def __init__(
        self,
        *,
        state: State,
        signer: SignerKey,
        logs: Mapping[str, Sequence[VerifierKey]],
        clock: Callable[[], datetime],
    ) -> None:
        """``logs`` maps an origin to the keys trusted for it."""
        self._state = state
        self._signer = signer
        self._logs = logs
        self._clock = clock

    def add_checkpoint(self, request: AddCheckpoint) -> str:
        """The signature line, after it was kept. Raises IntakeError with the status to answer."""
        said, note = self._verified(request)
        signed = self._state.advance(said.origin, lambda last: self._following(last, request, said, note))
        text, signatures = notes.parse(signed.note)
        mine = [each for each in signatures if each.key_id == self._signer.verifier.key_id]
        return notes.assemble(text, mine).removeprefix(f"{text}\n")

    def last(self, origin: str) -> str | None:
        """The last checkpoint it signed of a log, with its signature and the log's."""
        signed = self._state.last(origin) if origin in self._logs else None
        return signed.note if signed else None

    @property
    def origins(self) -> Sequence[str]:
        """The logs it watches."""
        return list(self._logs)

    def _verified(self, request: AddCheckpoint) -> tuple[TreeHead, str]:
        """What the checkpoint says (1 to 3), and its note with only the signatures that were verified."""
        trusted = self._logs.get(request.origin)
        if trusted is None:
            raise IntakeError("unknown_log", "this witness does not watch that log", status=404)
        try:
            signed = notes.verify_signatures(request.text, request.signatures, trusted)
        except AuditError as error:
            raise IntakeError(error.code, error.message, status=403) from None
        if not any(key.kind in LOG_KINDS for key in signed):
            raise IntakeError("unknown_key", "no trusted key of that log signed", status=403)
        try:
            said = head.read(request.text)
        except AuditError as error:
            empty = request.text.split("\n")[1:2] == ["0"]
            raise IntakeError(error.code, error.message, status=422 if empty else 400) from None
        if request.old > said.size:
            raise IntakeError("old_beyond", "the old size is larger than the checkpoint's", status=400)
        known = {(key.name, key.key_id) for key in signed}
        kept = [each for each in request.signatures if (each.name, each.key_id) in known]
        return said, notes.assemble(request.text, kept)

    def _following(self, last: Signed, request: AddCheckpoint, said: TreeHead, note: str) -> Signed:
        if request.old != last.size:
            raise ConflictError(last.size)
        if not _extends(last, said, request.proof):
            raise IntakeError("not_consistent", "this is not the log that was signed here before, grown", status=422)
        time = self._time(last)
        cosigned = checkpoints.joined(note, [checkpoints.cosign(note, self._signer, time=time)])
        return Signed(size=said.size, root=said.root, note=cosigned, cosigned_at=time)

    def _time(self, last: Signed) -> int:
        """POSIX seconds. A signature says "the largest tree I have seen until now": an earlier time would deny the last one."""
        now = int(self._clock().timestamp())
        if now < last.cosigned_at - _SET_BACK:
            raise IntakeError("clock_set_back", "the witness's clock is behind its own last signature", status=503)
        return max(now, last.cosigned_at)


def _extends(last: Signed, said: TreeHead, proof: Sequence[bytes]) -> bool:
    if last.size == 0:  # nothing was known of the log but that it existed: any tree is consistent with the empty one
        return not proof
    return verify_consistency(size1=last.size, root1=last.root, size2=said.size, root2=said.root, proof=proof)
