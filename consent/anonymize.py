"""Refuses to call anything anonymous that is not: figures leave only if every row is alike to k - 1 others, or not at all.

Anonymized means here: one row a person, every column generalised by a declared hierarchy, no id, no free text, no contact, and

1. k-anonymity: each combination of columns that could single somebody out (quasi-identifiers) is shared by at least k people;
2. l-diversity: each such class holds at least l different topics, so that being in it says little about what was asked;
3. what cannot be made so is suppressed: the row is left out, and counted.

The search is optimal: full-domain generalisation (one level a column, for all rows) over the whole lattice of levels, which is
small, taking the node that loses least. Loss of a row is the mean, over its columns, of level / height; a suppressed row loses
1. Ties go to the node that comes first, so that the same rows always give the same file.

Pseudonymized rows (leads under random ids) are personal data and never come here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import product
from typing import Final, NamedTuple

from schemas.errors import ConfigurationError

#: What stands where a column says nothing.
ANY: Final = "*"
METHOD: Final = "full_domain_generalisation.suppression.optimal"
#: Quasi-identifiers, in the order of the file, and the names of their levels from the finest to none.
HIERARCHIES: Final[Mapping[str, tuple[str, ...]]] = {
    "brand": ("brand", "any"),
    "time": ("day", "week", "month", "any"),
    "place": ("city", "region", "country", "any"),
    "channel": ("channel", "any"),
    "language": ("language", "any"),
}
#: What is protected by diversity.
SENSITIVE: Final = "topic"
COLUMNS: Final = (*HIERARCHIES, SENSITIVE)


class Person(NamedTuple):
    """What may be counted of one person: the newest request. ``city`` and ``region`` are declared names or None."""

    brand: str
    day: date
    city: str | None
    region: str | None
    country: str
    channel: str
    language: str
    topic: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Anonymized:
    """Rows in the order of ``COLUMNS``, sorted, and how they were made. ``levels`` maps a column to the name of its level."""

    rows: tuple[tuple[str, ...], ...]
    levels: Mapping[str, str]
    people: int
    suppressed: int
    classes: int
    k: int
    l_diversity: int


class Places:
    """Cities and regions that may be named. What people typed and nobody declared is no place: it could be anything."""

    def __init__(self, declared: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
        self._regions = {country: {each.casefold(): each for each in regions} for country, regions in declared.items()}
        self._cities = {
            country: {city.casefold(): (city, region) for region, cities in regions.items() for city in cities}
            for country, regions in declared.items()
        }

    def find(self, country: str, city: str | None, region: str | None) -> tuple[str | None, str | None]:
        """(city, region) as they are declared; the region of a declared city wins over what was typed beside it."""
        known = self._cities.get(country, {}).get((city or "").strip().casefold())
        if known is not None:
            return known
        return None, self._regions.get(country, {}).get((region or "").strip().casefold())


def anonymize(people: Iterable[Person], *, k: int, l_diversity: int, suppress: float) -> Anonymized:
    """The file's rows. Raises ConfigurationError if there are too few people for any of it.

    ``suppress`` is the share of people that may be left out before values are made coarser.
    """
    counts = Counter(people)  # people who look alike at the finest level are handled together
    total = sum(counts.values())
    best: tuple[float, tuple[int, ...], set[tuple[str, ...]]] | None = None
    for node in product(*(range(len(levels)) for levels in HIERARCHIES.values())):
        loss = sum(level / (len(levels) - 1) for level, levels in zip(node, HIERARCHIES.values(), strict=True)) / len(node)
        if best is not None and loss >= best[0]:
            continue  # even with nothing suppressed it loses more
        kept = _kept(counts, node, k=k, l_diversity=l_diversity)
        rows = sum(size for size, _ in kept.values())
        if not rows or total - rows > suppress * total:
            continue
        whole = (loss * rows + (total - rows)) / total
        if best is None or whole < best[0]:
            best = (whole, node, set(kept))
    if best is None:
        raise ConfigurationError(
            "too_few_people", f"{total} people cannot be made alike in groups of {k}; export more, or nothing", field="--k"
        )
    return _anonymized(counts, best[1], best[2], k=k, l_diversity=l_diversity, total=total)


def _kept(
    counts: Mapping[Person, int], node: tuple[int, ...], *, k: int, l_diversity: int
) -> dict[tuple[str, ...], tuple[int, int]]:
    """The classes that are large and various enough: (people, topics)."""
    sizes: Counter[tuple[str, ...]] = Counter()
    topics: dict[tuple[str, ...], set[str]] = {}
    for person, count in counts.items():
        group = _generalised(person, node)
        sizes[group] += count
        topics.setdefault(group, set()).add(person.topic)
    return {
        group: (size, len(topics[group])) for group, size in sizes.items() if size >= k and len(topics[group]) >= l_diversity
    }


def _anonymized(
    counts: Mapping[Person, int], node: tuple[int, ...], kept: set[tuple[str, ...]], *, k: int, l_diversity: int, total: int
) -> Anonymized:
    rows = sorted(
        (*group, person.topic)
        for person, count in counts.items()
        if (group := _generalised(person, node)) in kept
        for _ in range(count)
    )
    return Anonymized(
        rows=tuple(rows),
        levels={name: levels[level] for (name, levels), level in zip(HIERARCHIES.items(), node, strict=True)},
        people=total,
        suppressed=total - len(rows),
        classes=len(kept),
        k=k,
        l_diversity=l_diversity,
    )


def _generalised(person: Person, node: tuple[int, ...]) -> tuple[str, ...]:
    brand, time, place, channel, language = node
    return (
        ANY if brand else person.brand,
        _time(person.day, time),
        _place(person, place),
        ANY if channel else person.channel,
        ANY if language else person.language,
    )


def _time(day: date, level: int) -> str:
    if level == 0:
        return day.isoformat()
    if level == 1:
        return f"{day - timedelta(days=day.weekday()):%Y-%m-%d}/P7D"
    return f"{day:%Y-%m}" if level == 2 else ANY  # noqa: PLR2004 - the third of HIERARCHIES["time"]


def _place(person: Person, level: int) -> str:
    """Country, region and city joined; a level that is not known is said as such and never borrowed from another."""
    if level == len(HIERARCHIES["place"]) - 1:
        return ANY
    parts = (person.country, person.region or ANY, person.city or ANY)
    return "/".join(parts[: 3 - level])
