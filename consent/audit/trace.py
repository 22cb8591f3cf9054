"""One lead's walk as sentences. Refuses to say more than the leaves say: ids, words of code, field names, digests, moments.

A trace stays readable after the person was erased, because no leaf ever said who it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from consent.audit.leaf import decode
from schemas.audit import AuditEntry, LeafValue
from schemas.errors import AuditError
from schemas.vocabulary import Event, Language
from schemas.words import CODES, OUTCOMES, REASONS, RETENTION


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One leaf of the walk. ``sealed`` says whether it stands under a signed checkpoint yet."""

    index: int | None  # None while the leaf waits to be put in order
    at: datetime
    event: Event
    actor: str
    sealed: bool
    ru: str
    en: str
    delivery_id: str | None
    facts: Mapping[str, LeafValue]

    def sentence(self, language: Language) -> str:
        """The step in one of the two languages."""
        return self.ru if language is Language.RU else self.en


class _Part(NamedTuple):
    """A piece of a sentence, said only if the leaf holds ``fact`` (always, if that is empty)."""

    fact: str
    en: str
    ru: str


_TO: Final = _Part("destination", " to {destination}", " получателю {destination}")
_AT: Final = _Part("destination", " (destination {destination})", " (получатель {destination})")
_FOR: Final = _Part("purpose", " for the purpose {purpose}", " с целью {purpose}")
_ATTEMPT: Final = _Part("attempt", ", attempt {attempt}", ", попытка {attempt}")
_CODE: Final = _Part("code", ", code {code}", ", код {code}")
_FIELD: Final = _Part("field", ", field {field}", ", поле {field}")
_FIELDS: Final = _Part("fields", "; fields disclosed: {fields}", "; переданы поля: {fields}")
_CREATED: Final = _Part("created", "; new there: {created}", "; создана новая запись: {created}")
_SENT: Final = _Part("sent_sha256", "; digest of what was sent: {sent_sha256}", "; отпечаток переданного: {sent_sha256}")
_POLICY: Final = _Part("policy_version", "; policy {policy_version}", "; политика {policy_version}")
_REASON: Final = _Part("reason", ", reason: {reason}", ", причина: {reason}")
_REASONS: Final = _Part("reasons", ": {reasons}", ": {reasons}")
_FINDINGS: Final = _Part("findings", ": {findings}", ": {findings}")
_AGAIN: Final = _Part("not_before", "; again not before {not_before}", "; повтор не ранее {not_before}")
_PURPOSES: Final = _Part("purposes", "; purposes: {purposes}", "; цели: {purposes}")
_RECIPIENTS: Final = _Part(
    "recipients", "; these hold it and must be told: {recipients}", "; данные есть у получателей: {recipients}"
)
_STOPPED: Final = _Part("suppressed", "; deliveries stopped: {suppressed}", "; остановлено передач: {suppressed}")
_STATE: Final = _Part("state", " {state}", ": {state}")
_CONSENT: Final = _Part("consent_id", ": {consent_id}", ": {consent_id}")
_NOTICE: Final = _Part(
    "notice_id", ": {notice_id} {notice_version} ({language})", ": {notice_id} {notice_version} ({language})"
)
_TEXT: Final = _Part("text_sha256", "; digest of its text: {text_sha256}", "; отпечаток текста: {text_sha256}")
_SAME_AS: Final = _Part("duplicate_of", "; same as {duplicate_of}", "; повторяет {duplicate_of}")

_CASE: Final = _Part("case_id", ", case {case_id}", ", дело {case_id}")
_CLOCK: Final = _Part("kind", ": {kind}", ": {kind}")
_DUE: Final = _Part("due_at", ", due {due_at}", ", срок {due_at}")
_KEY_VERSION: Final = _Part("key_version", ", version {key_version}", ", версия {key_version}")
_KEY_FROM: Final = _Part("key_version_from", " (was {key_version_from})", " (была {key_version_from})")
_COUNT: Final = _Part("count", "; rows: {count}", "; строк: {count}")

