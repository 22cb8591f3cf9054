"""Replay dead letters, after a person has looked. One that died in doubt is replayed only if the person accepts a double."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from leadgate.pipeline.recorder import Recorder
from leadgate.storage import log, outbox
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Transaction
from leadgate.storage.outbox import DeadLetter
from schemas.vocabulary import IN_DOUBT, Event


def find(
    tx: Transaction, *, destination: str | None, delivery_ids: Collection[str] | None, include_doubtful: bool
) -> tuple[list[DeadLetter], list[DeadLetter]]:
    """(letters that would be replayed, letters held back because they may have arrived)."""
    letters = [
        each for each in outbox.dead_letters(tx, destination) if delivery_ids is None or each.delivery_id in delivery_ids
    ]
    held = [each for each in letters if each.reason == IN_DOUBT and not include_doubtful]
    return [each for each in letters if each not in held], held


def apply(tx: Transaction, letters: Collection[DeadLetter], *, now: datetime, actor: str) -> int:
    """Queue the letters again and log who did it. Safe to repeat: only letters that are still dead move."""
    moved = outbox.requeue(tx, [each.delivery_id for each in letters], now=to_micros(now))
    recorder = Recorder(at=now, actor=actor)
    for each in letters:
        if each.delivery_id in moved:
            recorder.note(
                Event.DELIVERY_REPLAYED,
                delivery_id=each.delivery_id,
                lead_id=each.lead_id,
                facts={"destination": each.destination, "reason": each.reason or "none"},
            )
    log.append(tx, recorder.leaves)
    return len(moved)
