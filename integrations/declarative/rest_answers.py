"""What a REST answer says of each record. It refuses to read success out of silence.

1. An error of the vendor's about the whole call means what the manifest says, under any status, 200 included.
2. Without a word about it the status decides (``answers.judge``).
3. Under 200 an error the manifest does not know is doubt after a write.
4. Results are matched by key or position. A status that is not in the table is uncertain; so is a record with two results; a
   count that differs from what was sent makes the whole batch uncertain, because no position means anything then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import requests

from integrations.contract.vendor_words import safe_code, safe_reference
from integrations.declarative.rest_plan import Operation, RestPlan, Results, as_word, dig
from integrations.transports.answers import expect_success, read_json, retry_after
from integrations.transports.http import Intent, unanswered
from schemas.delivery import DeliveryReceipt, Found
from schemas.errors import DeliveryError, TerminalError, TransientError, UncertainError
from schemas.rest_schema import ErrorMeaning, Match, RecordMeaning
from schemas.vocabulary import Outcome

_NO_CONTENT = 204  # RFC 9110 15.3.5

_OUTCOMES = {
    RecordMeaning.CREATED: Outcome.ACCEPTED,
    RecordMeaning.UPDATED: Outcome.ACCEPTED,
    RecordMeaning.ACCEPTED: Outcome.ACCEPTED,
    RecordMeaning.REJECTED: Outcome.REJECTED,
    RecordMeaning.DEFERRED: Outcome.DEFERRED,
    RecordMeaning.UNCERTAIN: Outcome.UNCERTAIN,
}
_CREATED = {RecordMeaning.CREATED: True, RecordMeaning.UPDATED: False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One record as it went out. ``values`` is only looked at when the vendor complains."""

    key: str
    values: Mapping[str, Any]
    digest: str | None = None


def read_body(plan: RestPlan, response: requests.Response, intent: Intent) -> Any:
    """The answer's JSON once it is clear that the call as a whole succeeded; None for an empty one. Raises DeliveryError."""
    word = _error_word(plan, response)
    meaning = plan.errors.get(word) if word is not None else None
    if meaning is not None:
        raise _declared(meaning, response)
    expect_success(response, intent)
    if word is not None:
        raise unanswered(intent, "error_inside", "the answer holds an error the manifest does not know")
    if response.status_code == _NO_CONTENT or not response.content:
        return None
    return read_json(response, intent)


def _error_word(plan: RestPlan, response: requests.Response) -> str | None:
    if plan.error_at is None or not response.content:
        return None
    if response.ok and plan.error_at[0].encode() not in response.content:
        return None  # the usual answer, megabytes at times, is parsed once and not twice
    try:
        found = dig(msgspec.json.decode(response.content), plan.error_at)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return None if found is None or found is False or isinstance(found, dict | list) else as_word(found)


def _declared(meaning: ErrorMeaning, response: requests.Response) -> DeliveryError:
    pause = retry_after(response)
    match meaning:
        case ErrorMeaning.THROTTLED:
            return TransientError("throttled", "the destination asks to slow down", retry_after=pause, throttled=True)
        case ErrorMeaning.TRANSIENT:
            return TransientError("unavailable", "the destination says it did nothing for now", retry_after=pause)
        case ErrorMeaning.UNCERTAIN:
            return UncertainError("vendor_doubt", "the destination failed at work; the request may have been carried out")
        case ErrorMeaning.TERMINAL:
            code = "unauthorized" if response.status_code == requests.codes.unauthorized else "request_refused"
            return TerminalError(code, "the destination refuses the request as a whole")


