"""The sentences of the command line that people read, in both languages; it refuses a sentence in only one.

Words of code (reasons, states) are not here: they stand in ``schemas.words``. What fills a gap is a count, an id, a moment or a
word of ours, never a value of a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from schemas.vocabulary import Language
from schemas.words import Said

PHRASES: Final[Mapping[str, Said]] = {
    # -- balance
    "balance": Said("Balance", "Баланс"),
    "received": Said("received", "получено"),
    "destination": Said("destination", "получатель"),
    "total": Said("total", "всего"),
    "holds": Said("destination holds", "есть у получателя"),
    "closes": Said("The books close.", "Баланс сходится."),
    "open": Said("The books are OPEN.", "Баланс НЕ сходится."),
    "open_undecided": Said(
        "{count} not decided yet: `leadgate admit`, or the DAG leadgate_admit.",
        "Ещё не решено: {count}. Команда `leadgate admit` или DAG leadgate_admit.",
    ),
    "open_underway": Said(
        "{count} deliveries have no final outcome yet: `leadgate dispatch`, or the DAG leadgate_dispatch.",
        "Передач без окончательного исхода: {count}. Команда `leadgate dispatch` или DAG leadgate_dispatch.",
    ),
    "reasons": Said("Reasons", "Причины"),
    "look_quarantine": Said(
        "Quarantined, a person can mend them: {count}. See `leadgate quarantine`.",
        "На разборе, человек может исправить: {count}. Список: `leadgate quarantine --lang ru`.",
    ),
    "look_dead": Said(
        "Dead letters wait for a person: {count}. Fix the cause, then `leadgate replay`.",
        "Передача прекращена, ждёт человека: {count}. Устраните причину, затем `leadgate replay`.",
    ),
    "promise_none": Said(
        "Promise: within {hours:g} h; nothing was accepted yet", "Обещанный срок: {hours:g} ч; принятых ещё нет"
    ),
    "promise_kept": Said(
        "Promise: within {hours:g} h, later than that: {late}; median {median}, 99th percentile {p99}, longest {longest}",
        "Обещанный срок: {hours:g} ч, позже него: {late}; медиана {median}, 99-й перцентиль {p99}, самый долгий {longest}",
    ),
    "log": Said(
        "Log: {sealed} entries under a signature, {pending} wait for the next seal",
        "Журнал: под подписью записей: {sealed}, ждут подписи: {pending}",
    ),
    # -- plan
    "plan_nothing": Said("{destination}: nothing is due", "{destination}: отправлять нечего"),
    "plan_sends": Said(
        "{destination}: {sends} would be sent, calls: {calls}", "{destination}: будет отправлено {sends}, вызовов: {calls}"
    ),
    "plan_fields": Said("  {route} discloses: {fields}", "  {route}, будут переданы поля: {fields}"),
    "plan_stopped": Said("  the gate would stop: {reasons}", "  проверка остановит: {reasons}"),
    "plan_waiting": Said("  not now: {states}", "  не сейчас: {states}"),
    "plan_paused": Said(
        "  PAUSED until {moment}: it failed several times in a row; `leadgate check {destination}` says how it is",
        "  ПАУЗА до {moment}: несколько отказов подряд; как он сейчас, скажет `leadgate check {destination}`",
    ),
    "dry_run": Said(
        "Dry run: nothing was claimed, opened or sent.", "Пробный прогон: ничего не взято в работу, не открыто и не отправлено."
    ),
    # -- quarantine
    "submission": Said("submission", "запись"),
    "source": Said("source", "источник"),
    "event": Said("event", "событие"),
    "received_at": Said("received", "получено"),
    "reason": Said("reason", "причина"),
    "field": Said("field", "поле"),
    "hint": Said("what is wrong", "что не так"),
    "nothing_waits": Said("Nothing waits for a person.", "Разбирать нечего."),
    "listed": Said(
        "only the oldest {shown} are listed; --limit lists more", "показаны только {shown} самых старых; больше покажет --limit"
    ),
    "what_to_do": Said("What to do:", "Что делать:"),
    # -- retention
    "nothing_held": Said("nothing is kept that has a term", "нет ничего, что хранится до срока"),
    "destroyed": Said("{count} destroyed", "Уничтожено: {count}"),
    "dry_retention": Said(
        "Dry run: nothing was destroyed; {count} are due, `--yes` destroys them for good.",
        "Пробный прогон: ничего не уничтожено; подлежит уничтожению: {count}. `--yes` уничтожает безвозвратно.",
    ),
    "next_due": Said("Next due: {moment}", "Ближайший срок: {moment}"),
    # -- people
    "ask_identifier": Said("phone or e-mail (not shown)", "телефон или почта (ввод не виден)"),
    "bad_email": Said("this is no e-mail address", "это не адрес электронной почты"),
    "bad_phone": Said(
        "this is no phone number; write it with + and its country code",
        "это не номер телефона; запишите его с + и кодом страны",
    ),
    "nobody_known": Said("Nobody is known under it.", "Под этими данными никто не известен."),
    "found_person": Said("person {person}", "человек {person}"),
    "found_lead": Said("  lead {lead}", "  лид {lead}"),
    "stopped": Said("Deliveries stopped: {count}.", "Остановлено передач: {count}."),
    "nobody_holds": Said("No recipient holds the data.", "Ни у одного получателя этих данных нет."),
    "erased": Said(
        "Erased: the key of person {person} is destroyed; leads: {leads}, received records: {submissions}, "
        "search entries: {identifiers}.",
        "Уничтожено: ключ человека {person} разрушен; лидов: {leads}, входящих записей: {submissions}, "
        "поисковых записей: {identifiers}.",
    ),
    "erased_before": Said(
        "Nothing to destroy: person {person} was erased before.",
        "Уничтожать нечего: данные человека {person} уничтожены раньше.",
    ),
    "would_erase": Said(
        "Would destroy the key of person {person} for good; leads: {leads}, deliveries to stop: {suppressed}. `--yes` does it.",
        "Ключ человека {person} будет разрушен безвозвратно; лидов: {leads}, "
        "остановится передач: {suppressed}. Выполнить: `--yes`.",
    ),
    "only_they": Said(
        "With the erasure these recipients, who hold a copy, are told to destroy it: {names}.",
        "Вместе с уничтожением получателям, у которых есть копия, направляется требование её уничтожить: {names}.",
    ),
    # -- promise
    "promise_nothing": Said("Nothing waits.", "Ничего не ждёт."),
    "promise_waits": Said(
        "{state}: {kind} {id} waits for {age}; promised within {hours:g} h",
        "{state}: {kind} {id} ждёт {age}; обещано за {hours:g} ч",
    ),
    "kept": Said("kept", "срок соблюдается"),
    "at_risk": Said("AT RISK", "СРОК ПОД УГРОЗОЙ"),
    "broken": Said("BROKEN", "СРОК НАРУШЕН"),
    "kind_submission": Said("submission", "запись"),
    "kind_delivery": Said("delivery", "передача"),
    "promise_submission": Said(
        "It waits for the gate: `leadgate admit`; if that ends without it, look at the DAG leadgate_admit.",
        "Ждёт проверки: `leadgate admit`; если не помогло, смотрите DAG leadgate_admit.",
    ),
    "promise_delivery": Said(
        "It waits for its destination: `leadgate plan` says which is paused, `leadgate check` why.",
        "Ждёт получателя: `leadgate plan` покажет, кто на паузе, `leadgate check` - почему.",
    ),
    # -- verify
    "checkpoint": Said(
        "Log {origin}: checkpoint of {size} entries, root {root}",
        "Журнал {origin}: контрольная точка на {size} записей, корень {root}",
    ),
    "compared": Said(
        "{leaves} entries read, {sealed} under the signature; "
        "compared: {leads} leads ({erased} erased), {deliveries} deliveries, {consents} consents",
        "Прочитано записей: {leaves}, под подписью: {sealed}; "
        "сверено лидов: {leads} (уничтожено: {erased}), передач: {deliveries}, согласий: {consents}",
    ),
    "seen_by": Said("seen by the witnesses {names}", "подтверждена свидетелями: {names}"),
    "pruned_log": Said(
        "entries before {first} were given up by the log and not looked at",
        "записи до {first} журнал больше не показывает, они не проверялись",
    ),
    "found": Said("FOUND", "НАЙДЕНО"),
    "unlisted": Said("and {count} more of the same kinds", "и ещё таких же: {count}"),
    "verified": Said("verified: nothing was found", "проверено: нарушений не найдено"),
    "not_verified": Said(
        "NOT verified: stop and call whoever answers for the log",
        "НЕ подтверждено: остановитесь и сообщите ответственному за журнал",
    ),
}


def phrase(name: str, language: Language, **gaps: object) -> str:
    """One sentence with its gaps filled."""
    return PHRASES[name].in_(language).format(**gaps)
