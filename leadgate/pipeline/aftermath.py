"""Who else must learn of a destruction, in the destroying transaction: recipients, legal clocks, consents.

A consent whose data are gone is *terminated*: nobody can rely on it again, and whoever asks for its standing at a later
moment is told so. The leaf of it is that of the destruction itself, one for each lead.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from consent.retention import Why
from leadgate.pipeline import clocks, telling
from leadgate.pipeline.recorder import Recorder
from leadgate.storage import consents, log
from leadgate.storage.clock import to_micros
from leadgate.storage.destruction import Destruction
from leadgate.storage.engine import Transaction
from leadgate.storage.ids import new_ids
from schemas.clocks import ClockKind
from schemas.consent_event import ConsentEvent, ConsentOrigin, ConsentState

#: Clocks about a person that destruction meets; those of a withdrawal ask for the recipients as well (``telling``).
_MET: Final = frozenset({ClockKind.PURPOSE_ACHIEVED, ClockKind.UNLAWFUL_DESTROY, ClockKind.DESTRUCTION_BLOCKED})
_RULES: Final = frozenset(Why)


def after_destruction(tx: Transaction, done: Sequence[Destruction], now: datetime) -> None:
    """Run by the eraser; everything here commits with the key's destruction or not at all."""
    telling.after_erasure(tx, done, now)
    _terminate(tx, done, now)
    recorder = Recorder(at=now)
    clocks.meet(tx, recorder, about=[each.person_id for each in done], now=now, kinds=_MET, outcome="destroyed")
    log.append(tx, recorder.leaves)


def _terminate(tx: Transaction, done: Sequence[Destruction], now: datetime) -> None:
    by_person = {each.person_id: each for each in done}
    rows = tx.rows_in("select person_id, consent_id from lead where person_id in :values order by lead_id", list(by_person))
    ids = new_ids(len(rows), to_micros(now))
    consents.add_events(
        tx,
        [
            ConsentEvent(
                event_id=event_id,
                person_id=person_id,
                consent_id=consent_id,
                state=ConsentState.TERMINATED,
                event_time=now,
                recorded_at=now,
                origin=ConsentOrigin.RULE if by_person[person_id].reason in _RULES else ConsentOrigin.OFFICER,
                actor=by_person[person_id].actor,
                facts={"reason": by_person[person_id].reason},
            )
            for event_id, (person_id, consent_id) in zip(ids, rows, strict=True)
        ],
    )
