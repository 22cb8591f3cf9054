"""A REST destination out of a manifest alone. It refuses, when it is built and with the place named, a manifest it cannot
follow; it makes one attempt and one call a delivery, and leaves repeating to the pipeline.

Each record is written once: the bytes that are hashed for the receipt are the bytes that go out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, TypeVar

import msgspec
import requests
from requests.auth import HTTPBasicAuth

from integrations.contract.destination import Destination, Health
from integrations.contract.manifest import Endpoint, Manifest
from integrations.contract.vendor_words import ABSENT
from integrations.declarative.rest_answers import Sent, collect_found, read_body, read_receipts
from integrations.declarative.rest_plan import Operation, RestPlan, as_word, dig, read_plan
from integrations.transports.http import GuardedSession, Intent, open_session
from schemas.delivery import DeliveryReceipt, Disclosure, Found
from schemas.errors import TerminalError
from schemas.rest_schema import AuthScheme
from schemas.vocabulary import Outcome

T = TypeVar("T")
_NOT_FOUND = requests.codes.not_found


class RestDestination(Destination):
    """See the module. A vendor whose REST fits the manifest needs no Python; one that almost fits may subclass this."""

    name = "rest"

    def __init__(self, *, manifest: Manifest, endpoint: Endpoint) -> None:
        super().__init__(manifest=manifest, endpoint=endpoint)
        self.plan: RestPlan = read_plan(manifest, endpoint)
        self._base = endpoint.base_url.rstrip("/")
        self._encode = msgspec.json.Encoder().encode
        self._opened: GuardedSession | None = None

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    # -- hooks ----------------------------------------------------------------------------------------------------------

    def _deliver(self, batch: Sequence[Disclosure]) -> Sequence[DeliveryReceipt]:
        apply, encode = self.plan.mapper.apply, self._encode
        sent: list[Sent] = []
        for one in batch:
            data = encode(apply(one.key, one.fields.reveal()))
            sent.append(Sent(one.key, data, sha256(data).hexdigest()))
        return self._write(self.plan.operations["deliver"], sent)

    def _suppress(self, batch: Sequence[Disclosure]) -> Sequence[DeliveryReceipt]:
        operation = self.plan.operations["suppress"]
        return self._write_parts(operation, batch, lambda one: (one.key, one.fields.reveal()))

    def _erase(self, keys: Sequence[str]) -> Sequence[DeliveryReceipt]:
        return self._write_parts(self.plan.operations["erase"], keys, lambda key: (key, {}))

    def _lookup(self, keys: Sequence[str]) -> dict[str, Found]:
        operation = self.plan.operations["lookup"]
        found: dict[str, Found] = {}
        for part in _parts(keys, operation.most):
            asked = [
                Sent(key, self._encode(operation.record.apply(key, {}) if operation.record else key), None) for key in part
            ]
            response = self._send(operation, asked, Intent.READ)
            if operation.one_by_one and response.status_code == _NOT_FOUND:
                continue
            body = read_body(self.plan, response, Intent.READ)
            if operation.results is not None:
                collect_found(operation.results, body, frozenset(part), found)
            else:
                found[part[0]] = Found(key=part[0], vendor_ref=None)
        return found

    def _check(self) -> Health:
        check = self.plan.check
        response = self._session().request(check.method, self._base + check.path)
        body = read_body(self.plan, response, Intent.READ)
        for path, (value, advice) in check.expect.items():
            if as_word(dig(body, path)) != value:
                return Health(ok=False, message=f"signed in, but {'.'.join(path)} is not as expected", advice=advice)
        return Health(ok=True, message="signed in; the service answers")

    # -- one call -------------------------------------------------------------------------------------------------------

    def _write_parts(
        self, operation: Operation, items: Sequence[T], of: Callable[[T], tuple[str, Mapping[str, str]]]
    ) -> list[DeliveryReceipt]:
        receipts: list[DeliveryReceipt] = []
        for part in _parts(items, operation.most):
            sent: list[Sent] = []
            for item in part:
                key, fields = of(item)
                record = operation.record.apply(key, fields) if operation.record else key
                sent.append(Sent(key, self._encode(record), None))
            receipts += self._write(operation, sent)
        return receipts

    def _write(self, operation: Operation, sent: Sequence[Sent]) -> list[DeliveryReceipt]:
        response = self._send(operation, sent, Intent.WRITE)
        if operation.one_by_one and response.status_code == _NOT_FOUND and operation is not self.plan.operations["deliver"]:
            return [DeliveryReceipt(key=one.key, outcome=Outcome.ACCEPTED, code=ABSENT) for one in sent]
        return read_receipts(self.plan, operation, read_body(self.plan, response, Intent.WRITE), sent)

    def _send(self, operation: Operation, sent: Sequence[Sent], intent: Intent) -> requests.Response:
        session = self._session()
        path = operation.path.replace("{key}", sent[0].key) if operation.one_by_one else operation.path
        body = None if operation.method in ("GET", "DELETE") and operation.one_by_one else self._body(operation, sent)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if operation.idempotency_header and body is not None:
            # Derived, never random: the same batch after a crash is the same request. Another body under one key is an error
            # at the vendors that honour it, so what is written belongs to it; our keys in it make it unguessable.
            headers[operation.idempotency_header] = sha256(b"leadgate idempotency key\n" + body).hexdigest()[:48]
        with session.intent(intent):
            return session.request(operation.method, self._base + path, data=body, headers=headers)

    def _body(self, operation: Operation, sent: Sequence[Sent]) -> bytes:
        if operation.records is None:
            return sent[0].data
        records = [msgspec.Raw(one.data) for one in sent]
        if not operation.records:
            return self._encode(records)
        body: dict[str, Any] = dict(operation.body)
        *outer, last = operation.records
        inner = body
        for name in outer:
            inner[name] = dict(inner.get(name) or {})
            inner = inner[name]
        inner[last] = records
        return self._encode(body)

    # -- signing in -----------------------------------------------------------------------------------------------------

    def _session(self) -> GuardedSession:
        if self._opened is None:
            session = open_session(self.endpoint, self.limits, headers={"Accept": "application/json", **self.plan.headers})
            self._sign_in(session)
            self._opened = session
        return self._opened

    def _sign_in(self, session: GuardedSession) -> None:
        scheme, secret, login = self.plan.scheme, self.endpoint.secret, self.endpoint.login
        if scheme is AuthScheme.NONE:
            return
        if secret is None or not secret.reveal() or (scheme is AuthScheme.BASIC and not login):
            raise TerminalError(
                "credentials_missing", "the connection has no login or no secret", field=self.endpoint.destination
            )
        if scheme is AuthScheme.BEARER:
            session.headers["Authorization"] = f"Bearer {secret.reveal()}"
        elif scheme is AuthScheme.HEADER:
            session.headers[str(self.plan.auth_header)] = secret.reveal()
        else:
            # Bytes, because requests would encode str as Latin-1; RFC 7617 section 2.1 names UTF-8.
            session.auth = HTTPBasicAuth((login or "").encode(), secret.reveal().encode())


def _parts(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
