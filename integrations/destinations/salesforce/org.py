"""One org through simple-salesforce. It refuses to let any exception of the client out: their texts quote the vendor's answer
and the address, so each becomes an error of ours by status and ``errorCode``, raised without the client's as its context.

The client is used for what it is good at (addresses, headers, paging words, the limits header); the session under it is ours.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
import requests
from simple_salesforce.api import Salesforce as Client
from simple_salesforce.exceptions import SalesforceError
from simple_salesforce.format import format_soql

from integrations.contract.manifest import Endpoint, Limits
from integrations.destinations.salesforce.sign_in import OrgSession, sign_in
from integrations.transports.answers import judge, read_json
from integrations.transports.http import GuardedSession, Intent, open_session, unanswered
from schemas.errors import DeliveryError, TerminalError, TransientError

#: Seconds. A delivery's lease is cut for one call; a sign-in that takes longer than this leaves the call to the next attempt.
_SIGN_IN_BUDGET: Final = 4.0
#: Seconds a used-up daily quota is left alone. It rolls over 24 hours, so some of it comes back all the time.
_QUOTA_PAUSE: Final = 900.0
#: Seconds after which the share of the quota that was used is worth asking again.
_QUOTA_STALE: Final = 300.0
#: Keys of one SOQL query; the quoted list travels in the URL.
QUERY_KEYS: Final = 100

_THROTTLED: Final = frozenset({"REQUEST_LIMIT_EXCEEDED", "TXN_SECURITY_METERING_ERROR"})
_EXPIRED: Final = frozenset({"INVALID_SESSION_ID", "INVALID_AUTH_HEADER"})


class Org:
    """A signed-in org, signed in on first use. Not thread-safe."""

    def __init__(self, *, endpoint: Endpoint, limits: Limits, version: str, quota_share: float) -> None:
        self._endpoint = endpoint
        self._limits = limits
        self._version = version
        self._quota_share = quota_share
        self._session: GuardedSession | None = None
        self._client: Client | None = None
        self._proven = False  # whether the org has taken this token once
        self._way_in: OrgSession | None = None
        self._answer: requests.Response | None = None
        self._quota_seen = 0.0

    def close(self) -> None:
        """Close the connections and forget the token."""
        if self._session is not None:
            self._session.close()
        self._session = self._client = None

    def _open(self) -> GuardedSession:
        if self._session is None:
            session = open_session(self._endpoint, self._limits)
            session.hooks["response"].append(self._remember)
            self._session = session
        return self._session

    def _remember(self, response: requests.Response, **_: Any) -> None:
        self._answer = response

    # -- calls ------------------------------------------------------------------------------------------------------------

    def write(self, method: str, path: str, body: Any) -> Any:
        """Send ``body`` as JSON. Raises DeliveryError; UncertainError if it may have been carried out."""
        self._spare_quota()
        encoded = msgspec.json.encode(body)
        return self._ask(lambda client: client.restful(path, method=method, data=encoded), Intent.WRITE)

    def read(self, path: str) -> Any:
        """Get ``path``. Raises DeliveryError."""
        return self._ask(lambda client: client.restful(path), Intent.READ)

    def find(self, table: str, external_id: str, keys: Sequence[str]) -> list[tuple[str, str]]:
        """Pairs of key and record id of every record that carries one of ``keys``."""
        found: list[tuple[str, str]] = []
        for start in range(0, len(keys), QUERY_KEYS):
            part = list(keys[start : start + QUERY_KEYS])
            # The names come from the manifest, the keys are quoted by the client's own formatter.
            soql = f"SELECT Id, {external_id} FROM {table} WHERE {external_id} IN " + format_soql("{}", part)  # noqa: S608
            answer = self._ask(lambda client, soql=soql: client.query(soql), Intent.READ)  # type: ignore[misc]
            found += _rows(answer, external_id)
        return found

    def raw(self, method: str, path: str, body: bytes = b"", *, media_type: str) -> bytes:
        """A call whose answer is not JSON (Bulk API 2.0), over the same session."""
        client, session = self._signed_in(), self._open()
        intent = Intent.WRITE if body else Intent.READ
        headers = {**client.headers, "Content-Type": media_type}
        with session.intent(intent):
            response = session.request(method, client.base_url + path, data=body or None, headers=headers)
        error = self._judged(response, intent)
        if error is not None:
            raise error
        return response.content

    # -- signing in -------------------------------------------------------------------------------------------------------

    def _signed_in(self) -> Client:
        if self._client is None:
            began = time.monotonic()
            session = self._open()
            way_in = sign_in(session, self._endpoint)
            client = Client(
                session_id=way_in.token.reveal(),
                instance_url=way_in.instance_url,
                version=self._version,
                session=session,
                object_pairs_hook=None,
            )
            # The client always says https. The guard decides that: plain http is for this machine only.
            client.base_url = f"{way_in.instance_url}/services/data/v{self._version}/"
            client.headers.pop("X-PrettyPrint", None)  # white space is a third of an answer
            self._client, self._way_in, self._proven = client, way_in, False
            if time.monotonic() - began > _SIGN_IN_BUDGET:
                raise TransientError("signed_in_late", "signing in took the time of the call", retry_after=0.0)
        return self._client

    def _ask(self, call: Callable[[Client], Any], intent: Intent) -> Any:
        client = self._signed_in()
        failure: DeliveryError
        self._answer = None
        try:
            with self._open().intent(intent):
                answer = call(client)
        except DeliveryError:
            raise
        except SalesforceError:
            failure = self._refusal(intent)
        except (requests.RequestException, ValueError, TypeError, AttributeError):
            failure = self._unreadable(intent)
        else:
            self._proven = True
            self._quota_seen = time.monotonic()
            return answer
        raise failure

    def _unreadable(self, intent: Intent) -> DeliveryError:
        """A success whose body the client could not read."""
        try:
            if self._answer is not None:
                read_json(self._answer, intent)
        except DeliveryError as error:
            return error
        return unanswered(intent, "unexpected_answer", "the answer has another shape than the API's")

    def _refusal(self, intent: Intent) -> DeliveryError:
        if self._answer is None:
            return unanswered(intent, "connection_lost", "the client failed without an answer")
        return self._judged(self._answer, intent) or unanswered(intent, "unexpected_answer", "the answer is no success")

    def _judged(self, response: requests.Response, intent: Intent) -> DeliveryError | None:
        """The status says what it is (``answers.judge``) unless the vendor's code says it better."""
        codes = error_codes(response)
        if codes & _THROTTLED:
            pause = getattr(judge(response, intent), "retry_after", None)
            return TransientError("throttled", "the org's quota is used up", retry_after=pause or _QUOTA_PAUSE, throttled=True)
        if response.status_code == requests.codes.unauthorized and codes & _EXPIRED and self._renewable():
            self._client = None  # the next attempt signs in anew: this call was refused at the door
            return TransientError("session_expired", "the org ended our session", retry_after=0.0)
        if response.status_code == requests.codes.bad_request:
            return TerminalError("request_refused", "the org refuses the request as a whole: check API version and field names")
        return judge(response, intent)

    def _renewable(self) -> bool:
        """A token that was good before has expired; one that was never good will not become so by fetching another."""
        return self._proven and self._way_in is not None and self._way_in.renewable

    # -- quota ------------------------------------------------------------------------------------------------------------

    def _spare_quota(self) -> None:
        """Stop before the vendor does: the quota is the whole company's, and the org's other integrations need the rest."""
        if self._client is None or time.monotonic() - self._quota_seen > _QUOTA_STALE:
            return
        for usage in self._client.api_usage.values():
            if usage.total and usage.used / usage.total >= self._quota_share:
                raise TransientError(
                    "quota_nearly_used", "the org's API quota is nearly used up", retry_after=_QUOTA_PAUSE, throttled=True
                )


def error_codes(response: requests.Response) -> frozenset[str]:
    """The ``errorCode`` words of an answer that failed as a whole; empty if it is not of the vendor's shape."""
    try:
        body = msgspec.json.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return frozenset()
    rows = body if isinstance(body, list) else []
    return frozenset(str(row["errorCode"]) for row in rows if isinstance(row, Mapping) and "errorCode" in row)


def _rows(answer: Any, external_id: str) -> list[tuple[str, str]]:
    records = answer.get("records") if isinstance(answer, Mapping) else None
    # Absent means certainly not there, so half an answer must not pass for a whole one.
    if not isinstance(records, list) or answer.get("done") is not True:
        raise TransientError("unreadable_lookup", "the look-up's answer is not whole")
    try:
        return [(str(record[external_id]), str(record["Id"])) for record in records]
    except (KeyError, TypeError):
        pass
    raise TransientError("unreadable_lookup", "the look-up's answer names no key")
