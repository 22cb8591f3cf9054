"""What leaves is k-anonymous and l-diverse, by a slow count and by a library, and as fine as it may be."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from itertools import product

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycanon import anonymity

from consent.anonymize import ANY, COLUMNS, HIERARCHIES, Anonymized, Person, Places, anonymize
from schemas.errors import ConfigurationError

DAY = date(2026, 6, 1)
PLACES = {"RU": {"Northland": ("Sampleton", "Nowhere Bay"), "Southland": ("Fictionville",)}}


def person(**changes: object) -> Person:
    plain = Person("lada", DAY, "Sampleton", "Northland", "RU", "vk", "ru", "price")
    return plain._replace(**changes)  # type: ignore[arg-type]


PEOPLE = st.builds(
    Person,
    brand=st.sampled_from(["lada", "s7"]),
    day=st.integers(0, 80).map(lambda days: DAY + timedelta(days=days)),
    city=st.sampled_from(["Sampleton", "Fictionville", None]),
    region=st.sampled_from(["Northland", "Southland", None]),
    country=st.sampled_from(["RU", "BY"]),
    channel=st.sampled_from(["vk", "facebook"]),
    language=st.sampled_from(["ru", "en"]),
    topic=st.sampled_from(["price", "service", "test_drive"]),
)


def measured(made: Anonymized) -> tuple[int, int]:
    """(k, l) by pycanon."""
    table = pd.DataFrame(list(made.rows), columns=list(COLUMNS))
    return anonymity.k_anonymity(table, list(HIERARCHIES)), anonymity.l_diversity(table, list(HIERARCHIES), ["topic"])


@settings(max_examples=40)
@given(st.lists(PEOPLE, max_size=60), st.integers(2, 6), st.integers(1, 3), st.sampled_from([0.0, 0.1, 1.0]))
def test_every_row_is_alike_to_k_minus_1_others(people: list[Person], k: int, diversity: int, suppress: float) -> None:
    try:
        made = anonymize(people, k=k, l_diversity=diversity, suppress=suppress)
    except ConfigurationError:
        return  # too few; ``test_no_finer_node_would_do`` says when that is right
    groups = Counter(row[:-1] for row in made.rows)
    assert min(groups.values()) >= k
    assert all(len({row[-1] for row in made.rows if row[:-1] == group}) >= diversity for group in groups)
    assert made.people == len(people) == len(made.rows) + made.suppressed
    assert made.suppressed <= suppress * len(people)
    k_reached, l_reached = measured(made)
    assert k_reached >= k
    assert l_reached >= diversity


@settings(max_examples=30)
@given(st.lists(PEOPLE, min_size=4, max_size=30))
def test_no_finer_node_would_do(people: list[Person]) -> None:
    """Against a slow reference: every node of the lattice, one by one."""
    try:
        made = anonymize(people, k=3, l_diversity=1, suppress=0.2)
    except ConfigurationError:
        made = None
    losses = []
    for node in product(*(range(len(levels)) for levels in HIERARCHIES.values())):
        forced = _at(people, node)
        groups = Counter(row[:-1] for row in forced)
        rows = sum(size for size in groups.values() if size >= 3)
        if rows and len(people) - rows <= 0.2 * len(people):
            losses.append((_loss(node) * rows + len(people) - rows) / len(people))
    assert (made is None) == (not losses)
    if made is not None:
        node = tuple(HIERARCHIES[name].index(level) for name, level in made.levels.items())
        mine = (_loss(node) * len(made.rows) + made.suppressed) / len(people)
        assert mine == pytest.approx(min(losses))


def _loss(node: tuple[int, ...]) -> float:
    return sum(level / (len(levels) - 1) for level, levels in zip(node, HIERARCHIES.values(), strict=True)) / len(node)


def _at(people: list[Person], node: tuple[int, ...]) -> list[tuple[str, ...]]:
    """Written anew, on purpose."""
    rows = []
    for each in people:
        monday = each.day - timedelta(days=each.day.weekday())
        time = (each.day.isoformat(), monday.isoformat() + "/P7D", each.day.isoformat()[:7], "*")[node[1]]
        place = (
            f"{each.country}/{each.region or '*'}/{each.city or '*'}",
            f"{each.country}/{each.region or '*'}",
            each.country,
            "*",
        )[node[2]]
        brand, channel, language = (
            "*" if level else word for level, word in ((node[0], each.brand), (node[3], each.channel), (node[4], each.language))
        )
        rows.append((brand, time, place, channel, language, each.topic))
    return rows


def test_levels_read_as_declared() -> None:
    alike = [person(topic=topic) for topic in ("price", "service")] * 5
    made = anonymize(alike, k=10, l_diversity=2, suppress=0)
    assert made.rows[0] == ("lada", "2026-06-01", "RU/Northland/Sampleton", "vk", "ru", "price")
    assert set(made.levels.values()) == {"brand", "day", "city", "channel", "language"}
    spread = [each._replace(day=DAY + timedelta(days=at)) for at, each in enumerate(alike)]
    assert {row[1] for row in anonymize(spread, k=10, l_diversity=2, suppress=0).rows} == {"2026-06"}
    week = [each._replace(day=DAY + timedelta(days=at % 7)) for at, each in enumerate(alike)]
    assert {row[1] for row in anonymize(week, k=10, l_diversity=2, suppress=0).rows} == {"2026-06-01/P7D"}


def test_one_rare_person_is_left_out_rather_than_all_made_coarse() -> None:
    people = [person(topic=topic) for topic in ("price", "service")] * 50 + [person(country="BY", city=None, region=None)]
    made = anonymize(people, k=10, l_diversity=2, suppress=0.05)
    assert (made.suppressed, made.levels["place"]) == (1, "city")
    assert anonymize(people, k=10, l_diversity=2, suppress=0).levels["place"] == "any"


def test_a_group_that_asks_one_thing_is_too_telling() -> None:
    people = [person()] * 50
    with pytest.raises(ConfigurationError, match="too_few_people"):
        anonymize(people, k=10, l_diversity=2, suppress=0)
    assert anonymize(people, k=10, l_diversity=1, suppress=0).classes == 1


def test_too_few_people_give_no_file() -> None:
    for people in ([], [person()] * 9):
        with pytest.raises(ConfigurationError, match="too_few_people"):
            anonymize(people, k=10, l_diversity=1, suppress=1.0)


def test_the_same_people_give_the_same_file() -> None:
    people = [person(day=DAY + timedelta(days=at % 9), topic=("price", "service")[at % 2]) for at in range(60)]
    assert anonymize(people, k=5, l_diversity=2, suppress=0.1) == anonymize(people[::-1], k=5, l_diversity=2, suppress=0.1)


def test_only_declared_places_have_a_name() -> None:
    places = Places(PLACES)
    assert places.find("RU", " sampleton ", "anything") == ("Sampleton", "Northland")
    assert places.find("RU", "my flat, Sampleton", "SOUTHLAND") == (None, "Southland")
    assert places.find("RU", "call +79000000001", None) == (None, None)
    assert places.find("BY", "Sampleton", "Northland") == (None, None)
    made = anonymize([person(city=None)] * 10, k=10, l_diversity=1, suppress=0)
    assert {row[2] for row in made.rows} == {f"RU/Northland/{ANY}"}
