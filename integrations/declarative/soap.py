"""A SOAP destination out of a manifest alone. It refuses, when it is built and with the place named, an operation or element
the WSDL does not have; at run time it refuses to take silence for success.

``connector.yaml`` says which operation does what, where the records go, where the results stand and what the vendor's words
mean; ``soap_plan`` shows every key.

What becomes of one batch, in the order of the code:

1. A record that does not fit the WSDL is rejected by itself and never sent.
2. A typed fault means what the manifest says. One that refuses the batch because of a record rejects that record; if it does
   not say which, the batch is halved. The others are sent again at once: the fault promises that nothing was stored.
3. A fault without detail after a write leaves doubt, unless its code puts the blame on the request (``judge_untyped``).
4. Results are matched by key. A status that is not in the table, and a record nothing is said about, are uncertain.

Every record is offered to the service once more only after a definite refusal, and only while a call can still end before the
pipeline's lease does, which is cut for one call and some seconds (``_SPARE``).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import count
from typing import Any, Final, TypeVar

import msgspec
from lxml import etree

from integrations.contract.destination import Destination, Health
from integrations.contract.manifest import Endpoint, Manifest
from integrations.contract.vendor_words import ABSENT, safe_code, safe_reference
from integrations.declarative.soap_plan import Fault as Meaning
from integrations.declarative.soap_plan import Operation, SoapPlanner
from integrations.transports.http import Intent
from integrations.transports.soap_answers import Answer, Fault, elements_at, judge_untyped, text_at
from integrations.transports.soap_records import RecordMisfitError, Records
from schemas.delivery import DeliveryReceipt, Disclosure, Found
from schemas.errors import DeliveryError, TerminalError, TransientError, UncertainError
from schemas.rest_schema import RecordMeaning
from schemas.soap_schema import FaultMeaning
from schemas.vocabulary import Outcome

T = TypeVar("T")

_OUTCOMES: Final = {
    RecordMeaning.CREATED: Outcome.ACCEPTED,
    RecordMeaning.UPDATED: Outcome.ACCEPTED,
    RecordMeaning.ACCEPTED: Outcome.ACCEPTED,
    RecordMeaning.REJECTED: Outcome.REJECTED,
    RecordMeaning.DEFERRED: Outcome.DEFERRED,
    RecordMeaning.UNCERTAIN: Outcome.UNCERTAIN,
    RecordMeaning.ABSENT: Outcome.ACCEPTED,
}
#: Seconds a batch that was refused because of a record may go on. The pipeline's lease outlasts one call by its call margin,
#: five seconds unless configured otherwise; this must stay below it.
_SPARE: Final = 4.0
#: Calls of one batch: enough to find one bad record among a hundred by halving.
_MOST_CALLS: Final = 16
_REQUEST_REFUSED: Final = "the destination refuses the request, not a record: check the options and the version of the WSDL"
#: A token of WS-Security carries the time; a clock that differs looks like a wrong password.
_NOT_SIGNED_IN: Final = "the destination does not accept the credentials: renew login and secret, and compare both clocks"
_CREATED: Final = {RecordMeaning.CREATED: True, RecordMeaning.UPDATED: False}


@dataclass(frozen=True, slots=True)
class _Sent:
    """One record on its way: ``data`` is hashed for the receipt, ``text`` is the element that travels."""

    data: bytes = field(repr=False)
    text: str = field(repr=False)


class SoapDestination(Destination):
    """See the module. A vendor whose SOAP fits the manifest needs no Python; one that almost fits may subclass this."""

    name = "soap"

    def __init__(self, *, manifest: Manifest, endpoint: Endpoint) -> None:
        super().__init__(manifest=manifest, endpoint=endpoint)
        planner = SoapPlanner(manifest, endpoint)
        self._service = planner.service(endpoint)
        self.plan = planner.plan(self._service)

    def close(self) -> None:
        self._service.close()

    # -- hooks ----------------------------------------------------------------------------------------------------------

    def _deliver(self, batch: Sequence[Disclosure]) -> Sequence[DeliveryReceipt]:
        operation = self.plan.operations["deliver"]
        return self._write(operation, {one.key: operation.record(one.key, one.fields.reveal()) for one in batch})

    def _suppress(self, batch: Sequence[Disclosure]) -> Sequence[DeliveryReceipt]:
        operation = self.plan.operations["suppress"]
        receipts: list[DeliveryReceipt] = []
        for part in self._parts(batch):
            receipts += self._write(operation, {one.key: operation.record(one.key, one.fields.reveal()) for one in part})
        return receipts

    def _erase(self, keys: Sequence[str]) -> Sequence[DeliveryReceipt]:
        operation = self.plan.operations["erase"]
        receipts: list[DeliveryReceipt] = []
        for part in self._parts(keys):
            receipts += self._write(operation, {key: operation.record(key, {}) for key in part})
        return receipts

    def _lookup(self, keys: Sequence[str]) -> dict[str, Found]:
        operation = self.plan.operations["lookup"]
        found: dict[str, Found] = {}
        for part in self._parts(keys):
            written, misfits = operation.batch.prepare([operation.record(key, {}) for key in part])
            if misfits:
                raise TerminalError("key_does_not_fit", "the WSDL does not take our keys", field=operation.name)
            reply = self._service.call(operation.name, operation.arguments, intent=Intent.READ, records=written)
            if isinstance(reply, Fault):
                raise self._judge(reply, Intent.READ)
            _collect_found(operation, reply, frozenset(part), found)
        return found

    def _check(self) -> Health:
        check = self.plan.check
        reply = self._service.call(check.name, check.arguments, intent=Intent.READ)
        if isinstance(reply, Fault):
            raise self._judge(reply, Intent.READ)
        for path, (value, advice) in check.expect.items():
            if text_at(reply.element, path) != value:
                return Health(ok=False, message=f"signed in, but {path} is not as expected", advice=advice)
        return Health(ok=True, message="signed in; the service answers")

    # -- one call -------------------------------------------------------------------------------------------------------

    def _parts(self, items: Sequence[T]) -> list[Sequence[T]]:
        size = self.manifest.capabilities.batch_size
        return [items[start : start + size] for start in range(0, len(items), size)]

    def _write(self, operation: Operation, records: Mapping[str, Any]) -> list[DeliveryReceipt]:
        keys = list(records)
        written, misfits = operation.batch.prepare(list(records.values()))
        fitting = [key for index, key in enumerate(keys) if index not in misfits]
        receipts = [self._misfit(keys[index], misfit) for index, misfit in misfits.items()]
        sent = {key: _Sent(data=_encode(records[key]), text=text) for key, text in zip(fitting, written.written, strict=True)}
        return receipts + self._send(operation, sent) if sent else receipts

    def _send(self, operation: Operation, sent: Mapping[str, _Sent]) -> list[DeliveryReceipt]:
        """Send all; after a refusal because of a record, send the others. An error of the first call is the batch's."""
        until = time.monotonic() + _SPARE
        receipts: list[DeliveryReceipt] = []
        groups: list[Mapping[str, _Sent]] = [sent]
        for calls in count():
            if not groups:
                break
            group = groups.pop()
            if calls and (calls >= _MOST_CALLS or time.monotonic() > until or self.limits.calls_per_second):
                receipts += _all(group, Outcome.DEFERRED, "batch_refused")
                continue
            try:
                told, again = self._send_once(operation, group)
            except DeliveryError as error:
                if not calls:
                    raise
                receipts += _told(group, error)
                until = 0.0  # whatever it was, it is not the records: the rest waits
            else:
                receipts += told
                groups += again
        return receipts

    def _send_once(
        self, operation: Operation, group: Mapping[str, _Sent]
    ) -> tuple[list[DeliveryReceipt], list[Mapping[str, _Sent]]]:
        records = Records(batch=operation.batch, written=[one.text for one in group.values()])
        reply = self._service.call(operation.name, operation.arguments, intent=Intent.WRITE, records=records)
        return self._refused(reply, group) if isinstance(reply, Fault) else (self._read(operation, reply, group), [])

    def _misfit(self, key: str, misfit: RecordMisfitError) -> DeliveryReceipt:
        field = self.plan.mapper.our_name(misfit.element)
        return DeliveryReceipt(key=key, outcome=Outcome.REJECTED, code=misfit.code, field=field)

    def _read(self, operation: Operation, answer: Answer, sent: Mapping[str, _Sent]) -> list[DeliveryReceipt]:
        """One receipt a result. A key we did not send is no result of ours; the base class names what is missing."""
        receipts: dict[str, DeliveryReceipt] = {}
        for result in elements_at(answer.element, operation.results.at):
            words = _words(result)
            key = words.get(operation.results.key, "")
            if key not in sent:
                continue
            # Two results for one key contradict each other or tell of a double: either way somebody must look.
            doubled = DeliveryReceipt(key=key, outcome=Outcome.UNCERTAIN, code="two_results")
            receipts[key] = doubled if key in receipts else self._receipt(operation, words, key, sent[key].data)
        return list(receipts.values())

    def _receipt(self, operation: Operation, words: Mapping[str, str], key: str, record: bytes) -> DeliveryReceipt:
        at = operation.results
        meaning = operation.outcomes.get(words.get(at.status, ""))
        code = safe_code(words.get(at.code), sent=record)
        if meaning is RecordMeaning.REJECTED and code is not None:
            meaning = self.plan.codes.get(code, meaning)
        if meaning is RecordMeaning.ABSENT:
            code = ABSENT
        return DeliveryReceipt(
            key=key,
            outcome=Outcome.UNCERTAIN if meaning is None else _OUTCOMES[meaning],
            vendor_ref=safe_reference(words.get(at.reference), sent=record),
            code="unknown_status" if meaning is None else code,
            field=self.plan.mapper.our_name(words.get(at.field)),
            created=None if meaning is None else _CREATED.get(meaning),
            sent_sha256=sha256(record).hexdigest(),
        )

    # -- faults ---------------------------------------------------------------------------------------------------------

    def _refused(self, fault: Fault, group: Mapping[str, _Sent]) -> tuple[list[DeliveryReceipt], list[Mapping[str, _Sent]]]:
        """What a fault rejects, and in which groups the others are sent again. A fault that blames no record is an error."""
        meaning = self.plan.faults.get(fault.name or "")
        if meaning is None or meaning.means is not FaultMeaning.REFUSED:
            raise self._judge(fault, Intent.WRITE)
        element = text_at(fault.detail, meaning.field) if meaning.field else None
        field = self.plan.mapper.our_name(element)
        blamed = text_at(fault.detail, meaning.key) if meaning.key else None
        if blamed not in group if blamed else element and not field:
            raise TerminalError("request_refused", _REQUEST_REFUSED)
        if not blamed:
            if len(group) > 1:
                return [], _halves(group)
            (blamed,) = group
        code = safe_code(text_at(fault.detail, meaning.code), sent=group[blamed].data) if meaning.code else None
        rejected = DeliveryReceipt(key=blamed, outcome=Outcome.REJECTED, code=code or "refused", field=field)
        others = {key: one for key, one in group.items() if key != blamed}
        return [rejected], [others] if others else []

    def _judge(self, fault: Fault, intent: Intent) -> DeliveryError:
        meaning = self.plan.faults.get(fault.name or "")
        return judge_untyped(fault, intent) if meaning is None else _typed(meaning, fault)


