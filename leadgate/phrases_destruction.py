"""The sentences about destruction, holds and restored backups, in both languages (see ``leadgate.phrases``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from schemas.vocabulary import Language
from schemas.words import Said

PHRASES: Final[Mapping[str, Said]] = {
    # -- holds
    "hold_set": Said(
        "Held: nothing of person {person} is destroyed until the hold {hold} is lifted{until}.",
        "Уничтожение приостановлено: данные человека {person} сохраняются, пока не снята приостановка {hold}{until}.",
    ),
    "hold_until": Said(" or {moment} has passed", " или не наступит {moment}"),
    "hold_lifted": Said(
        "Lifted: person {person} is destroyed when it is due.",
        "Приостановка снята: данные человека {person} будут уничтожены в срок.",
    ),
    "no_holds": Said("Nothing is held back.", "Ничего не приостановлено."),
    "hold": Said("hold", "приостановка"),
    "person": Said("person", "человек"),
    "reason": Said("reason", "причина"),
    "since": Said("since", "с"),
    "until": Said("until", "до"),
    "by": Said("by", "кто"),
    "open_end": Said("lifted", "снятия"),
    "held_back": Said(
        "REFUSED: person {person} is under a legal hold ({reasons}). Nothing was destroyed; `leadgate hold list` shows it.",
        "ОТКАЗАНО: уничтожение данных человека {person} приостановлено ({reasons}). Ничего не уничтожено; список: "
        "`leadgate hold list`.",
    ),
    # -- retention, one by one
    "what": Said("what", "что"),
    "why": Said("why", "почему"),
    "due": Said("due", "срок"),
    "id": Said("id", "номер"),
    "purpose": Said("purpose", "цель"),
    "not_listed": Said("and {count} more; --limit lists more", "и ещё {count}; больше покажет --limit"),
    # -- restore
    "list_proven": Said(
        "Shred list: {listed} lines, every one proven; this ledger has carried out {carried_out}.",
        "Список уничтоженных: строк {listed}, каждая подтверждена; в этой базе исполнено {carried_out}.",
    ),
    "list_kept_up": Said("Nobody who was destroyed is in this ledger.", "Никого из уничтоженных в этой базе нет."),
    "list_behind": Said(
        "THIS LEDGER COMES FROM A BACKUP: people who were destroyed and are in it again: {alive}. Nothing works on it until"
        " `leadgate restore replay --actor REF --yes` has destroyed them once more.",
        "ЭТА БАЗА ИЗ РЕЗЕРВНОЙ КОПИИ: уничтоженные ранее люди снова в ней: {alive}. Работа с ней невозможна, пока "
        "`leadgate restore replay --actor REF --yes` не уничтожит их данные повторно.",
    ),
    "would_replay": Said(
        "Dry run: {alive} people would be destroyed again for good. `--yes` does it.",
        "Пробный прогон: данные {alive} чел. будут уничтожены повторно и безвозвратно. Выполнить: `--yes`.",
    ),
    "replayed": Said(
        "Destroyed again: {destroyed}; deliveries stopped: {suppressed}. The log says so.",
        "Уничтожено повторно: {destroyed}; остановлено передач: {suppressed}. Это записано в журнале.",
    ),
    "log_went_back": Said(
        "THE LOG WENT BACK: {kept_size} leaves were published and {log_size} are here. Nothing is signed until they are taken"
        " back: docs/erasure.md says how.",
        "ЖУРНАЛ ОТКАТИЛСЯ: опубликовано записей {kept_size}, здесь {log_size}. Подписи не ставятся, пока записи не "
        "возвращены: порядок описан в docs/erasure.ru.md.",
    ),
    "would_take_up": Said(
        "Dry run: {missing} withdrawals stand in the log and not in this ledger. `--yes` takes them up.",
        "Пробный прогон: отзывов, записанных в журнале и отсутствующих в этой базе: {missing}. Выполнить: `--yes`.",
    ),
    "taken_up": Said(
        "Withdrawals taken up: {taken_up}; deliveries stopped: {suppressed}.",
        "Отзывов восстановлено: {taken_up}; остановлено передач: {suppressed}.",
    ),
    "withdrawals_unknown": Said(
        "{count} more are of people whom this ledger does not know: ask the sources to send them again.",
        "Ещё {count} касаются людей, которых нет в этой базе: попросите источники прислать их снова.",
    ),
    # -- acts
    "ask_destroyer": Said(
        "surname and initials of whoever answers for the destruction", "фамилия и инициалы лица, уничтожившего данные"
    ),
    "ask_subject": Said(
        "name of the person the data were about, or other words that identify them (empty: the random id only)",
        "ФИО субъекта или иная относящаяся к нему информация (пусто: только случайный идентификатор)",
    ),
    "act_written": Said(
        "Act {act}: {files}. Sign it. It is kept until {until}; the log has its digest.",
        "Акт {act}: {files}. Подпишите его. Срок хранения до {until}; отпечаток занесён в журнал.",
    ),
    "act_says_recipients": Said(
        "The act names recipients that have not destroyed their copy: {names}.",
        "В акте названы получатели, не уничтожившие свою копию: {names}.",
    ),
}


def phrase(name: str, language: Language, **gaps: object) -> str:
    """One sentence with its gaps filled."""
    return PHRASES[name].in_(language).format(**gaps)
