"""How the log stands, in both languages. It refuses to sound calm when nobody vouches for the log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from leadgate.pipeline.cosign import ALARMS
from leadgate.pipeline.log_status import LogStatus, WitnessStatus
from schemas.vocabulary import Language
from schemas.words import Said

_SAID: Final[Mapping[str, Said]] = {
    "log": Said(
        "Log {origin}: {size} entries sealed, {pending} waiting; last checkpoint {when}",
        "Журнал {origin}: записей под подписью {size}, ждут {pending}; последняя контрольная точка {when}",
    ),
    "published": Said("Published: {size} entries, {when}", "Опубликовано записей: {size}, {when}"),
    "behind": Said(
        "  BEHIND by {count}: `leadgate log publish` says why", "  ОТСТАЁТ на {count}: причину покажет `leadgate log publish`"
    ),
    "pruned": Said("  entries before {size} are not published any more", "  записи до номера {size} больше не публикуются"),
    "no_witness": Said(
        "No witness is configured: nobody but you vouches for this log (docs/witness.md).",
        "Свидетелей нет: за этот журнал не ручается никто, кроме вас (docs/witness.ru.md).",
    ),
    "vouched": Said(
        "Witnessed: {size} of {total} entries, by {needed} of {count} witnesses or more",
        "Заверено свидетелями: {size} из {total} записей; нужно не менее {needed} из {count}",
    ),
    "witness": Said("  {name}: cosigned {size} entries, {when}", "  {name}: заверено записей {size}, {when}"),
    "silent": Said("    did not cosign {asked}: {why}", "    не заверил {asked}: {why}"),
    "alarm": Said("    STOP: {why}", "    СТОП: {why}"),
    "never": Said("never", "никогда"),
    "ago": Said("{age} ago", "{age} назад"),
    "quorum_missing": Said(
        "Work goes on; no proof and no evidence leaves the house until enough witnesses have signed.",
        "Работа продолжается; доказательства не выдаются, пока не заверит достаточно свидетелей.",
    ),
}

#: Why a witness did not cosign.
_WHY: Final[Mapping[str, Said]] = {
    "not_consistent": Said(
        "it says that this log does not continue the one it signed before. Change nothing and call whoever answers for the log",
        "он сообщает, что журнал не продолжает заверенный им ранее. Ничего не меняйте и сообщите ответственному за журнал",
    ),
    "witness_ahead": Said(
        "it has signed more entries than this log has: the ledger is an old copy (`leadgate log recover`), "
        "or entries were removed",
        "он заверил больше записей, чем есть в журнале: база восстановлена из старой копии (`leadgate log recover`), "
        "или записи удалены",
    ),
    "unreachable": Said("nothing listens at its address", "по его адресу никто не отвечает"),
    "no_answer_in_time": Said("it did not answer in time", "не ответил вовремя"),
    "key_not_trusted": Said("it does not know this log's key", "ключ этого журнала ему неизвестен"),
    "log_not_watched": Said(
        "it does not watch this log: `leadgate witness trust KEY` over there",
        "он не следит за этим журналом: у него нужна команда `leadgate witness trust KEY`",
    ),
    "wrong_signature": Said("its signature is wrong", "подпись неверна"),
    "not_signed_by_its_key": Said(
        "another key signed than the one in leadgate.yaml", "подписано не тем ключом, что указан в leadgate.yaml"
    ),
    "clocks_differ": Said("its clock is ahead of ours: compare both", "его часы впереди наших: сверьте часы"),
    "busy": Said("it cannot sign now: its operator must look", "сейчас не может заверить: нужен его администратор"),
}
_UNUSABLE: Final = Said("its answer is not one of a witness", "ответ не похож на ответ свидетеля")

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def status_lines(status: LogStatus, lang: str) -> Iterator[str]:
    """How the log stands; what to do stands under what is wrong."""
    language = Language(lang)
    yield _say(
        "log",
        language,
        origin=status.origin,
        size=status.tree_size,
        pending=status.pending,
        when=_when(status.signed_at, status.at, language),
    )
    yield _say("published", language, size=status.published, when=_when(status.published_at, status.at, language))
    if status.published < status.tree_size:
        yield _say("behind", language, count=status.tree_size - status.published)
    if status.minimum_index:
        yield _say("pruned", language, size=status.minimum_index)
    if not status.witnesses:
        yield _say("no_witness", language)
        return
    yield _say(
        "vouched",
        language,
        size=min(status.vouched, status.tree_size),
        total=status.tree_size,
        needed=status.quorum_needed,
        count=len(status.witnesses),
    )
    for each in status.witnesses:
        yield _say("witness", language, name=each.name, size=each.size, when=_when(each.cosigned_at, status.at, language))
        if each.code:
            yield _refusal(each, status.at, language)
    if not status.quorum:
        yield _say("quorum_missing", language)


def _refusal(each: WitnessStatus, now: datetime, language: Language) -> str:
    why = _WHY.get(each.code or "", _UNUSABLE).in_(language)
    return _say("alarm" if each.code in ALARMS else "silent", language, why=why, asked=_when(each.asked_at, now, language))


def _say(sentence: str, language: Language, /, **gaps: object) -> str:
    return _SAID[sentence].in_(language).format(**gaps)


def _when(moment: datetime | None, now: datetime, language: Language) -> str:
    if moment is None:
        return _say("never", language)
    seconds = max(int((now - moment).total_seconds()), 0)
    day, hour, minute, second = ("д", "ч", "мин", "с") if language is Language.RU else ("d", "h", "min", "s")
    for size, unit in ((_DAY, day), (_HOUR, hour), (_MINUTE, minute)):
        if seconds >= size:
            return _say("ago", language, age=f"{seconds // size} {unit}")
    return _say("ago", language, age=f"{seconds} {second}")
