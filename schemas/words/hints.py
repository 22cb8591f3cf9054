"""The Russian of every sentence a finding may carry. A hint is stored in English, as it was written; here it is read.

Sentences that name a row, a lead, a connector or a code of ours keep a gap; whatever stands in it is carried over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from schemas.fields.hint import Hint
from schemas.vocabulary import Language

_FIELDS: Final[Mapping[str, str]] = {
    Hint.INVALID: "значение недопустимо",
    Hint.REQUIRED: "обязательное поле",
    Hint.NOT_TEXT: "должен быть текст",
    Hint.NOT_A_LIST: "должен быть список",
    Hint.NOT_AN_OBJECT: "должен быть объект",
    Hint.TOO_LONG: "длиннее, чем допускает это поле",
    Hint.TOO_MANY: "значений больше, чем допускает это поле",
    Hint.CONTROL_CHARACTER: "содержит управляющий символ или повреждённый знак",
    Hint.NO_LETTER: "нет ни одной буквы",
    Hint.UNKNOWN_KEY: "у лида нет такого поля",
    Hint.UNKNOWN_WORD: "этого слова нет среди допустимых для поля",
    Hint.NOT_AN_IDENTIFIER: "нужны печатные символы ASCII без пробелов или целое число",
    Hint.NOT_A_CODE: "допустимы латинские буквы, цифры, точка, дефис и подчёркивание",
    Hint.NOT_A_COUNTRY: "нужен двухбуквенный код страны (ISO 3166-1 alpha-2)",
    Hint.NOT_HTTPS: "нужен адрес https без имени пользователя и пробелов",
    Hint.NOT_A_DIGEST: "нужен отпечаток SHA-256: 64 шестнадцатеричные цифры",
    Hint.NOT_A_MOMENT: "нужны дата и время по RFC 3339",
    Hint.NO_TIME_ZONE: "не указано смещение от UTC (RFC 3339)",
    Hint.NOT_AN_EMAIL: "это не адрес электронной почты",
    Hint.NOT_A_PHONE: "это не номер телефона",
    Hint.PHONE_LETTERS: "в номере буквы: запишите его цифрами",
    Hint.PHONE_EXTENSION: "номер с добавочным: перезвонить можно только на прямой номер",
    Hint.PHONE_LENGTH: "цифр меньше или больше, чем бывает в этой стране; иностранный номер пишется с + и кодом страны",
    Hint.PHONE_NOT_IN_USE: "такого номера в этой стране не бывает; иностранный номер пишется с + и кодом страны",
    Hint.PHONE_NEEDS_COUNTRY: "номер должен начинаться с + и кода страны: у бренда нет страны по умолчанию",
    Hint.UNKNOWN_BRAND: "такого бренда в этой системе нет",
    Hint.UNKNOWN_TOPIC: "такой темы у этого бренда нет",
    Hint.NOT_A_TOPIC_FIELD: "у этой темы нет такого поля",
    Hint.NO_CONSENT: "согласие не указано",
}

_GATE: Final[Mapping[str, str]] = {
    "is no purpose of this brand": "у этого бренда нет такой цели",
    "the notice does not name this purpose": "в тексте согласия эта цель не названа",
    "the term of this purpose is over": "срок согласия на эту цель истёк",
    "this purpose was withdrawn after consent was given": "согласие на эту цель отозвано после того, как было дано",
    "a marketing purpose needs the digest of what shows the agreement": "для рекламной цели нужен отпечаток доказательства",
    "a marketing purpose needs a text that names it alone": "рекламной цели нужен отдельный текст, где названа только она",
    "consent in this country is given for one purpose at a time; this text names several": (
        "в этой стране согласие даётся на одну цель; в этом тексте их несколько"
    ),
    "a newer version of this notice asks for new consent": "новая версия этого текста требует нового согласия",
    "the recorded basis of the transfer abroad does not hold yet": "основание передачи за границу ещё не действует",
    "neither a phone nor an e-mail is given": "не указаны ни телефон, ни электронная почта",
    "no destination may have this lead under its purposes": "ни одному получателю нельзя передать лид с этими целями",
    "no destination can use the lead without it": "без этого поля лид не нужен ни одному получателю",
    "the destination may no longer have it for this purpose": "этому получателю больше нельзя передавать с этой целью",
    "this brand has no notice of that id, version and language": "у бренда нет такого текста согласия (номер, версия, язык)",
    "the text that was shown is not the text of this notice": "показан не тот текст согласия, который зарегистрирован",
    "lies in the future": "время ещё не наступило",
    "lies before the notice existed": "раньше, чем появился этот текст согласия",
    "lies after this version of the notice was retired": "позже, чем эта версия текста согласия перестала действовать",
    "is not known: give a phone or the country": "неизвестна: укажите телефон или страну",
    "this brand does not serve this country": "бренд не обслуживает эту страну",
    "the same request is already under way as lead {}": "такая же заявка уже обрабатывается, лид {}",
    "names a purpose this brand does not have": "названа цель, которой у бренда нет",
    "cannot be looked up": "по этому значению нельзя искать",
    "is not usable": "значение нельзя использовать",
    "this source is not configured": "этот источник не настроен",
    "the seal does not open ({})": "запечатанная запись не открывается ({})",
    "the person's key does not open ({})": "ключ человека не открывается ({})",
    "reading it failed with {}; the source {} has a mistake": "чтение не удалось ({}); ошибка в источнике {}",
}

_SOURCES: Final[Mapping[str, str]] = {
    "the bytes are not one JSON document in UTF-8": "это не один документ JSON в UTF-8",
    "the document is not a JSON object": "документ не является объектом JSON",
    "this source speaks for another brand": "этот источник передаёт лиды другого бренда",
    "kind is 'lead' or 'withdrawal'": "kind - это lead или withdrawal",
    "the row could not be read": "строку не удалось прочитать",
    "row {}: {}": "строка {}: {}",
    "the row is longer than one lead may be; only its beginning was kept": (
        "строка длиннее, чем может быть лид; сохранено только её начало"
    ),
    "a quotation mark opens a cell and nothing closes it where it should": "кавычка открывает ячейку и нигде не закрыта",
    "the row has more cells than the header; a delimiter inside a cell must be quoted": (
        "в строке больше ячеек, чем в заголовке; разделитель внутри ячейки нужно брать в кавычки"
    ),
    "the row holds bytes that are no text in the encoding of the file": "часть строки не читается в кодировке файла",
    "the cell holds a formula whose result was never saved; open the file in Excel and save it": (
        "в ячейке формула без сохранённого результата; откройте файл в Excel и сохраните"
    ),
    "the cell shows an Excel error instead of a value": "в ячейке ошибка Excel вместо значения",
    "a withdrawal names a phone, an e-mail address or a platform user": (
        "в отзыве нужен телефон, адрес почты или пользователь соцсети"
    ),
    "a withdrawal names the brand it is spoken to": "в отзыве нужно назвать бренд",
    "no phone number can be read here": "номер телефона не читается",
    "no e-mail address can be read here": "адрес электронной почты не читается",
    "a platform user is only known together with the channel": "пользователь соцсети известен только вместе с каналом",
    "no platform user id can be read here": "номер пользователя соцсети не читается",
    "purposes are a list of purpose codes; leave them out for all": "цели - это список кодов; без этого поля - все цели",
    "the stored event cannot be read": "сохранённое событие не читается",
    "the event holds no object": "в событии нет объекта",
    "this form is not configured; add it to the source's forms and replay": (
        "эта форма не настроена; добавьте её в forms источника и верните запись на проверку"
    ),
    "the event holds no answers": "в событии нет ответов",
    "the event does not say who forbids messages": "в событии не сказано, кто запретил сообщения",
}

RUSSIAN: Final[Mapping[str, str]] = {**_FIELDS, **_GATE, **_SOURCES}
#: Sentences with gaps: what they look like once the gaps are filled. "row {}: {}" last, it is the widest.
_GAPS: Final = tuple(
    (re.compile(re.escape(english).replace(r"\{\}", "(.+?)")), russian)
    for english, russian in RUSSIAN.items()
    if "{}" in english
)


def hint(text: str, language: Language) -> str:
    """A stored hint in the reader's language; as it was written, if nobody here knows it (a stranger's connector, say)."""
    if language is not Language.RU:
        return text
    if known := RUSSIAN.get(text):
        return known
    for pattern, russian in _GAPS:
        if found := pattern.fullmatch(text):
            return russian.format(*(RUSSIAN.get(gap, gap) for gap in found.groups()))
    return text
