"""What a REST answer says of each record. It refuses to read success out of silence.

1. An error of the vendor's about the whole call means what the manifest says, under any status, 200 included.
2. Without a word about it the status decides (``answers.judge``).
3. Under 200 an error the manifest does not know is doubt after a write.
4. Results are matched by key or position. A status that is not in the table is uncertain; so is a record with two results; a
   count that differs from what was sent makes the whole batch uncertain, because no position means anything then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import requests

from integrations.contract.vendor_words import ABSENT, safe_code, safe_reference
from integrations.declarative.rest_plan import Operation, RestPlan, Results, as_word, dig
from integrations.transports.answers import expect_success, read_json, retry_after
from integrations.transports.http import Intent, unanswered
from schemas.delivery import DeliveryReceipt, Found
from schemas.errors import DeliveryError, TerminalError, TransientError, UncertainError
from schemas.rest_schema import ErrorMeaning, Match, RecordMeaning
from schemas.vocabulary import Outcome

_NO_CONTENT = 204  # RFC 9110 15.3.5


class _Meant(NamedTuple):
    """What a status means for a record; ``meaning`` is None if the manifest does not know it."""

    meaning: RecordMeaning | None
    outcome: Outcome
    created: bool | None = None


_MEANT = {
    meaning: _Meant(meaning, outcome, created)
    for meaning, outcome, created in (
        (RecordMeaning.CREATED, Outcome.ACCEPTED, True),
        (RecordMeaning.UPDATED, Outcome.ACCEPTED, False),
        (RecordMeaning.ACCEPTED, Outcome.ACCEPTED, None),
        (RecordMeaning.REJECTED, Outcome.REJECTED, None),
        (RecordMeaning.DEFERRED, Outcome.DEFERRED, None),
        (RecordMeaning.UNCERTAIN, Outcome.UNCERTAIN, None),
        (RecordMeaning.ABSENT, Outcome.ACCEPTED, None),
    )
}
_UNKNOWN = _Meant(None, Outcome.UNCERTAIN)


class Sent(NamedTuple):
    """One record as it went out."""

    key: str
    data: bytes
    digest: str | None


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
        return _whole(results, body, sent)
    items = _items(results, body)
    read = _receipt(plan, operation, results)
    if _in_order(results, items, sent):
        return [read(one, result) for one, result in zip(sent, items, strict=True)]
    receipts: dict[str, DeliveryReceipt] = {}
    for one, result in _matched(results, items, sent):
        if one.key in receipts:
            receipts[one.key] = DeliveryReceipt(
                key=one.key, outcome=Outcome.UNCERTAIN, code="two_results", sent_sha256=one.digest
            )
        else:
            receipts[one.key] = read(one, result)
    return list(receipts.values())


def _whole(results: Results | None, body: Any, sent: Sequence[Sent]) -> list[DeliveryReceipt]:
    answer = body if isinstance(body, dict) else {}
    reference = None
    if results is not None:
        count = results.count(answer)
        if results.has_count and (type(count) is not int or count != len(sent)):
            raise UncertainError("answer_does_not_match", "the destination counts other records than were sent")
        reference = results.reference(answer) if len(sent) == 1 else None
    return [
        DeliveryReceipt(
            key=one.key,
            outcome=Outcome.ACCEPTED,
            vendor_ref=safe_reference(reference, sent=one.data),
            sent_sha256=one.digest,
        )
        for one in sent
    ]


def _items(results: Results, body: Any) -> list[dict[str, Any]]:
    found = dig(body, results.at)
    if isinstance(found, dict):
        return [found]  # a vendor of single records answers one
    if isinstance(found, list):
        return [item if isinstance(item, dict) else {} for item in found]
    raise UncertainError("answer_does_not_match", "the answer holds no results where the manifest says")


def _in_order(results: Results, items: list[dict[str, Any]], sent: Sequence[Sent]) -> bool:
    """Whether the answer names each of our keys once, in our order, as nearly all do: then there is nothing to look for."""
    keys = [one.key for one in sent]
    return results.match is Match.KEY and list(map(results.key, items)) == keys and len(set(keys)) == len(keys)


def _matched(results: Results, items: list[dict[str, Any]], sent: Sequence[Sent]) -> Iterator[tuple[Sent, dict[str, Any]]]:
    if results.match is Match.POSITION:
        if len(items) != len(sent):
            raise UncertainError("answer_does_not_match", "the answer holds another number of results than were sent")
        yield from zip(sent, items, strict=True)
        return
    by_key = {one.key: one for one in sent}
    for item in items:
        key = results.key(item)
        one = by_key.get(key) if type(key) is str else None
        if one is not None:  # a key that was not sent is no result of ours
            yield one, item


def _receipt(plan: RestPlan, operation: Operation, results: Results) -> Callable[[Sent, dict[str, Any]], DeliveryReceipt]:
    """What reads one result: called for every record, so everything it needs is looked up here."""
    read_code, read_status, read_reference = results.code, results.status, results.reference
    told = {word: _MEANT[meaning] for word, meaning in operation.outcomes.items()}  # not once a record: an enum hashes slowly
    has_status, accepted = results.has_status, _MEANT[RecordMeaning.ACCEPTED]
    rejected, absent = _MEANT[RecordMeaning.REJECTED], _MEANT[RecordMeaning.ABSENT]

    def read(one: Sent, result: dict[str, Any]) -> DeliveryReceipt:
        word = read_code(result)
        if has_status:
            status = read_status(result)
            meant = told.get(status if type(status) is str else as_word(status), _UNKNOWN)
        elif result:
            meant = accepted if word is None else rejected
        else:
            meant = _UNKNOWN
        code = field = None
        if word is not None or meant is _UNKNOWN or meant is rejected:
            code = safe_code(word, sent=one.data) or ("unknown_status" if meant is _UNKNOWN else "no_reason_given")
            if meant is rejected:
                meant = _MEANT[plan.codes.get(as_word(word), RecordMeaning.REJECTED)]
            name = results.field(result)
            field = plan.mapper.our_name(name) if isinstance(name, str) else None
        elif meant is absent:
            code = ABSENT
        reference = read_reference(result)
        return DeliveryReceipt(
            key=one.key,
            outcome=meant.outcome,
            vendor_ref=None if reference is None else safe_reference(reference, sent=one.data),
            code=code,
            field=field,
            created=meant.created,
            sent_sha256=one.digest,
        )

    return read


def collect_found(results: Results, body: Any, asked: frozenset[str], found: dict[str, Found]) -> None:
    """Add what a look-up's answer holds. An answer that cannot be read must not pass for 'certainly not there'."""
    items = dig(body, results.at)
    if isinstance(items, dict):
        items = [items]
    if not isinstance(items, list):
        raise TransientError("unreadable_lookup", "the look-up's answer holds no list where the manifest says")
    for item in items:
        key = results.key(item) if isinstance(item, dict) else None
        if not isinstance(key, str):
            raise TransientError("unreadable_lookup", "the look-up's answer names no key; the manifest may be wrong")
        if key in asked:
            before = found.get(key)
            reference = before.vendor_ref if before else safe_reference(results.reference(item))  # the oldest, as listed
            found[key] = Found(key=key, vendor_ref=reference, count=before.count + 1 if before else 1)
