"""The sentences of `leadgate request` and `leadgate clocks` in both languages; never a value of a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from schemas.vocabulary import Language
from schemas.words import Said

SENTENCES: Final[Mapping[str, Said]] = {
    # -- clocks
    "clock": Said("clock", "срок"),
    "what": Said("what", "что"),
    "about": Said("about", "о чём"),
    "brand": Said("brand", "бренд"),
    "law": Said("law", "закон"),
    "due": Said("due", "до"),
    "left": Said("left", "осталось"),
    "state": Said("state", "состояние"),
    "no_clocks": Said("No clock runs.", "Сроков в работе нет."),
    "summary": Said(
        "Clocks: {open} run, {overdue} overdue, {at_risk} due soon, {flagged} flagged.",
        "Сроков: {open}, просрочено: {overdue}, скоро истекают: {at_risk}, с отметкой: {flagged}.",
    ),
    "behind": Said(
        "The clock of this machine is behind what the ledger was written with: trust no time left until it is right.",
        "Часы этой машины отстают от записей: не верьте оставшемуся времени, пока они не исправлены.",
    ),
    "flag_start_in_future": Said(
        "the event lay in the future: counted from its recording", "событие было в будущем: отсчёт с записи"
    ),
    "flag_met_before_start": Said("met before it began", "закрыт раньше начала"),
    "clock_started": Said("Started {clock}: {what}, due {due}.", "Начат срок {clock}: {what}, до {due}."),
    "clock_met": Said("Met: {clock}.", "Исполнен: {clock}."),
    "clock_extended": Said("Extended: {clock}, now due {due}.", "Продлён: {clock}, теперь до {due}."),
    "would_extend": Said(
        "Would extend this clock, once. `--yes` does it, after the person was told why.",
        "Срок будет продлён, один раз. `--yes` продлит - после уведомления человека о причинах.",
    ),
    "would_meet": Said(
        "Would call these clocks met: {count}. `--yes` does it.", "Сроков будет закрыто: {count}. `--yes` закроет."
    ),
    # -- requests
    "request": Said("request", "запрос"),
    "kind": Said("kind", "вид"),
    "owner": Said("owner", "ответственный"),
    "received": Said("received", "поступил"),
    "next": Said("next step", "следующий шаг"),
    "no_requests": Said("No request is open.", "Запросов в работе нет."),
    "recorded": Said(
        "Request {case} is recorded: {kind}. Tell the person that it was received.",
        "Запрос {case} записан: {kind}. Сообщите человеку, что он принят.",
    ),
    "deadline": Said("  {what}: due {due} ({law})", "  {what}: до {due} ({law})"),
    "steps_are": Said("Steps: {steps}", "Шаги: {steps}"),
    "next_command": Said(
        "Next: `leadgate request step {case} --actor REF` says what the first step would do.",
        "Дальше: `leadgate request step {case} --actor REF` покажет, что сделает первый шаг.",
    ),
    "line_case": Said("Request {case}: {kind}, {state}", "Запрос {case}: {kind}, {state}"),
    "line_owner": Said("  owner {owner}, received {received}", "  ответственный {owner}, поступил {received}"),
    "line_policy": Said("  policy {policy}, jurisdiction {where}", "  политика {policy}, право {where}"),
    "line_persons": Said("  people: {persons}", "  люди: {persons}"),
    "nobody": Said("nobody is known", "никто не известен"),
    "line_step": Said("  {place}. {step}: {state} {more}", "  {place}. {step}: {state} {more}"),
    "would": Said("The next step, {step}, would concern:", "Следующий шаг, {step}, затронет:"),
    "would_line": Said("  {what}: {value}", "  {what}: {value}"),
    "dry": Said("Nothing was done; `--yes` does it.", "Ничего не сделано; `--yes` выполнит."),
    "did": Said("Done: {step}. {result}", "Выполнено: {step}. {result}"),
    "waits": Said("{step} waits ({reason}): {result}", "{step}: ожидание ({reason}): {result}"),
    "all_done": Said(
        "Every step is done: `leadgate request close {case} --actor REF --yes`.",
        "Все шаги выполнены: `leadgate request close {case} --actor REF --yes`.",
    ),
    "written": Said(
        "Written: {target}.pdf and {target}.json. They hold the person's data: hand them over by a safe way, then delete them.",
        "Записано: {target}.pdf и {target}.json. В них данные человека: передайте безопасно и удалите.",
    ),
    "closed": Said("Closed: {case}, {state}.", "Закрыт: {case}, {state}."),
    "would_close": Said("Would close request {case}. `--yes` does it.", "Запрос {case} будет закрыт. `--yes` закроет."),
    "would_refuse": Said(
        "Would refuse request {case}; what is not done yet is dropped. `--yes` does it.",
        "По запросу {case} будет отказ; невыполненные шаги снимаются. `--yes` откажет.",
    ),
    "would_lift": Said(
        "Would lift the restriction of request {case}; what waited goes before the gate again. `--yes` does it.",
        "Ограничение по запросу {case} будет снято; отложенное вернётся на проверку. `--yes` снимет.",
    ),
    "lifted": Said("Lifted; deliveries before the gate again: {count}.", "Снято; передач снова на проверке: {count}."),
    "told": Said("Recorded as told: {count}.", "Отмечено уведомлений: {count}."),
    "ask_value": Said("the right value of {field} (not shown)", "верное значение поля {field} (ввод не виден)"),
}


def sentence(name: str, language: Language, **gaps: object) -> str:
    """One sentence with its gaps filled."""
    return SENTENCES[name].in_(language).format(**gaps)
