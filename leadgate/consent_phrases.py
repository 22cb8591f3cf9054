"""The sentences of the commands about notices and consents, in both languages; it refuses a sentence in only one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from schemas.vocabulary import Language
from schemas.words import Said

PHRASES: Final[Mapping[str, Said]] = {
    # -- notices
    "brand": Said("brand", "бренд"),
    "notice": Said("notice", "текст"),
    "version": Said("version", "версия"),
    "language": Said("language", "язык"),
    "purposes": Said("purposes", "цели"),
    "valid_from": Said("from", "с"),
    "valid_until": Said("until", "по"),
    "state": Said("state", "состояние"),
    "in_force": Said("in force", "действует"),
    "future": Said("not yet", "ещё не действует"),
    "retired": Said("retired", "не действует"),
    "gone": Said("NOT IN THE FILE", "НЕТ В ФАЙЛЕ"),
    "asks_anew": Said("asks anew from {moment}", "требует нового согласия с {moment}"),
    "alone": Said("one purpose", "одна цель"),
    "would_add": Said(
        "These lines would be put into {file}, under brands.{brand}.notices; `--yes` does it:",
        "Эти строки будут внесены в {file}, раздел brands.{brand}.notices; выполнить: `--yes`.",
    ),
    "would_copy": Said("The text would be kept in {file}.", "Текст будет сохранён в файле {file}."),
    "would_retire": Said(
        "Nobody could agree to these any more from {moment}: {names}. Consents given before stand. `--yes` does it.",
        "С {moment} согласиться с ними будет нельзя: {names}. Данные раньше согласия остаются в силе. Выполнить: `--yes`.",
    ),
    "notice_added": Said(
        "Added: {notice}. It stands in {file}, in the ledger and in the log.",
        "Добавлено: {notice}. Текст внесён в {file}, в базу и в журнал.",
    ),
    "notice_retired": Said("Retired from {moment}: {names}.", "Выведены из обращения с {moment}: {names}."),
    "restart": Said(
        "Whatever runs for long (`leadgate intake`, `leadgate up`) reads the file at its next start.",
        "То, что работает постоянно (`leadgate intake`, `leadgate up`), прочитает файл при следующем запуске.",
    ),
    "notices_as_published": Said(
        "Every notice is as it was published: {count} compared with the file, the ledger and the log.",
        "Все тексты такие, как при публикации: сверено с файлом, базой и журналом: {count}.",
    ),
    "notice_rewritten": Said(
        "REWRITTEN in the {where}: {notice}. People agreed to another: restore it and publish what is new as a new version.",
        "ИЗМЕНЁН ({where}): {notice}. Люди соглашались с другим: верните прежний текст, новый опубликуйте новой версией.",
    ),
    "where_file": Said("file", "файл"),
    "where_ledger": Said("ledger", "база"),
    "where_log": Said("log", "журнал"),
    "digest": Said("digest of the text", "отпечаток текста"),
    "published": Said("published", "опубликован"),
    "leaf": Said("entry of the log", "запись журнала"),
    "pending": Said("waits for the next seal", "ждёт подписи"),
    # -- standing
    "granted": Said("granted", "действует"),
    "stale": Said("must be renewed", "нужно обновить"),
    "withdrawn": Said("withdrawn", "отозвано"),
    "expired": Said("expired", "срок истёк"),
    "terminated": Said("ended by us", "прекращено нами"),
    "refused": Said("refused", "отказ"),
    "invalidated": Said("never valid", "недействительно"),
    "requested": Said("asked, not answered", "запрошено, ответа нет"),
    "unknown": Said("unknown", "неизвестно"),
    "deferred": Said("put off", "отложено"),
    "given": Said("given", "дано"),
    "renewed": Said("renewed", "обновлено"),
    "why_record": Said("the record stands", "запись в силе"),
    "why_event": Said("an event says so", "по событию"),
    "why_term": Said("its term is over", "срок закончился"),
    "why_newer_notice": Said("a newer text asks for new consent", "новый текст требует нового согласия"),
    "why_notice_unknown": Said("its notice is unknown", "текст неизвестен"),
    "why_notice_changed": Said("another text was shown", "показан другой текст"),
    "why_before_notice": Said("it is older than its notice", "дано раньше появления текста"),
    "why_after_notice": Said("its notice was retired before", "текст был выведен раньше"),
    "why_not_named": Said("its notice does not name the purpose", "текст не называет эту цель"),
    "why_nothing": Said("nothing is known", "сведений нет"),
    "consent_of": Said("person {person}, as of {moment}", "человек {person}, на {moment}"),
    "consent_line": Said("  {purpose}: {standing} ({why})", "  {purpose}: {standing} ({why})"),
    "consent_under": Said(
        "    record {record}, notice {notice}, policy {policy}", "    запись {record}, текст {notice}, политика {policy}"
    ),
    "consent_span": Said("    since {since}, until {until}", "    с {since} по {until}"),
    "event_line": Said(
        "  {moment}  {state}: {purpose} (known {recorded}, by {origin}: {actor})",
        "  {moment}  {state}: {purpose} (стало известно {recorded}, {origin}: {actor})",
    ),
    "events": Said("Events:", "События:"),
    "records": Said("Records:", "Записи:"),
    "record_line": Said(
        "  {record}  given {given}, notice {notice}, for {purposes}",
        "  {record}  дано {given}, текст {notice}, цели: {purposes}",
    ),
    "all_purposes": Said("everything", "все цели"),
    "exported": Said("{count} consent records in {file}", "Записей о согласии: {count}, файл {file}"),
}


def phrase(name: str, language: Language, **gaps: object) -> str:
    """One sentence with its gaps filled."""
    return PHRASES[name].in_(language).format(**gaps)
