"""Tells the sender of a file why it was refused, in Russian and English. It quotes nothing of the file."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.errors import IntakeError

#: What to do, by the refusal's code. A code without a line here is explained in English only.
RUSSIAN: Mapping[str, str] = {
    "file_empty": "Файл пуст: в нём нет ни одной строки.",
    "file_too_large": "Файл слишком велик. Разделите его на части.",
    "encoding_unknown": "Кодировка файла не UTF-8 и не CP1251. Сохраните файл в UTF-8.",
    "encoding_broken": "Файл повреждён: текст не соответствует своей кодировке. Сохраните файл в UTF-8.",
    "json_array": "Файл - один массив JSON. Нужен один документ JSON в каждой строке.",
    "header_unreadable": "Первая строка не читается как заголовок.",
    "columns_twice": "Столбец указан в заголовке дважды:",
    "columns_missing": "В первой строке не хватает столбцов:",
    "xlsx_broken": "Файл не является целой книгой XLSX. Сохраните его заново.",
    "xlsx_locked": "Книга защищена паролем или сохранена в старом формате .xls. Сохраните её как .xlsx без пароля.",
    "xlsx_too_large": "Книга слишком велика. Сохраните строки как CSV.",
    "formulas_without_values": "Формулы в книге не вычислены. Откройте файл в Excel и сохраните.",
}


def reason_text(refusal: IntakeError, rows: int) -> str:
    """Write the text of ``<file>.reason.txt``. ``rows`` were taken before the file turned out to be broken."""
    russian = RUSSIAN.get(refusal.code, "Файл не принят; причина указана ниже по-английски.")
    if russian.endswith(":"):  # the sentence goes on with our own column names, which need no translation
        russian += refusal.message.partition(":")[2] + "."
    return "\n".join(
        (
            russian,
            f"Принято строк до ошибки: {rows}. Исправьте файл и положите его снова; уже принятых людей проверка узнает.",
            "",
            f"{refusal.message[:1].upper()}{refusal.message[1:]}.",
            f"Rows taken before the error: {rows}. Mend the file and drop it again; people taken already are recognised.",
            "",
            f"code: {refusal.code}",
            "",
        )
    )
