"""Runs the witness as a process of its own that is killed (SIGKILL) at a chosen moment of its first signature.

Arguments: folder; "before" (it has decided to sign, nothing is on disk) or "after" (it is on disk, nothing is answered).
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from leadgate.witness import Office, State, Witness, create_app, serve
from leadgate.witness.state import Signed


class _Mortal(State):
    fate = ""

    def advance(self, origin: str, judge: Callable[[Signed], Signed]) -> Signed:
        def decided(last: Signed) -> Signed:
            following = judge(last)
            self._end("before")
            return following

        signed = super().advance(origin, decided)
        self._end("after")
        return signed

    def _end(self, moment: str) -> None:
        if self.fate == moment:
            os.kill(os.getpid(), signal.SIGKILL)


def main(folder: str, fate: str) -> None:
    office = Office(Path(folder))
    state = _Mortal(office.folder / "witness.db")
    state.fate = fate
    witness = Witness(state=state, signer=office.signer(), logs=office.logs(), clock=lambda: datetime.now(UTC))

    def started(host: str, port: int) -> None:
        print(f"http://{host}:{port}", flush=True)  # noqa: T201 - how the test learns it

    serve(create_app(witness), "127.0.0.1", 0, on_started=started)


if __name__ == "__main__":
    main(*sys.argv[1:])