def _halves(group: Mapping[str, _Sent]) -> list[Mapping[str, _Sent]]:
    items = list(group.items())
    middle = len(items) // 2
    return [dict(items[:middle]), dict(items[middle:])]


def _all(group: Mapping[str, _Sent], outcome: Outcome, code: str, pause: float | None = None) -> list[DeliveryReceipt]:
    return [DeliveryReceipt(key=key, outcome=outcome, code=code, retry_after=pause) for key in group]


def _told(group: Mapping[str, _Sent], error: DeliveryError) -> list[DeliveryReceipt]:
    """An error of a later call, as receipts: the earlier calls have outcomes that must not be lost."""
    if isinstance(error, UncertainError):
        return _all(group, Outcome.UNCERTAIN, error.code)
    return _all(group, Outcome.DEFERRED, error.code, getattr(error, "retry_after", None))


def _typed(meaning: Meaning, fault: Fault) -> DeliveryError:
    pause = text_at(fault.detail, meaning.retry_after) if meaning.retry_after else None
    retry_after = float(pause) if pause and pause.isascii() and pause.isdigit() else None
    match meaning.means:
        case FaultMeaning.UNAUTHORIZED:
            return TerminalError("unauthorized", _NOT_SIGNED_IN)
        case FaultMeaning.THROTTLED:
            return TransientError("throttled", "the destination asks to slow down", retry_after=retry_after, throttled=True)
        case FaultMeaning.UNAVAILABLE:
            return TransientError("unavailable", "the destination says it did nothing for now", retry_after=retry_after)
        case FaultMeaning.REFUSED:
            return TerminalError("request_refused", _REQUEST_REFUSED)


def _collect_found(operation: Operation, answer: Answer, asked: frozenset[str], found: dict[str, Found]) -> None:
    """Add what a look-up's answer holds. An answer that cannot be read must not pass for 'certainly not there'."""
    at = operation.results
    for result in elements_at(answer.element, at.at):
        words = _words(result)
        key = words.get(at.key)
        if key is None:
            raise TransientError("unreadable_lookup", "the look-up's answer names no key; the manifest may be wrong")
        if key in asked:
            # Of doubles the first reference is kept: it is the record our first attempt made.
            first = found.get(key) or Found(key=key, vendor_ref=safe_reference(words.get(at.reference)), count=0)
            found[key] = replace(first, count=first.count + 1)


_encode = msgspec.json.Encoder().encode


def _words(result: etree._Element) -> dict[str, str]:
    """A result's own children as words by local name: results are flat in every contract we have seen."""
    return {child.tag.rpartition("}")[2]: child.text.strip() for child in result if child.text and isinstance(child.tag, str)}
