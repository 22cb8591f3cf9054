"""Words of requests and clocks, as officers read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from schemas.words.vocabulary import Said

CASE_KINDS: Final[Mapping[str, Said]] = {
    "access": Said("access", "доступ"),
    "rectification": Said("rectification", "уточнение"),
    "erasure": Said("erasure", "уничтожение"),
    "objection": Said("objection", "возражение"),
    "restriction": Said("restriction", "ограничение"),
}

CASE_STATES: Final[Mapping[str, Said]] = {
    "open": Said("open", "в работе"),
    "done": Said("done", "исполнен"),
    "refused": Said("refused", "отказано"),
}

CASE_STEPS: Final[Mapping[str, Said]] = {
    "report": Said("write the report", "составить ответ с данными"),
    "correct": Said("put right", "исправить"),
    "propagate": Said("tell recipients what is right", "передать исправление получателям"),
    "withdraw": Said("withdraw consent", "отозвать согласие"),
    "restrict": Said("hold everything", "приостановить обработку"),
    "erase": Said("destroy", "уничтожить"),
    "recipients": Said("wait for recipients", "дождаться получателей"),
    "answer": Said("answer the person", "ответить человеку"),
}

STEP_STATES: Final[Mapping[str, Said]] = {
    "open": Said("to do", "не начат"),
    "waiting": Said("waits", "ждёт"),
    "done": Said("done", "выполнен"),
    "dropped": Said("dropped", "снят"),
}

CLOCK_KINDS: Final[Mapping[str, Said]] = {
    "marketing_stop": Said("stop calls and messages", "прекратить звонки и сообщения"),
    "stop_demand": Said("stop processing", "прекратить обработку"),
    "withdrawal": Said("destroy after withdrawal", "уничтожить после отзыва"),
    "destruction_blocked": Said("destroy what was blocked", "уничтожить заблокированное"),
    "complaint": Said("block under complaint", "блокировать на время проверки"),
    "inaccurate": Said("put right", "уточнить данные"),
    "unlawful_stop": Said("stop what is unlawful", "прекратить неправомерную обработку"),
    "unlawful_destroy": Said("destroy what is unlawful", "уничтожить неправомерно обработанное"),
    "incident_notice": Said("tell the regulator", "уведомить регулятора"),
    "incident_report": Said("report on the incident", "сообщить результаты проверки"),
    "purpose_achieved": Said("destroy, purpose achieved", "уничтожить, цель достигнута"),
    "subject_request": Said("answer a request", "ответить на запрос"),
}

CLOCK_STATES: Final[Mapping[str, Said]] = {
    "overdue": Said("OVERDUE", "ПРОСРОЧЕН"),
    "at_risk": Said("soon", "скоро"),
    "running": Said("runs", "идёт"),
    "met": Said("met", "исполнен"),
    "met_late": Said("met late", "исполнен с опозданием"),
}

CLOCK_SUBJECTS: Final[Mapping[str, Said]] = {
    "withdrawal": Said("withdrawal", "отзыв"),
    "case": Said("request", "запрос"),
    "person": Said("person", "человек"),
    "incident": Said("incident", "инцидент"),
}
