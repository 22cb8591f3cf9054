"""What became of one claim of tellings: a row and a leaf for each, whatever the vendor said or did not say. It calls nobody."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from integrations.contract.vendor_words import ABSENT
from leadgate.pipeline import telling
from leadgate.pipeline.recorder import Recorder
from leadgate.storage.clock import to_micros
from leadgate.storage.recipients import Telling
from schemas.delivery import DeliveryReceipt
from schemas.errors import DeliveryError, TerminalError, TransientError
from schemas.policy import DeliveryRules
from schemas.vocabulary import Ask, Event, Outcome, TellingState

#: What the ledger keeps of a vendor's code, in characters.
_CODE_LENGTH: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class TellCount:
    """What one run came to: settled tellings by what became of them; ``late`` were somebody else's by then."""

    suppressed: int = 0
    erased: int = 0
    not_held: int = 0
    deferred: int = 0
    failed: int = 0
    by_hand: int = 0
    late: int = 0

    def __add__(self, other: TellCount) -> TellCount:
        mine, theirs = asdict(self), asdict(other)
        return TellCount(**{name: mine[name] + theirs[name] for name in mine})

    def as_dict(self) -> dict[str, int]:
        """Counts for XCom and the console."""
        return asdict(self)


class _Settled(NamedTuple):
    """A row as it is to be written, the leaf that says so, and the word it is counted under."""

    row: Telling
    event: Event | None
    counted: str


class Told:
    """Collects what one claim comes to, and what the calls teach about the destination."""

    def __init__(self, *, rules: DeliveryRules, can_erase: bool, failures: int, clock: Callable[[], datetime]) -> None:
        self._rules = rules
        self._can_erase = can_erase
        self._clock = clock
        self._settled: list[_Settled] = []
        self.failures = failures  # outages in a row
        self.code: str | None = None  # of the last call, if it failed
        self.stop: DeliveryError | None = None  # why no more is asked for now
        self.rest = False  # the rate limit gives us no turn within this lease
        self.pause_until: datetime | None = None
        self.succeeded = False

    @property
    def rows(self) -> list[Telling]:
        """Every row, as it is to be written."""
        return [each.row for each in self._settled]

    @property
    def called(self) -> bool:
        """Whether the destination was asked anything."""
        return self.succeeded or self.code is not None

    def open_until(self, now: datetime) -> datetime | None:
        """Until when the destination is left alone, if it is."""
        if self.failures < self._rules.breaker_failures:
            return self.pause_until
        doubled: timedelta = self._rules.breaker_pause * 2 ** min(self.failures - self._rules.breaker_failures, 20)
        return now + min(doubled, self._rules.backoff_cap)

    def leaves(self, mine: set[str], recorder: Recorder) -> None:
        """The leaves of the rows that were still ours."""
        for row, event, _ in self._settled:
            if event is not None and row.delivery_id in mine:
                telling.note(recorder, row, event=event)

    def count(self, mine: set[str]) -> TellCount:
        """What was written; the rest is late."""
        ended = Counter(counted for row, _, counted in self._settled if counted and row.delivery_id in mine)
        return TellCount(late=len(self._settled) - len(mine), **ended)

    # -- what a call came to -----------------------------------------------------------------------------------------------

    def answered(self, rows: Sequence[Telling], receipts: Sequence[DeliveryReceipt], what: Ask) -> None:
        """What the answer says of each record."""
        self.failures, self.code, self.succeeded = 0, None, True
        for each, receipt in zip(rows, receipts, strict=True):
            self._read(each, receipt, what)

    def failed(self, rows: Sequence[Telling], error: DeliveryError) -> None:
        """The call as a whole failed."""
        self.stop, self.code = error, error.code
        if isinstance(error, TerminalError):
            # open at once, and longer each time: what needs a person must not turn a run red twice a minute all night
            self.failures = max(self._rules.breaker_failures, self.failures + 1)
            self.give_back(rows, code=error.code)
            return
        throttled = isinstance(error, TransientError) and error.throttled
        pause = error.retry_after if isinstance(error, TransientError) else None
        self.failures += 0 if throttled else 1
        if throttled and pause:
            self.pause_until = self._clock() + timedelta(seconds=pause)
        self._put_off(rows, error.code, retry_after=pause)

    def give_back(self, rows: Iterable[Telling], *, code: str | None = None) -> None:
        """Not asked: due again as if it had not been claimed."""
        now = to_micros(self._clock())
        for each in rows:
            again = each._replace(not_before=now, attempt=each.attempt - 1, code=code or each.code)
            self._settled.append(_Settled(again, None, ""))

    def end(self, each: Telling, state: TellingState, *, code: str | None = None) -> None:
        """Nothing more happens to it by itself."""
        ended = each._replace(state=state.value, not_before=None, code=code, decided_at=to_micros(self._clock()))
        self._settled.append(_Settled(ended, telling.EVENTS[state], state.value))

    def _read(self, each: Telling, receipt: DeliveryReceipt, what: Ask) -> None:
        moment = to_micros(self._clock())
        code = receipt.code[:_CODE_LENGTH] if receipt.code else None
        if receipt.outcome is Outcome.REJECTED:
            self.end(each, TellingState.FAILED, code=code or "refused")
        elif receipt.outcome is not Outcome.ACCEPTED:
            self._put_off([each], code or receipt.outcome.value, retry_after=receipt.retry_after)
        elif receipt.code == ABSENT and each.suppressed_at is None:
            self.end(each, TellingState.NOT_HELD, code=ABSENT)
        elif what is Ask.ERASE:  # absent: what it stopped using a moment ago is gone, so it destroyed the record itself
            self.end(each._replace(erased_at=moment), TellingState.ERASED, code=code)
        elif each.wants == Ask.ERASE and self._can_erase:
            stopped = each._replace(suppressed_at=moment, attempt=0, not_before=moment, code=None)
            row = stopped._replace(state=TellingState.SUPPRESSED.value)
            self._settled.append(_Settled(row, Event.RECIPIENT_SUPPRESSED, TellingState.SUPPRESSED.value))
        else:
            self.end(
                each._replace(suppressed_at=moment),
                TellingState.SUPPRESSED,
                code="cannot_erase" if each.wants == Ask.ERASE else None,
            )

    def _put_off(self, rows: Iterable[Telling], code: str, *, retry_after: float | None = None) -> None:
        for each in rows:
            ceiling = min(self._rules.backoff_cap, self._rules.backoff_base * 2 ** min(each.attempt, 20))
            pause = ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
            if retry_after:
                pause = max(pause, timedelta(seconds=retry_after))
            later = each._replace(not_before=to_micros(self._clock() + pause), code=code[:_CODE_LENGTH])
            self._settled.append(_Settled(later, Event.RECIPIENT_DEFERRED, "deferred"))