def read_receipts(plan: RestPlan, operation: Operation, body: Any, sent: Sequence[Sent]) -> list[DeliveryReceipt]:
    """One receipt for every record the answer speaks of; the base class makes the others uncertain."""
    results = operation.results
    if results is None or results.match is Match.WHOLE:
        if results is not None and results.count is not None and dig(body, results.count) != len(sent):
            raise UncertainError("answer_does_not_match", "the destination counts other records than were sent")
        reference = dig(body, results.reference) if results and len(sent) == 1 else None
        return [
            DeliveryReceipt(
                key=one.key,
                outcome=Outcome.ACCEPTED,
                vendor_ref=safe_reference(reference, sent=_values(one.values)),
                sent_sha256=one.digest,
            )
            for one in sent
        ]
    receipts: dict[str, DeliveryReceipt] = {}
    for one, result in _matched(results, _items(results, body), sent):
        doubled = DeliveryReceipt(key=one.key, outcome=Outcome.UNCERTAIN, code="two_results", sent_sha256=one.digest)
        receipts[one.key] = doubled if one.key in receipts else _receipt(plan, operation, results, result, one)
    return list(receipts.values())


def _items(results: Results, body: Any) -> list[Any]:
    found = dig(body, results.at)
    if isinstance(found, dict):
        return [found]  # a vendor of single records answers one
    if isinstance(found, list):
        return found
    raise UncertainError("answer_does_not_match", "the answer holds no results where the manifest says")


def _matched(results: Results, items: list[Any], sent: Sequence[Sent]) -> Iterator[tuple[Sent, Any]]:
    if results.match is Match.POSITION:
        if len(items) != len(sent):
            raise UncertainError("answer_does_not_match", "the answer holds another number of results than were sent")
        yield from zip(sent, items, strict=True)
        return
    by_key = {one.key: one for one in sent}
    for item in items:
        one = by_key.get(dig(item, results.key)) if isinstance(dig(item, results.key), str) else None
        if one is not None:  # a key that was not sent is no result of ours
            yield one, item


def _receipt(plan: RestPlan, operation: Operation, results: Results, result: Any, one: Sent) -> DeliveryReceipt:
    word = dig(result, results.code)
    meaning = _meaning(plan, operation, results, result, word)
    outcome = Outcome.UNCERTAIN if meaning is None else _OUTCOMES[meaning]
    if outcome is Outcome.ACCEPTED and word is None:
        # The everyday case, kept short: nothing but the reference can repeat a value.
        code = field = None
    else:
        code = safe_code(word, sent=_values(one.values)) or ("unknown_status" if meaning is None else None)
        name = dig(result, results.field)
        field = plan.mapper.our_name(name) if isinstance(name, str) else None
    return DeliveryReceipt(
        key=one.key,
        outcome=outcome,
        vendor_ref=safe_reference(dig(result, results.reference), sent=_values(one.values)),
        code=code,
        field=field,
        created=_CREATED.get(meaning) if meaning is not None else None,
        sent_sha256=one.digest,
    )


def _meaning(plan: RestPlan, operation: Operation, results: Results, result: Any, word: Any) -> RecordMeaning | None:
    """What the vendor says of one record; None if it says nothing we know."""
    if not isinstance(result, dict):
        return None
    if results.status is None:
        meaning = RecordMeaning.ACCEPTED if word is None else RecordMeaning.REJECTED
    else:
        known = operation.outcomes.get(as_word(dig(result, results.status)))
        if known is None:
            return None
        meaning = known
    if meaning is RecordMeaning.REJECTED and word is not None:
        meaning = plan.codes.get(as_word(word), meaning)
    return meaning


def _values(record: Any) -> Iterator[Any]:
    if isinstance(record, Mapping):
        for value in record.values():
            yield from _values(value)
    elif isinstance(record, list):
        for value in record:
            yield from _values(value)
    else:
        yield record


def collect_found(results: Results, body: Any, asked: frozenset[str], found: dict[str, Found]) -> None:
    """Add what a look-up's answer holds. An answer that cannot be read must not pass for 'certainly not there'."""
    items = dig(body, results.at)
    if isinstance(items, dict):
        items = [items]
    if not isinstance(items, list):
        raise TransientError("unreadable_lookup", "the look-up's answer holds no list where the manifest says")
    for item in items:
        key = dig(item, results.key)
        if not isinstance(key, str):
            raise TransientError("unreadable_lookup", "the look-up's answer names no key; the manifest may be wrong")
        if key in asked:
            before = found.get(key)
            reference = safe_reference(dig(item, results.reference))
            found[key] = Found(key=key, vendor_ref=reference, count=before.count + 1 if before else 1)
