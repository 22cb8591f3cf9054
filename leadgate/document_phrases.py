"""The sentences of the commands that make receipts and evidence, in both languages; it refuses a sentence in only one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from schemas.vocabulary import Language
from schemas.words import Said

PHRASES: Final[Mapping[str, Said]] = {
    # -- receipts
    "receipt_working": Said("making the receipt ...", "составляю квитанцию ..."),
    "receipt_written": Said(
        "Receipt written, {count} files, readable by you only:",
        "Квитанция составлена, файлов: {count}, читать можете только вы:",
    ),
    "receipt_open": Said(
        "Not every recipient has answered yet; the receipt says who. Make another one later.",
        "Ответили не все получатели, в квитанции сказано кто. Позже составьте новую.",
    ),
    "receipt_alone": Said(
        "No quorum of witnesses has cosigned; the receipt says so.", "Кворум свидетелей не заверял; в квитанции это сказано."
    ),
    "receipt_lacks": Said(
        "The record of ISO/IEC TS 27560 is left out; leadgate.yaml lacks: {places}",
        "Запись ISO/IEC TS 27560 не вошла; в leadgate.yaml не хватает: {places}",
    ),
    "receipt_digest": Said("SHA-256 of the JSON {digest}, kept in the log", "SHA-256 файла JSON {digest}, сохранён в журнале"),
    # -- evidence
    "packing": Said("packing ...", "собираю ..."),
    "packing_part": Said("packing {part} ...", "собираю: {part} ..."),
    "package_of": Said(
        "{leaves} entries of a log of {size}, each with its proof",
        "Записей журнала: {leaves} из {size}, каждая с доказательством",
    ),
    "package_holds": Said("Inside: {told}", "Внутри: {told}"),
    "package_nobody": Said("nobody", "никто"),
    "package_cosigned": Said("The configured quorum is met; cosigned by: {names}", "Кворум есть; заверили: {names}"),
    "package_unmet": Said(
        "WITHOUT the quorum of witnesses; cosigned by: {names}. The package says so, and so will whoever checks it.",
        "БЕЗ кворума свидетелей; заверили: {names}. Это сказано в пакете, и проверка это покажет.",
    ),
    "package_identity": Said(
        "It holds who the person is, in the folder identity/: hand it over as you would hand over the data.",
        "В папке identity/ - кто этот человек: передавайте пакет как персональные данные.",
    ),
    "package_dry": Said(
        "Dry run: nothing was written. `--yes` with a file name writes it.",
        "Пробный прогон: ничего не записано. Записать: имя файла и `--yes`.",
    ),
    "package_written": Said(
        "Written: {file}, {size}, readable by you only", "Записано: {file}, {size}, читать можете только вы"
    ),
    "package_digest": Said("SHA-256 {digest}, kept in the log", "SHA-256 {digest}, сохранён в журнале"),
    "package_check": Said(
        "The auditor checks it with: python3 verify_evidence.py {file} --policy POLICY (`leadgate log policy`, handed over by"
        " another way)",
        "Проверка: python3 verify_evidence.py {file} --policy ПОЛИТИКА (`leadgate log policy`, передайте другим путём)",
    ),
}


def phrase(name: str, language: Language, **gaps: object) -> str:
    """One sentence with its gaps filled."""
    return PHRASES[name].in_(language).format(**gaps)