_SENTENCES: Final[Mapping[Event, tuple[_Part, ...]]] = {
    Event.SUBMISSION_RECEIVED: (
        _Part("", "Received", "Получено"),
        _Part("source", " from the source {source}", " из источника {source}"),
    ),
    Event.LEAD_ADMITTED: (
        _Part("", "Admitted", "Допущено"),
        _Part("consent_id", " under consent {consent_id}", " по согласию {consent_id}"),
        _Part("notice_id", ", notice {notice_id}", ", текст согласия {notice_id}"),
        _Part("notice_version", " version {notice_version}", " версии {notice_version}"),
        _Part("given_at", ", given {given_at}", ", дано {given_at}"),
        _PURPOSES,
        _Part("routes", "; may go to: {routes}", "; может быть передано: {routes}"),
        _Part("fields", "; sealed fields: {fields}", "; запечатаны поля: {fields}"),
        _POLICY,
    ),
    Event.SUBMISSION_QUARANTINED: (
        _Part("", "Held back until a person mends it", "Отложено, пока человек не исправит"),
        _FINDINGS,
        _REASONS,
        _POLICY,
    ),
    Event.SUBMISSION_REFUSED: (_Part("", "Refused", "Отклонено"), _FINDINGS, _REASONS, _SAME_AS, _POLICY),
    Event.SUBMISSION_READMITTED: (
        _Part("", "Brought before the gate again", "Передано на повторное решение"),
        _REASONS,
    ),
    Event.DELIVERY_ACCEPTED: (
        _Part("", "Delivered", "Передано"),
        _TO,
        _Part("", " and accepted", " и принято"),
        _FOR,
        _ATTEMPT,
        _CREATED,
        _FIELDS,
        _POLICY,
        _SENT,
    ),
    Event.DELIVERY_REJECTED: (
        _Part("", "Sent", "Отправлено"),
        _TO,
        _Part("", " and rejected", " и не принято"),
        _FOR,
        _ATTEMPT,
        _CODE,
        _FIELD,
        _FIELDS,
        _SENT,
    ),
    Event.DELIVERY_DEFERRED: (_Part("", "Put off", "Отправка отложена"), _AT, _ATTEMPT, _CODE, _AGAIN),
    Event.DELIVERY_UNCERTAIN: (
        _Part("", "Sent", "Отправлено"),
        _TO,
        _Part("", ", no answer came; it is read back before a repeat", ", ответа нет; перед повтором запись сверяется"),
        _ATTEMPT,
        _CODE,
        _FIELDS,
        _SENT,
    ),
    Event.DELIVERY_RESOLVED: (
        _Part("", "The doubt about the delivery is resolved", "Сомнение в передаче снято"),
        _AT,
        _Part("outcome", ": {outcome}", ": {outcome}"),
        _Part("resolved_by", ", by {resolved_by}", ", способ: {resolved_by}"),
        _Part("doubles", ", records found there: {doubles}", ", найдено записей: {doubles}"),
    ),
    Event.DELIVERY_DEAD: (
        _Part("", "Given up, waits for a person", "Отправка прекращена, ждёт человека"),
        _AT,
        _ATTEMPT,
        _CODE,
        _REASON,
    ),
    Event.DELIVERY_SUPPRESSED: (_Part("", "Not sent", "Не отправлено"), _TO, _FOR, _REASON, _REASONS, _POLICY),
    Event.DELIVERY_REPLAYED: (_Part("", "Queued again", "Поставлено в очередь снова"), _AT, _REASON),
    Event.CONSENT_WITHDRAWN: (
        _Part("", "Consent withdrawn", "Согласие отозвано"),
        _CONSENT,
        _PURPOSES,
        _Part("channel", "; through {channel}", "; через {channel}"),
        _STOPPED,
        _RECIPIENTS,
    ),
    Event.CONSENT_RECORDED: (_Part("", "Consent", "Согласие"), _STATE, _CONSENT, _PURPOSES, _REASON, _POLICY),
    Event.CONSENT_EXPIRED: (_Part("", "Consent expired", "Срок согласия истёк"), _CONSENT, _PURPOSES, _REASON, _POLICY),
    Event.CONSENT_TERMINATED: (
        _Part("", "Consent ended by us", "Согласие прекращено нами"),
        _CONSENT,
        _PURPOSES,
        _REASON,
        _POLICY,
    ),
    Event.CONSENT_INVALIDATED: (
        _Part("", "Consent found never valid", "Согласие признано недействительным"),
        _CONSENT,
        _PURPOSES,
        _REASON,
        _POLICY,
    ),
    Event.NOTICE_PUBLISHED: (_Part("", "Notice published", "Опубликован текст согласия"), _NOTICE, _PURPOSES, _TEXT),
    Event.NOTICE_RETIRED: (
        _Part("", "Notice retired", "Текст согласия выведен из обращения"),
        _NOTICE,
        _Part("until", "; from {until}", "; с {until}"),
    ),
    Event.RECEIPT_ISSUED: (
        _Part("", "Receipt made for the person", "Составлена квитанция для человека"),
        _STATE,
        _CONSENT,
    ),
    Event.EVIDENCE_ISSUED: (
        _Part("", "Evidence packed for an auditor", "Собран пакет доказательств для проверяющего"),
        _Part("count", "; entries: {count}", "; записей: {count}"),
        _Part("document_sha256", "; digest of the package: {document_sha256}", "; отпечаток пакета: {document_sha256}"),
    ),
    Event.RECIPIENT_ASKED: (
        _Part("", "To be asked to stop using it, and to destroy it", "Будет направлено требование прекратить и уничтожить"),
        _AT,
        _REASON,
    ),
    Event.RECIPIENT_DEFERRED: (
        _Part("", "Asked to stop using it or to destroy it, not done yet", "Требование направлено, пока не исполнено"),
        _AT,
        _ATTEMPT,
        _CODE,
    ),
    Event.RECIPIENT_SUPPRESSED: (
        _Part("", "The recipient uses it no more", "Получатель прекратил использование"),
        _AT,
        _ATTEMPT,
        _CODE,
    ),
    Event.RECIPIENT_ERASED: (_Part("", "The recipient destroyed it", "Получатель уничтожил запись"), _AT, _ATTEMPT, _CODE),
    Event.RECIPIENT_NOT_HELD: (
        _Part("", "The recipient has no such record", "У получателя такой записи нет"),
        _AT,
        _ATTEMPT,
        _CODE,
    ),
    Event.RECIPIENT_FAILED: (
        _Part("", "The recipient refuses; a person must tell it", "Получатель отказывает; сообщить должен человек"),
        _AT,
        _ATTEMPT,
        _CODE,
    ),
    Event.RECIPIENT_BY_HAND: (_Part("", "The recipient must be told by hand", "Получателю нужно сообщить вручную"), _AT, _CODE),
    Event.RECIPIENT_TOLD: (_Part("", "The recipient was told by {actor}", "Получателю сообщил {actor}"), _AT, _REASON),
    Event.SUBJECT_ERASED: (
        _Part("", "Erased: the key is destroyed, nobody", "Уничтожено: ключ разрушен, личность"),
        _Part("", " can open this identity any more", " больше никто не раскроет"),
        _REASON,
        _Part("method", ", method: {method}", ", способ: {method}"),
        _Part("categories", "; categories: {categories}", "; категории: {categories}"),
        _STOPPED,
        _RECIPIENTS,
    ),
    Event.LOG_PRUNED: (
        _Part("", "Published entries given up", "Опубликованные записи больше не выдаются"),
        _Part("size", ", those before {size}", ", до номера {size}"),
    ),
    Event.LOG_RECOVERED: (
        _Part("", "Log entries taken back from the published log", "Записи журнала возвращены из опубликованной копии"),
        _COUNT,
    ),
    Event.BACKUP_REPLAYED: (
        _Part("", "A restored ledger carried out the shred list", "Восстановленная база исполнила список уничтоженных"),
        _Part("count", ", lines: {count}", ", строк: {count}"),
        _Part("erased", ", destroyed again: {erased}", ", уничтожено повторно: {erased}"),
    ),
    Event.HOLD_SET: (
        _Part("", "Must not be destroyed", "Уничтожение приостановлено"),
        _REASON,
        _Part("until", ", until {until}", ", до {until}"),
    ),
    Event.HOLD_LIFTED: (_Part("", "The legal hold is lifted", "Приостановка уничтожения снята"), _REASON),
    Event.ACT_DRAWN_UP: (
        _Part("", "An act of destruction was drawn up by {actor}", "Составлен акт об уничтожении: {actor}"),
        _Part("keyed_sha256", ", keyed digest {keyed_sha256}", ", ключевой отпечаток {keyed_sha256}"),
        _Part("until", ", kept until {until}", ", хранится до {until}"),
    ),
    Event.KEYS_ROTATED: (_Part("", "A new key-encryption key", "Новый ключ шифрования ключей"), _KEY_VERSION, _KEY_FROM),
    Event.KEYS_REWRAPPED: (_Part("", "Keys wrapped anew", "Ключи переупакованы"), _KEY_VERSION, _KEY_FROM, _COUNT),
    Event.KEYS_REINDEXED: (
        _Part("", "Search indexes made anew", "Поисковые индексы пересчитаны"),
        _KEY_VERSION,
        _KEY_FROM,
        _COUNT,
    ),
    Event.KEYS_DROPPED: (_Part("", "An old key destroyed", "Старый ключ уничтожен"), _KEY_VERSION),
    Event.ANALYTICS_EXPORTED: (
        _Part("", "Anonymized figures exported", "Выгружены обезличенные сводные данные"),
        _Part("method", ", method: {method}", ", метод: {method}"),
        _Part("k_reached", ", k {k_reached}", ", k {k_reached}"),
        _Part("l_reached", ", l {l_reached}", ", l {l_reached}"),
        _Part("rows", "; rows: {rows}", "; строк: {rows}"),
    ),
    Event.RETENTION_APPLIED: (_Part("", "Retention applied", "Применён срок хранения"), _REASON, _PURPOSES),
    Event.IDENTITY_OPENED: (
        _Part("", "The identity was opened by {actor}", "Личность раскрыта: {actor}"),
        _FOR,
        _REASON,
        _Part("fields", "; fields: {fields}", "; поля: {fields}"),
    ),
    Event.CLOCK_STARTED: (_Part("", "A legal clock starts", "Начат отсчёт срока"), _CLOCK, _DUE),
    Event.CLOCK_EXTENDED: (
        _Part("", "A legal clock is extended", "Срок продлён"),
        _CLOCK,
        _DUE,
        _Part("notice_ref", "; notice {notice_ref}", "; уведомление {notice_ref}"),
        _REASON,
    ),
    Event.CLOCK_MET: (
        _Part("", "A legal clock is met", "Срок соблюдён или закрыт"),
        _CLOCK,
        _DUE,
        _Part("late", "; late: {late}", "; с опозданием: {late}"),
    ),
    Event.CASE_OPENED: (_Part("", "A data subject's request is taken up", "Принят запрос субъекта данных"), _CASE, _POLICY),
    Event.CASE_STEP: (
        _Part("", "A step of a request is done", "Выполнен шаг по запросу"),
        _CASE,
        _Part("step", ", step {step}", ", шаг {step}"),
        _AT,
        _REASON,
    ),
    Event.CASE_CLOSED: (
        _Part("", "A request is closed", "Запрос закрыт"),
        _CASE,
        _Part("result", ", result {result}", ", итог {result}"),
    ),
    Event.CASE_FORGOTTEN: (
        _Part("", "The identifiers kept for a request are destroyed", "Уничтожены данные, хранившиеся для запроса"),
        _CASE,
    ),
    Event.SUBJECT_RECTIFIED: (
        _Part("", "Put right and sealed anew", "Исправлено и запечатано заново"),
        _CASE,
        _Part("fields", "; fields: {fields}", "; поля: {fields}"),
        _RECIPIENTS,
    ),
    Event.SUBJECT_RESTRICTED: (_Part("", "Processing is restricted", "Обработка ограничена"), _CASE, _STOPPED),
    Event.SUBJECT_RELEASED: (_Part("", "The restriction is lifted", "Ограничение снято"), _CASE),
}

