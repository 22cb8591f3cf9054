"""What an act of destruction says in words: categories of data, reasons and ways of destruction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from schemas.vocabulary import TellingState
from schemas.words.vocabulary import RETENTION, Said

#: Names of fields as categories of personal data. A topic's own field that is not here is said by its name.
CATEGORIES: Final[Mapping[str, Said]] = {
    "given_name": Said("given name", "имя"),
    "family_name": Said("family name", "фамилия"),
    "phone": Said("phone number", "номер телефона"),
    "email": Said("e-mail address", "адрес электронной почты"),
    "city": Said("city", "город"),
    "region": Said("region", "регион"),
    "text": Said("text of the message", "текст обращения"),
    "user": Said("identifier at the social platform", "идентификатор пользователя социальной сети"),
    "account": Said("account of the brand that was written to", "аккаунт бренда, в который обратился субъект"),
    "thread_id": Said("identifier of the conversation", "идентификатор переписки"),
    "message_ids": Said("identifiers of the messages", "идентификаторы сообщений"),
    "permalink": Said("link to the message", "ссылка на сообщение"),
    "moderator": Said("moderator who answered", "модератор, ответивший на обращение"),
    "script_version": Said("version of the moderator's script", "версия скрипта модератора"),
    "car_model": Said("car model asked about", "интересующая модель автомобиля"),
    "dealer": Said("dealer", "дилерский центр"),
    "booking_reference": Said("booking reference", "номер бронирования"),
    "flight": Said("flight", "рейс"),
}

#: Why people are destroyed. A word an officer chose is said as it is.
REASONS: Final[Mapping[str, Said]] = {
    **RETENTION,
    "subject_request": Said("the person demanded it", "требование субъекта персональных данных"),
    "objection": Said("the person objects to the processing", "возражение субъекта против обработки"),
    "unlawful": Said("the processing was unlawful", "неправомерная обработка персональных данных"),
    "withdrawn": Said("consent was withdrawn", "отзыв согласия на обработку персональных данных"),
    "consent_ended": Said("the term of the consent ended", "истечение срока действия согласия"),
    "purpose_achieved": Said("the purpose is achieved", "достижение цели обработки персональных данных"),
    "no_consent": Said("no consent carries the processing", "отсутствие согласия на обработку"),
    "no_lead": Said(
        "only a withdrawal was known, and it has served its purpose",
        "известен был только отзыв согласия, и он более не нужен",
    ),
    "restored_backup": Said(
        "a restored backup had brought back what was destroyed before",
        "повторное уничтожение данных, вернувшихся из резервной копии",
    ),
}

#: How people are destroyed.
METHODS: Final[Mapping[str, Said]] = {
    "key_destroyed": Said(
        "Irreversible destruction of the person's own encryption key (AES-256), together with the keyed search entries, the"
        " sealed records and the copies as received. Without the key no stored or copied record can be opened.",
        "Безвозвратное уничтожение индивидуального ключа шифрования субъекта (AES-256) вместе с ключевыми поисковыми "
        "записями, зашифрованными записями и исходными обращениями. Без ключа ни одна сохранённая или скопированная запись не "
        "может быть расшифрована.",
    ),
}

#: How far telling a recipient has come, as it stands on the act.
COPIES: Final[Mapping[str, Said]] = {
    TellingState.WAITING: Said(
        "the transfer was under way; its outcome is awaited", "передача выполнялась; ожидается её исход"
    ),
    TellingState.QUEUED: Said("asked to destroy; no answer yet", "направлено требование об уничтожении; ответа нет"),
    TellingState.SUPPRESSED: Said("stopped using it; NOT destroyed", "использование прекращено; НЕ уничтожено"),
    TellingState.ERASED: Said("destroyed, as the recipient confirmed", "уничтожено, подтверждено получателем"),
    TellingState.NOT_HELD: Said("holds no record", "записи не имеет"),
    TellingState.FAILED: Said("refused; NOT destroyed", "отказ; НЕ уничтожено"),
    TellingState.BY_HAND: Said(
        "cannot be told by the program; must be told by hand", "программа сообщить не может; требуется сообщить вручную"
    ),
    TellingState.TOLD: Said("told by hand", "уведомлён вручную"),
    "not_asked": Said("holds a copy; was not asked to destroy it", "имеет копию; требование не направлялось"),
}
