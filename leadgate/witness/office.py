"""The witness's folder: its key, the logs it watches, its memory. Refuses to overwrite any of them.

witness.key    the secret, mode 0600: whoever has it signs in this witness's name
witness.pub    the line to give to logs and auditors
logs.txt       a C2SP tlog-policy: one 'log <vkey>' line for each key of each log it watches, and 'quorum none'
witness.db     the last checkpoint it signed of each log. Back it up; never copy it to a second running witness
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

from consent.audit.cosignature import Kind
from consent.audit.note import SEED_SIZE, SignerKey, VerifierKey
from consent.audit.policy import Policy
from leadgate.witness.state import State
from leadgate.witness.watching import Witness
from schemas.errors import AuditError, ConfigurationError

_HEAD: Final = """\
# The logs this witness watches: one line for each key of a log. Compare a key with the log's owner by telephone or on paper
# before you add it. 'quorum none' stays: a witness asks nobody else.
quorum none
"""


class Office:
    """One witness's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs_file = folder / "logs.txt"
        self._key_file = folder / "witness.key"
        self._state_file = folder / "witness.db"

    def create(self, name: str, *, post_quantum: bool = False) -> VerifierKey:
        """Make the folder, a key and an empty memory. Raises ConfigurationError if there is a witness already."""
        if self._key_file.exists() or self._state_file.exists():
            raise ConfigurationError(
                "witness_exists", "there is a witness in this folder already; nothing was changed", field="--folder"
            )
        signer = SignerKey(
            name=name, seed=os.urandom(SEED_SIZE), kind=Kind.ML_DSA_44 if post_quantum else Kind.ED25519_COSIGNATURE
        )
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        State.create(self._state_file)
        if not self.logs_file.exists():
            _write(self.logs_file, _HEAD, mode=0o644)
        _write(self.folder / "witness.pub", f"{signer.verifier}\n", mode=0o644)
        _write(self._key_file, f"{signer.line()}\n", mode=0o600)
        _sync(self.folder)
        return signer.verifier

    def trust(self, line: str) -> VerifierKey:
        """Watch a log from the next start on. Saying it twice changes nothing."""
        key = VerifierKey.parse(line)
        if key in {known for keys in self.logs().values() for known in keys}:
            return key
        before = self.logs_file.read_text(encoding="utf-8")
        after = f"log {key}\n{before}"
        Policy.parse(after)
        part = self.logs_file.with_suffix(".part")
        part.unlink(missing_ok=True)
        _write(part, after, mode=0o644)
        part.replace(self.logs_file)
        _sync(self.folder)
        return key

    def logs(self) -> dict[str, tuple[VerifierKey, ...]]:
        """Origin -> the keys trusted for it. Raises ConfigurationError naming the line that cannot be read."""
        try:
            policy = Policy.parse(self.logs_file.read_bytes())
        except OSError:
            raise ConfigurationError(
                "no_witness", "there is no witness in this folder; make one with 'leadgate witness init'", field="--folder"
            ) from None
        except AuditError as error:
            raise ConfigurationError(error.code, error.message, field=self.logs_file.name) from None
        by_origin: dict[str, list[VerifierKey]] = {}
        for key in policy.log_keys:
            by_origin.setdefault(key.name, []).append(key)
        return {origin: tuple(keys) for origin, keys in by_origin.items()}

    def signer(self) -> SignerKey:
        """The witness's own key."""
        try:
            return SignerKey.parse(self._key_file.read_text(encoding="utf-8"))
        except OSError:
            raise ConfigurationError(
                "no_witness", "there is no witness in this folder; make one with 'leadgate witness init'", field="--folder"
            ) from None
        except (AuditError, UnicodeDecodeError):
            raise ConfigurationError(
                "witness_key_damaged", "the key file is damaged: restore it from a backup", field=self._key_file.name
            ) from None

    def state(self) -> State:
        """The memory, which must be there."""
        return State(self._state_file)

    def witness(self, state: State, *, clock: Callable[[], datetime]) -> Witness:
        """The witness, ready to be asked."""
        return Witness(state=state, signer=self.signer(), logs=self.logs(), clock=clock)


def _write(path: Path, text: str, *, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
