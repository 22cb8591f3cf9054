"""What `leadgate keys` and `leadgate export analytics` say, in both languages; it refuses a sentence in only one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from schemas.words import Said

KEY_PHRASES: Final[Mapping[str, Said]] = {
    "version": Said("version", "версия"),
    "state": Said("state", "состояние"),
    "persons": Said("people's keys", "ключи людей"),
    "submissions": Said("other keys", "другие ключи"),
    "indexes": Said("search indexes", "поисковые индексы"),
    "current": Said("current", "действующая"),
    "old": Said("old", "старая"),
    "announced": Said("announced", "объявлена"),
    "gone": Said("destroyed", "уничтожена"),
    "counting": Said("counting ...", "подсчёт ..."),
    "rewrapping": Said("wrapping anew ... {count}", "переупаковка ... {count}"),
    "reindexing": Said("indexing anew ... {count} people", "пересчёт индексов ... людей: {count}"),
    "layered": Said(
        "{count} indexes are layered: their value is known to nobody any more (people who only withdrew).",
        "Наслоённых индексов: {count}. Их значение больше никому не известно (люди, которые только отозвали согласие).",
    ),
    "unfinished": Said(
        "A rotation was interrupted: `leadgate keys rotate --yes` goes on with it.",
        "Ротация прервана: `leadgate keys rotate --yes` продолжит её.",
    ),
    "next_rewrap": Said(
        "{count} rows hang on old versions: `leadgate keys rewrap --yes`, then `leadgate keys reindex --yes`.",
        "Строк на старых версиях: {count}. Выполните `leadgate keys rewrap --yes`, затем `leadgate keys reindex --yes`.",
    ),
    "next_drop": Said(
        "Nothing hangs on version {version}: `leadgate keys drop {version}` would destroy it.",
        "На версии {version} ничего не осталось: `leadgate keys drop {version}` может её уничтожить.",
    ),
    "would_rotate": Said(
        "version {new} would become current instead of {current}; --yes does it",
        "версия {new} стала бы действующей вместо {current}; --yes выполнит",
    ),
    "rotated": Said(
        "version {current} is current (was {before}); now run `leadgate keys rewrap --yes`",
        "действует версия {current} (была {before}); теперь выполните `leadgate keys rewrap --yes`",
    ),
    "would_rewrap": Said(
        "{keys} keys would be wrapped anew; --yes does it",
        "было бы переупаковано ключей: {keys}; --yes выполнит",
    ),
    "rewrapped": Said(
        "{count} keys wrapped anew; rows left on old versions: {left_over}",
        "переупаковано ключей: {count}; строк на старых версиях осталось: {left_over}",
    ),
    "broken": Said(
        "{count} keys can never be opened: somebody changed them, or their version is gone; their rows hold the version back",
        "не открываются ключи: {count}. Их изменили, или их версии больше нет; эти строки не дают уничтожить версию",
    ),
    "would_reindex": Said(
        "{identifier} indexes would be made anew; --yes does it", "были бы пересчитаны индексы: {identifier}; --yes выполнит"
    ),
    "reindexed": Said(
        "people: {people}; indexes made anew: {reindexed}, layered: {layered}; leads that did not open: {unreadable}",
        "людей: {people}; индексов пересчитано: {reindexed}, наслоено: {layered}; лидов не открылось: {unreadable}",
    ),
    "would_drop": Said(
        "version {version} would be destroyed for ever; nothing hangs on it; --yes does it",
        "версия {version} была бы уничтожена навсегда; на ней ничего не осталось; --yes выполнит",
    ),
    "dropped": Said("version {version} is destroyed", "версия {version} уничтожена"),
}

ANALYTICS_PHRASES: Final[Mapping[str, Said]] = {
    "working": Said("counting people ...", "подсчёт ..."),
    "figures": Said(
        "{rows} rows of {people} people in {classes} groups; {suppressed} left out, their groups were too small",
        "строк: {rows} из {people} человек, групп: {classes}; не вошло из-за малых групп: {suppressed}",
    ),
    "would": Said(
        "would write {rows} rows of {people} people in {classes} groups; {suppressed} left out; --out FILE does it",
        "было бы строк: {rows} из {people} человек, групп: {classes}; не вошло бы: {suppressed}; --out FILE выполнит",
    ),
    "levels": Said("as coarse as needed: {levels}", "степень обобщения: {levels}"),
    "measured": Said(
        "pycanon measured k = {k_reached} (asked {k}) and l = {l_reached} (asked {l_diversity})",
        "pycanon измерил k = {k_reached} (задано {k}) и l = {l_reached} (задано {l_diversity})",
    ),
}
