"""The sentences about withdrawals and those who are told of them, in both languages (see ``leadgate.phrases``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from schemas.vocabulary import Language
from schemas.words import Said

PHRASES: Final[Mapping[str, Said]] = {
    # -- withdraw
    "would_stop": Said("Would stop {count} deliveries that still wait{names}.", "Будет остановлено передач: {count}{names}."),
    "would_tell": Said("Would have these recipients told:", "Будут уведомлены получатели:"),
    "would_tell_nobody": Said("No recipient holds the data.", "Ни у одного получателя этих данных нет."),
    "way": Said("  {destination}, {purpose}: {way}", "  {destination}, {purpose}: {way}"),
    "way_both": Said("stop using it, then destroy it", "прекратить использование, затем уничтожить"),
    "way_suppress": Said(
        "stop using it; it cannot destroy, that is yours to ask",
        "прекратить использование; уничтожить программа не может, это просите вы",
    ),
    "way_erase": Said("destroy it", "уничтожить"),
    "way_by_hand": Said("BY HAND: this program cannot tell it, you must", "ВРУЧНУЮ: программа сообщить не может, сообщаете вы"),
    "not_done_yet": Said(
        "Nothing is recorded yet: `--yes` records it. A withdrawal cannot be taken back, only consent given anew.",
        "Пока ничего не записано: выполнить `--yes`. Отзыв нельзя отменить, можно лишь получить новое согласие.",
    ),
    "would_be_stranger": Said(
        "Nobody is known under it: check the spelling. It would be recorded all the same, against a lead that arrives late.",
        "Под этими данными никто не известен: проверьте написание. Отзыв всё равно будет записан: на случай позднего лида.",
    ),
    "recorded": Said(
        "The withdrawal is recorded: {withdrawal}. Deliveries stopped: {count}.",
        "Отзыв согласия записан: {withdrawal}. Остановлено передач: {count}.",
    ),
    "being_told": Said(
        "These recipients are being told: {names}. `leadgate withdrawals show {withdrawal}` says what they answer.",
        "Получатели уведомляются: {names}. Их ответы покажет `leadgate withdrawals show {withdrawal}`.",
    ),
    "was_stranger": Said(
        "Nobody was known under it: check the spelling. A lead whose consent is older will be refused when it arrives.",
        "Под этими данными никто не был известен: проверьте написание. Лид с более ранним согласием будет отклонён.",
    ),
    "bad_moment": Said(
        "write it like 2026-03-02T09:00:00+03:00 or 2026-03-02", "запишите как 2026-03-02T09:00:00+03:00 или 2026-03-02"
    ),
    # -- withdrawals
    "none_yet": Said("There is no withdrawal.", "Отзывов нет."),
    "none_open": Said("Every recipient has done what it was asked.", "Все получатели выполнили требование."),
    "withdrawal": Said("withdrawal", "отзыв"),
    "said_at": Said("said", "заявлен"),
    "brand": Said("brand", "бренд"),
    "stopped": Said("stopped", "остановлено"),
    "recipients": Said("recipients", "получатели"),
    "due": Said("due", "срок"),
    "nobody": Said("nobody", "никто"),
    "done": Said("done", "выполнено"),
    "under_way": Said("{count} being told", "уведомляются: {count}"),
    "by_hand": Said("{count} BY HAND", "ВРУЧНУЮ: {count}"),
    "overdue": Said("OVERDUE {moment}", "ПРОСРОЧЕНО {moment}"),
    "head": Said(
        "Withdrawal {withdrawal}, brand {brand}, said {said}, recorded {recorded} by {actor}",
        "Отзыв {withdrawal}, бренд {brand}, заявлен {said}, записан {recorded}, кем: {actor}",
    ),
    "purposes": Said("  purposes: {purposes}", "  цели: {purposes}"),
    "persons": Said("  people: {persons}", "  люди: {persons}"),
    "stopped_one": Said(
        "  never sent: {destination}, {purpose} (delivery {delivery})",
        "  не отправлено: {destination}, {purpose} (передача {delivery})",
    ),
    "told_one": Said("  {destination}, {purpose}: {state}{at}", "  {destination}, {purpose}: {state}{at}"),
    "told_why": Said("    {code}", "    {code}"),
    "told_again": Said("    asked {attempts} times, again {moment}", "    обращений: {attempts}, следующее {moment}"),
    "told_by_hand_hint": Said(
        "    You must tell it, then: leadgate withdrawals told-by-hand {delivery} --how letter --actor REF",
        "    Сообщите сами, затем: leadgate withdrawals told-by-hand {delivery} --how letter --actor REF",
    ),
    "clock_met": Said("  clock, {kind}: met {moment}", "  срок, {kind}: выполнен {moment}"),
    "clock_runs": Said("  clock, {kind}: due {moment}", "  срок, {kind}: до {moment}"),
    "clock_overdue": Said("  clock, {kind}: OVERDUE since {moment}", "  срок, {kind}: ПРОСРОЧЕН с {moment}"),
    "complete": Said(
        "Nobody holds the data under this consent any more, as far as recipients and officers say.",
        "Данных по этому согласию больше ни у кого нет: по словам получателей и сотрудников.",
    ),
    "would_retry": Said(
        "{count} would be asked again at once; `--yes` does it.", "Будет запрошено снова: {count}. Выполнить: `--yes`."
    ),
    "retried": Said("Asked again: {count}.", "Запрошено снова: {count}."),
    "nothing_to_retry": Said("Nobody here could be asked again.", "Повторно запрашивать некого."),
    "told": Said("Recorded: {destination} was told ({how}).", "Записано: получателю {destination} сообщено ({how})."),
    "nobody_due": Said("Nobody is to be told now.", "Сейчас уведомлять некого."),
}


def phrase(name: str, language: Language, **gaps: object) -> str:
    """One sentence with its gaps filled."""
    return PHRASES[name].in_(language).format(**gaps)
