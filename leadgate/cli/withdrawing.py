"""What `leadgate withdraw` says before and after. Names of destinations, purposes and counts; never who it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time

from leadgate.phrases import phrase as of_people
from leadgate.phrases_withdrawals import phrase
from leadgate.pipeline.withdraw import WithdrawalPreview, Withdrawn
from schemas.errors import ConfigurationError
from schemas.vocabulary import Ask, Language

_A_DATE = len("2026-03-02")


def moment_of(text: str, language: Language) -> datetime:
    """When a person said it. A date means its end in UTC, which is later than they said: no newer consent is touched by it, and
    clocks begin with the day after anyway. Raises ConfigurationError.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is not None and len(text) == _A_DATE:
        return min(datetime.combine(moment.date(), time.max, tzinfo=UTC), datetime.now(UTC))
    if moment is None or moment.tzinfo is None:
        raise ConfigurationError("bad_moment", phrase("bad_moment", language), field="--said-at")
    return moment.astimezone(UTC)


def preview_lines(shown: WithdrawalPreview, ways: Mapping[str, frozenset[Ask]], language: Language) -> Iterator[str]:
    """What would happen."""
    if not shown.person_ids:
        yield phrase("would_be_stranger", language)
    else:
        named = ", ".join(sorted({name for name, _ in shown.stops}))
        yield phrase("would_stop", language, count=len(shown.stops), names=f" ({named})" if named else "")
        yield phrase("would_tell" if shown.tells else "would_tell_nobody", language)
        for destination, purpose in shown.tells:
            way = phrase(_way(ways.get(destination, frozenset())), language)
            yield phrase("way", language, destination=destination, purpose=purpose, way=way)
    yield phrase("not_done_yet", language)


def preview_document(shown: WithdrawalPreview, ways: Mapping[str, frozenset[Ask]]) -> dict[str, object]:
    """The same for scripts."""
    return {
        "recorded": False,
        "persons": list(shown.person_ids),
        "stops": [{"destination": name, "purpose": purpose} for name, purpose in shown.stops],
        "tells": [
            {"destination": name, "purpose": purpose, "asks": sorted(ways.get(name, ()), reverse=True)}
            for name, purpose in shown.tells
        ],
    }


def withdrawn_lines(done: Withdrawn, language: Language, *, known: bool) -> Iterator[str]:
    """What happened."""
    yield phrase("recorded", language, withdrawal=done.withdrawal_id, count=done.suppressed)
    if not known:
        yield phrase("was_stranger", language)
    elif done.recipients:
        yield phrase("being_told", language, names=", ".join(done.recipients), withdrawal=done.withdrawal_id)
    else:
        yield of_people("nobody_holds", language)


def _way(asks: frozenset[Ask]) -> str:
    if asks == {Ask.SUPPRESS, Ask.ERASE}:
        return "way_both"
    if not asks:
        return "way_by_hand"
    return "way_suppress" if Ask.SUPPRESS in asks else "way_erase"