#: Facts whose values are such words; an id or a name is never translated.
_WORDS: Final = frozenset({"reason", "reasons", "findings", "outcome", "code", "resolved_by"})


def trace(leaves: Iterable[tuple[int | None, AuditEntry]], *, sealed: int = 0) -> list[Step]:
    """The steps of one lead, in the order of the log. ``sealed`` is the size of the latest signed checkpoint.

    ``leaves`` are those that name the lead, its submission, its person or its deliveries, each with its index; None is the
    index of a leaf that waits to be put in order, and such leaves come last, as they are given.
    """
    ordered = sorted(leaves, key=lambda leaf: (leaf[0] is None, leaf[0] or 0))
    return [_step(index, entry, sealed=index is not None and index < sealed) for index, entry in ordered]


def render(leaves: Iterable[tuple[int | None, bytes]], *, language: Language) -> str:
    """The walk as lines for a terminal. Raises AuditError, naming the leaf, if one cannot be read."""
    lines = []
    for step in trace((index, _decoded(index, leaf)) for index, leaf in leaves):
        place = f"#{step.index}" if step.index is not None else "-"
        lines.append(f"{place:>8}  {step.at:%Y-%m-%d %H:%M:%S.%f}Z  {step.sentence(language)}")
    return "\n".join(lines)


