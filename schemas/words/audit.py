"""What a verification finds, in Russian, by its code. It refuses to translate figures: the English sentence is printed
beside it, and an engineer reads that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_TOLD = "Никому не давайте исправлять: сохраните копию базы и сообщите ответственному за журнал."
_AGAIN = "Попросите сделать выгрузку заново."
_OTHER_COPY = "Возьмите эту контрольную точку из другой копии и сравните."
_EVIDENCE = "Одним ключом подписаны две разные истории: сохраните обе как доказательство и спросите владельца ключа."
_WHO = "Выясните, кто это записал: программа так не делает."

#: Code of consent.audit -> what is wrong, and what to do.
FINDINGS: Final[Mapping[str, tuple[str, str]]] = {
    "lead_changed": ("сохранённый лид не тот, что был зафиксирован в журнале", _TOLD),
    "lead_missing": ("лида нет в базе, а его уничтожение в журнале не записано", _TOLD),
    "lead_without_leaf": ("лид есть в базе, но в журнале нет записи о его допуске", _WHO),
    "lead_twice": ("лид сохранён дважды", _TOLD),
    "lead_admitted_twice": ("один лид допущен дважды", _WHO),
    "erased_but_stored": (
        "уничтожение записано в журнале, а данные всё ещё хранятся",
        "Уничтожьте их сейчас и зафиксируйте задержку; обычная причина - восстановление из резервной копии.",
    ),
    "consent_changed": ("сохранённое согласие не то, что было зафиксировано в журнале", _TOLD),
    "consent_without_leaf": ("согласие есть в базе, но ни одна запись журнала его не называет", _WHO),
    "sent_without_admission": (
        "данные приняты получателем, но до этого нет записи о допуске с согласием",
        "Считайте это передачей без согласия, пока запись о допуске не найдена.",
    ),
    "delivery_without_admission": ("передача есть в базе, но её лид никто не допускал", _WHO),
    "delivery_off_route": ("допуск не разрешает этого получателя с этой целью", _WHO),
    "delivery_state_differs": ("состояние передачи в базе и в журнале расходится", _TOLD),
    "delivery_changed": ("передача записана за другим лидом, чем говорит журнал", _TOLD),
    "delivery_missing": ("журнал знает эту передачу, а база нет", _TOLD),
    "delivery_twice": ("передача сохранена дважды", _TOLD),
    "record_malformed": ("в сохранённой записи значение не того вида", _TOLD),
    "leaf_changed": ("запись журнала изменена", _TOLD),
    "leaf_missing": ("записи журнала не хватает", _TOLD),
    "leaf_reordered": ("записи журнала стоят не на своих местах", _TOLD),
    "leaf_twice": ("две записи журнала с одним номером", _TOLD),
    "leaf_unreadable": ("запись журнала не читается", "Проверьте той версией программы, которая её записала."),
    "leaf_incomplete": ("запись о допуске не называет лид или его отпечаток", _WHO),
    "root_mismatch": ("записи журнала не дают подписанного корня: одна изменена, удалена, добавлена или переставлена", _TOLD),
    "checkpoint_foreign_key": (
        "контрольная точка подписана другим ключом",
        "Сравните ключи: подписал кто-то другой, или для проверки дан ключ не от этого журнала.",
    ),
    "checkpoint_wrong_origin": ("контрольная точка от другого журнала", "Выясните, как она сюда попала."),
    "checkpoint_bad_signature": ("контрольная точка изменена после подписи", _OTHER_COPY),
    "checkpoint_damaged": ("контрольная точка обрезана или изменена", _OTHER_COPY),
    "checkpoint_fork": ("для одного размера подписаны два разных корня", _EVIDENCE),
    "checkpoint_inconsistent": ("более поздний журнал не продолжает подписанный ранее", _EVIDENCE),
    "log_rewritten": ("журнал не продолжает ту контрольную точку, которую вы сохранили", _EVIDENCE),
    "log_rolled_back": (
        "журнал короче, чем контрольная точка, которую вы сохранили",
        "Попросите сегодняшнюю выгрузку; если её нет, журнал откатили назад.",
    ),
    "nothing_signed": (
        "ни одна контрольная точка не подписана известным ключом, поэтому ничего не доказано",
        "Получите открытый ключ журнала от владельца другим путём или подпишите журнал (`leadgate seal`) и выгрузите снова.",
    ),
    "seal_late": (
        "запись больше суток не была под подписью",
        "Подпишите журнал (`leadgate seal`) и выясните, почему подпись не ставилась.",
    ),
    "clock": ("время записи или выгрузки ещё не наступило", "Сравните часы обеих машин."),
    "file_missing": ("файла нет, или он не открывается", _AGAIN),
    "file_changed": ("файл не тот, что был выгружен", _AGAIN),
    "line_unreadable": ("строка не читается", _AGAIN),
    "count_differs": ("прочитано не столько строк, сколько было выгружено", _AGAIN),
    "format_unknown": (
        "формат выгрузки этой версии неизвестен",
        "Проверьте той версией программы, которая её сделала, или новее.",
    ),
}

#: How places are said; the first pattern that fits a piece is used.
_PLACES: Final = tuple(
    (re.compile(pattern), russian)
    for pattern, russian in (
        (r"between leaf (\d+) and leaf (-?\d+)", r"между записями журнала \1 и \2"),
        (r"leaves (\d+) to (\d+)", r"записи журнала с \1 по \2"),
        (r"leaves (\d+) and (\d+)", r"записи журнала \1 и \2"),
        (r"committed at leaf (\d+)", r"зафиксировано записью журнала \1"),
        (r"accepted at leaf (\d+)", r"принято по записи журнала \1"),
        (r"last at leaf (\d+)", r"последняя запись журнала \1"),
        (r"lead admitted at leaf (\d+)", r"лид допущен записью журнала \1"),
        (r"\bleaf (\d+)", r"запись журнала \1"),
        (r"\blead (?=\S)", "лид "),
        (r"\bdelivery (?=\S)", "передача "),
        (r"\bconsent (?=\S)", "согласие "),
        (r"checkpoint you kept, of size (\d+)", r"сохранённая вами контрольная точка на \1 записей"),
        (r"checkpoint of size (\d+)", r"контрольная точка на \1 записей"),
        (r"checkpoint in\b", "контрольная точка в"),
        (r"\bline (\d+)", r"строка \1"),
    )
)


def finding_in_russian(code: str, place: str) -> str | None:
    """Place, what is wrong and what to do, in one line; None for a code that is not known here."""
    known = FINDINGS.get(code)
    if known is None:
        return None
    for pattern, russian in _PLACES:
        place = pattern.sub(russian, place)
    return f"{place}: {known[0]}. {known[1]}"
