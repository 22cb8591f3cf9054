"""The closed vocabularies as people say them. It refuses to leave a member without words in either language.

Where a word asks somebody to act, the advice says who and how.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from schemas.vocabulary import IN_DOUBT, Language, Outcome, PersonState, Reason, SubmissionState, TellingState


class Said(NamedTuple):
    """One thing in both languages."""

    en: str
    ru: str

    def in_(self, language: Language) -> str:
        """The words in one of them."""
        return self.ru if language is Language.RU else self.en


#: Why a submission was set aside or refused, in a few words.
REASONS: Final[Mapping[str, Said]] = {
    Reason.UNPARSABLE: Said("unreadable", "не читается"),
    Reason.INVALID_FIELD: Said("invalid field", "неверное поле"),
    Reason.UNKNOWN_BRAND: Said("unknown brand", "неизвестный бренд"),
    Reason.UNKNOWN_TOPIC: Said("unknown topic", "неизвестная тема"),
    Reason.UNKNOWN_NOTICE: Said("unknown notice", "неизвестный текст согласия"),
    Reason.UNKNOWN_PURPOSE: Said("unknown purpose", "неизвестная цель"),
    Reason.NOTICE_TEXT_MISMATCH: Said("another text was shown", "показан другой текст согласия"),
    Reason.CONSENT_IN_FUTURE: Said("consent dated in the future", "дата согласия в будущем"),
    Reason.CONSENT_BEFORE_NOTICE: Said("consent older than its notice", "согласие раньше своего текста"),
    Reason.NO_WAY_TO_REACH: Said("no way to reach the person", "нет способа связаться"),
    Reason.NO_EVIDENCE: Said("no evidence of consent", "нет доказательств согласия"),
    Reason.NO_TRANSFER_BASIS: Said("no basis to cross the border yet", "передача за границу пока не разрешена"),
    Reason.NO_CONSENT: Said("no consent", "нет согласия"),
    Reason.CONSENT_EXPIRED: Said("consent expired", "срок согласия истёк"),
    Reason.NOTICE_RETIRED: Said("notice retired", "текст согласия больше не действует"),
    Reason.CONSENT_STALE: Said("consent must be renewed", "согласие нужно обновить"),
    Reason.CONSENT_NOT_SEPARATE: Said("consent not given separately", "согласие дано не отдельно"),
    Reason.WITHDRAWN: Said("consent withdrawn", "согласие отозвано"),
    Reason.COUNTRY_NOT_SERVED: Said("country not served", "страна не обслуживается"),
    Reason.NO_DESTINATION: Said("no destination may have it", "передать некому"),
    Reason.DUPLICATE: Said("duplicate", "повтор"),
}

#: What a person does about it. In quarantine a person mends; a refusal is final, and says what to know.
REASON_ADVICE: Final[Mapping[str, Said]] = {
    Reason.UNPARSABLE: Said(
        "The source: find the row in its file, or the event at the sender, and send it again whole.",
        "Источник: найдите строку в файле или событие у отправителя и пришлите его заново целиком.",
    ),
    Reason.INVALID_FIELD: Said(
        "The moderator: correct the field in the moderation tool and send the lead again.",
        "Модератор: исправьте поле в системе модерации и пришлите лид ещё раз.",
    ),
    Reason.UNKNOWN_BRAND: Said(
        "The moderator: correct the brand; the engineer, if it is new: describe it in leadgate.yaml and readmit.",
        "Модератор: исправьте бренд; если бренд новый, инженер описывает его в leadgate.yaml и возвращает запись на проверку.",
    ),
    Reason.UNKNOWN_TOPIC: Said(
        "The moderator: choose a topic of the brand; the engineer, if it is new: add it to leadgate.yaml and readmit.",
        "Модератор: выберите тему бренда; новую тему инженер вносит в leadgate.yaml и возвращает запись на проверку.",
    ),
    Reason.UNKNOWN_NOTICE: Said(
        "The officer: was an unregistered text shown? Register it in leadgate.yaml and readmit; else ask the person anew.",
        "Специалист: показан незарегистрированный текст? Внесите его в leadgate.yaml и верните запись на проверку; "
        "иначе согласие нужно получить заново.",
    ),
    Reason.UNKNOWN_PURPOSE: Said(
        "The officer: is it a purpose the text names? Describe it in leadgate.yaml and readmit; else correct the lead.",
        "Специалист: эта цель названа в тексте согласия? Опишите её в leadgate.yaml и верните запись на проверку; "
        "иначе исправьте лид.",
    ),
    Reason.NOTICE_TEXT_MISMATCH: Said(
        "The officer: compare the text that was shown with the registered one. Another text is another consent: ask anew.",
        "Специалист: сравните показанный текст с зарегистрированным. Другой текст - другое согласие: получите его заново.",
    ),
    Reason.CONSENT_IN_FUTURE: Said(
        "The source: its clock or its time zone is wrong; correct the time and send the lead again.",
        "Источник: неверные часы или часовой пояс; исправьте время и пришлите лид ещё раз.",
    ),
    Reason.CONSENT_BEFORE_NOTICE: Said(
        "The officer: the text did not exist yet at that time. Correct the version or the time; else ask the person anew.",
        "Специалист: в это время текста ещё не было. Исправьте версию или время; иначе согласие нужно получить заново.",
    ),
    Reason.NO_WAY_TO_REACH: Said(
        "The moderator: ask the person for the missing phone or e-mail and send the lead again.",
        "Модератор: спросите у человека недостающий телефон или почту и пришлите лид ещё раз.",
    ),
    Reason.NO_EVIDENCE: Said(
        "The moderator: marketing calls need proof. Attach the screenshot of the agreement and send the lead again.",
        "Модератор: для рекламных звонков нужно доказательство. Приложите снимок согласия и пришлите лид ещё раз.",
    ),
    Reason.NO_TRANSFER_BASIS: Said(
        "The officer: record the notification and its date (leadgate.yaml, cross_border), or wait for that date; then readmit.",
        "Специалист: запишите уведомление (leadgate.yaml, cross_border) или дождитесь его даты; затем верните на проверку.",
    ),
    Reason.NO_CONSENT: Said(
        "The moderator: without consent nothing is passed on. If it was given, state it and send the lead again.",
        "Модератор: без согласия ничего не передаётся. Если согласие было, укажите его и пришлите лид ещё раз.",
    ),
    Reason.CONSENT_EXPIRED: Said(
        "Nothing to mend: the consent has run out. Only a new one helps.",
        "Исправлять нечего: срок согласия закончился. Поможет только новое согласие.",
    ),
    Reason.NOTICE_RETIRED: Said(
        "Nothing to mend: the text was no longer in use. The moderators must show the current version.",
        "Исправлять нечего: этот текст уже не применялся. Модераторы должны показывать действующую версию.",
    ),
    Reason.CONSENT_STALE: Said(
        "Nothing to mend: a newer text asks for new consent. Ask the person anew.",
        "Исправлять нечего: новый текст требует нового согласия. Спросите человека ещё раз.",
    ),
    Reason.CONSENT_NOT_SEPARATE: Said(
        "Nothing to mend: this purpose needs a text that names it alone. Show that text and ask the person anew.",
        "Исправлять нечего: для этой цели нужен отдельный текст. Покажите его и спросите человека ещё раз.",
    ),
    Reason.WITHDRAWN: Said(
        "Nothing to mend: the person took consent back. Only a consent given later helps.",
        "Исправлять нечего: человек отозвал согласие. Поможет только согласие, данное позже.",
    ),
    Reason.COUNTRY_NOT_SERVED: Said(
        "Nothing to mend: the brand does not serve this country (leadgate.yaml, countries).",
        "Исправлять нечего: бренд не обслуживает эту страну (leadgate.yaml, countries).",
    ),
    Reason.NO_DESTINATION: Said(
        "The engineer: no destination is configured for these purposes (leadgate.yaml, destinations).",
        "Инженер: для этих целей не настроен ни один получатель (leadgate.yaml, destinations).",
    ),
    Reason.DUPLICATE: Said(
        "Nothing to mend: the same request is already under way.",
        "Исправлять нечего: такая же заявка уже обрабатывается.",
    ),
}

#: The state of a delivery.
OUTCOMES: Final[Mapping[str, Said]] = {
    Outcome.QUEUED: Said("queued", "в очереди"),
    Outcome.CLAIMED: Said("with a worker", "в работе"),
    Outcome.ACCEPTED: Said("accepted", "принято"),
    Outcome.REJECTED: Said("rejected", "не принято"),
    Outcome.DEFERRED: Said("deferred", "отложено"),
    Outcome.UNCERTAIN: Said("in doubt", "неясно"),
    Outcome.DEAD: Said("dead letter", "прекращено"),
    Outcome.SUPPRESSED: Said("suppressed", "остановлено"),
}

SUBMISSIONS: Final[Mapping[str, Said]] = {
    SubmissionState.RECEIVED: Said("not decided yet", "ещё не решено"),
    SubmissionState.ADMITTED: Said("admitted", "допущено"),
    SubmissionState.QUARANTINED: Said("quarantined", "на разбор"),
    SubmissionState.REFUSED: Said("refused", "отказано"),
}

PERSONS: Final[Mapping[str, Said]] = {
    PersonState.KNOWN: Said("known", "известен"),
    PersonState.WITHDRAWN: Said("has withdrawn consent", "отозвал согласие"),
    PersonState.ERASED: Said("erased", "уничтожен"),
}

#: How far telling a recipient has come.
TELLINGS: Final[Mapping[str, Said]] = {
    TellingState.WAITING: Said("waits for the delivery's outcome", "ждёт исхода передачи"),
    TellingState.QUEUED: Said("to be told", "ждёт уведомления"),
    TellingState.SUPPRESSED: Said("does not use it any more", "использование прекращено"),
    TellingState.ERASED: Said("destroyed it", "уничтожено получателем"),
    TellingState.NOT_HELD: Said("has no such record", "у получателя записи нет"),
    TellingState.FAILED: Said("refuses", "получатель отказывает"),
    TellingState.BY_HAND: Said("must be told by hand", "сообщить вручную"),
    TellingState.TOLD: Said("told by hand", "сообщено вручную"),
}

#: Codes of our own that explain a delivery. A vendor's code is not here and stays as it came.
CODES: Final[Mapping[str, Said]] = {
    IN_DOUBT: Said("nobody knows whether it arrived", "неизвестно, дошло ли"),
    "absent": Said("the recipient has no record under our key", "у получателя нет записи с нашим ключом"),
    "answer_does_not_match": Said("the answer does not speak of what was sent", "ответ не о том, что отправлено"),
    "answer_lost": Said("the answer was lost", "ответ потерян"),
    "attempts_exhausted": Said("all attempts were used up", "все попытки исчерпаны"),
    "cannot_be_told": Said("its connector can neither suppress nor erase", "коннектор не умеет ни остановить, ни уничтожить"),
    "cannot_suppress": Said("its connector cannot stop this one", "коннектор не может остановить эту запись"),
    "cannot_erase": Said("its connector cannot erase", "коннектор не умеет уничтожать"),
    "connection_lost": Said("the connection broke before the answer ended", "связь оборвалась до конца ответа"),
    "connection_refused": Said("nothing listens at the destination's address", "по адресу получателя никто не отвечает"),
    "erased": Said("the person was erased", "данные человека уничтожены"),
    "error_inside": Said("an error inside an answer of success", "ошибка внутри ответа «успешно»"),
    "fault_server": Said("a SOAP fault that does not say how far it came", "ошибка SOAP без подробностей"),
    "lease_expired": Said("the worker did not report back", "обработчик не ответил"),
    "missing_in_answer": Said("the answer says nothing about this record", "в ответе нет этой записи"),
    "not_configured": Said("leadgate.yaml has no such destination", "такого получателя в leadgate.yaml нет"),
    "not_delivered": Said("the record never went there", "запись туда не передана"),
    "not_json": Said("the answer is not JSON", "ответ не JSON"),
    "not_soap": Said("the answer is not SOAP", "ответ не SOAP"),
    "read_back_absent": Said("read back: it is not there", "сверка: у получателя записи нет"),
    "read_back_found": Said("read back: it is there", "сверка: запись у получателя есть"),
    "record_unreadable": Said("the stored record cannot be read", "сохранённая запись не читается"),
    "read_timeout": Said("the destination did not answer in time", "получатель не ответил вовремя"),
    "repeatable": Said("a repetition does no harm there", "повтор у получателя безвреден"),
    "throttled": Said("the destination asked us to slow down", "получатель просит снизить частоту"),
    "unauthorized": Said("the destination refuses our sign-in", "получатель не принимает наши учётные данные"),
    "unexpected_answer": Said("the answer belongs to another version", "ответ другой версии"),
    "unavailable": Said("the destination is not available", "получатель недоступен"),
}

#: What retention does with a thing, and why (``action.why``, the words of consent.retention).
RETENTION: Final[Mapping[str, Said]] = {
    "keep": Said("kept", "хранится"),
    "wait": Said("due, but a delivery is on its way", "срок вышел, но идёт передача"),
    "hold": Said("due, but under a legal hold", "срок вышел, но уничтожение приостановлено"),
    "destroy_submission": Said("received record to destroy", "входящая запись подлежит уничтожению"),
    "destroy_lead": Said("lead to destroy", "лид подлежит уничтожению"),
    "destroy_person": Said("person to erase", "данные человека подлежат уничтожению"),
    "destroy_evidence": Said("content of an act to destroy", "содержание акта подлежит уничтожению"),
    "refused": Said("it was refused", "в приёме отказано"),
    "quarantine_over": Said("its time in quarantine", "срок разбора"),
    "sealed_in_vault": Said("the lead stands in the vault", "лид уже в хранилище"),
    "consent_ended": Said("the consent ends by itself", "окончание срока согласия"),
    "withdrawn": Said("consent was withdrawn", "согласие отозвано"),
    "purpose_achieved": Said("the purpose is achieved", "цель достигнута"),
    "no_consent": Said("no consent carries it", "нет согласия"),
    "no_lead": Said("only a withdrawal is known of them", "известен только отзыв согласия"),
    "evidence_over": Said("the act was kept as long as it must be", "срок хранения акта"),
    "not_decided": Said("it waits for the gate", "ждёт проверки"),
}