def _decoded(index: int | None, leaf: bytes) -> AuditEntry:
    try:
        return decode(leaf)
    except AuditError as error:
        place = "a pending leaf" if index is None else f"leaf {index}"
        raise AuditError(error.code, f"{place}: {error.message}", field="leaf") from None


def _step(index: int | None, entry: AuditEntry, *, sealed: bool) -> Step:
    parts = [part for part in _SENTENCES[entry.event] if not part.fact or part.fact in entry.facts]
    english = {name: _english(value) for name, value in entry.facts.items()} | {"actor": entry.actor}
    russian = {name: _russian(name, value) for name, value in entry.facts.items()} | {"actor": entry.actor}
    return Step(
        index=index,
        at=entry.at,
        event=entry.event,
        actor=entry.actor,
        sealed=sealed,
        en="".join(part.en.format_map(english) for part in parts) + ".",
        ru="".join(part.ru.format_map(russian) for part in parts) + ".",
        delivery_id=entry.delivery_id,
        facts=dict(entry.facts),
    )


def _english(value: LeafValue) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) or "none" if isinstance(value, list) else str(value)


def _russian(name: str, value: LeafValue) -> str:
    if isinstance(value, bool):
        return "да" if value else "нет"
    words = value if isinstance(value, list) else [str(value)]
    return ", ".join(_in_russian(word) if name in _WORDS else word for word in words) or "нет"


def _in_russian(word: str) -> str:
    """``invalid_field:phone`` keeps the name of the field."""
    code, colon, field = word.partition(":")
    known = OUTCOMES.get(code) or REASONS.get(code) or CODES.get(code) or RETENTION.get(code)
    return (known.ru if known else code) + (f": {field}" if colon else "")
