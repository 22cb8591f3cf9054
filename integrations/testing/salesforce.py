"""A Salesforce org that works, as far as leads need one: token endpoint, collections upsert by external id, SOQL look-up,
update and delete by record id with a recycle bin, hard delete through Bulk API 2.0, describe, and the limits header.

Answers are shaped like the vendor's: errors by row under HTTP 200, other errors as a list of ``errorCode`` and a ``message``
that quotes what was sent. Set ``api_used`` near ``api_limit`` to see the quota run out.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

from integrations.testing.knobs import Call, Fault, FaultKind
from integrations.testing.salesforce_bulk import BulkJobs
from integrations.testing.simulator import Answer, Exchange, Simulator
from integrations.testing.world import Row

#: The vendor's limits of one collections call.
MAX_RECORDS: Final = 200
EXTERNAL_ID: Final = "Leadgate_Id__c"
#: Fields of the org's Lead and the characters they hold.
FIELDS: Final = {
    EXTERNAL_ID: 26,
    "FirstName": 40,
    "LastName": 80,
    "Company": 255,
    "Phone": 40,
    "Email": 80,
    "City": 40,
    "LeadSource": 255,
    "Description": 32_000,
    "Leadgate_Brand__c": 80,
    "Leadgate_Topic__c": 80,
    "Leadgate_Language__c": 8,
    "Leadgate_Consent_Id__c": 80,
    "Leadgate_Consent_Given_At__c": 40,
    "DoNotCall": 5,
    "HasOptedOutOfEmail": 5,
}
REQUIRED: Final = ("LastName", "Company")

_DATA = re.compile(r"/services/data/v\d+\.\d/(?P<rest>.*)")
_IN = re.compile(r"WHERE\s+(?P<field>\w+)\s+IN\s+\((?P<values>[^)]*)\)", re.IGNORECASE)
_SELECT = re.compile(r"SELECT\s+(?P<fields>[\w,\s]+?)\s+FROM\s+Lead\b", re.IGNORECASE)
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'")


class Salesforce(Simulator):
    """See the module."""

    name = "salesforce"
    login = "sandbox-consumer-key"
    options = {"auth": "client_credentials"}  # noqa: RUF012 - declared ClassVar by Simulator

    def __init__(self, *, journal: Path | None = None) -> None:
        super().__init__(journal=journal)
        self.api_used = 0
        self.api_limit = 15_000
        self.tokens: set[str] = set()
        self.signed_in = 0
        self.base_url = ""  # what the token endpoint calls the instance; empty: the address it was asked at
        self.recycle_bin: list[Row] = []
        self.verify_assertion: Callable[[str], bool] = lambda _: False
        self._bulk = BulkJobs(self._destroy)

    def operation(self, exchange: Exchange) -> str:
        if exchange.path == "/services/oauth2/token":
            return "sign_in"
        match = _DATA.fullmatch(exchange.path)
        rest = match["rest"] if match else ""
        if rest.startswith("composite/sobjects"):
            by_id = {"PATCH": "suppress", "DELETE": "recycle"}.get(exchange.method, "unknown")
            return "write" if rest == f"composite/sobjects/Lead/{EXTERNAL_ID}" and exchange.method == "PATCH" else by_id
        if rest.startswith("jobs/ingest"):
            return "erase"
        return {"query/": "lookup", "sobjects/Lead/describe": "check"}.get(rest, "unknown")

    def respond(self, exchange: Exchange, call: Call) -> Answer:
        operation = self.operation(exchange)
        if operation == "sign_in":
            return self._sign_in(exchange)
        token = exchange.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.tokens:
            return error("INVALID_SESSION_ID", 401)
        if self.api_used >= self.api_limit:
            return self._limited(error("REQUEST_LIMIT_EXCEEDED", 403))
        self.api_used += 1
        answers: dict[str, Callable[[Exchange, Call], Answer]] = {
            "write": self._upsert,
            "lookup": self._query,
            "suppress": self._update,
            "recycle": self._recycle,
            "check": self._describe,
            "erase": self._bulk.respond,
        }
        if operation not in answers:
            return self._limited(error("NOT_FOUND", 404))
        return self._limited(answers[operation](exchange, call))

    def refusal(self, exchange: Exchange, fault: Fault) -> Answer:
        refused = super().refusal(exchange, fault)
        if fault.kind in (FaultKind.THROTTLE, FaultKind.RATE) and fault.retry_after is None:
            return error("REQUEST_LIMIT_EXCEEDED", 403)
        codes = {401: "INVALID_SESSION_ID", 403: "REQUEST_DENIED", 429: "REQUEST_LIMIT_EXCEEDED", 503: "SERVER_UNAVAILABLE"}
        answer = error(codes.get(fault.status, "UNKNOWN_EXCEPTION"), fault.status)
        return Answer(status=answer.status, body=answer.body, headers=refused.headers)

    def _limited(self, answer: Answer) -> Answer:
        header = {"Sforce-Limit-Info": f"api-usage={self.api_used}/{self.api_limit}"}
        return Answer(status=answer.status, body=answer.body, media_type=answer.media_type, headers=header)

    # -- sign in ----------------------------------------------------------------------------------------------------------

    def _sign_in(self, exchange: Exchange) -> Answer:
        form = {name: values[0] for name, values in parse_qs(exchange.body.decode()).items()}
        expected = base64.b64encode(f"{self.login}:{self.secret}".encode()).decode()
        if form.get("grant_type") == "client_credentials":
            good = exchange.headers.get("authorization") == f"Basic {expected}"
        else:
            good = self.verify_assertion(form.get("assertion", ""))
        if not good:
            return _json({"error": "invalid_client", "error_description": "invalid client credentials"}, status=400)
        self.signed_in += 1
        token = f"00D-sandbox-{self.signed_in}"
        self.tokens.add(token)
        instance = self.base_url or f"http://{exchange.headers.get('host', '')}"
        return _json({"access_token": token, "instance_url": instance, "token_type": "Bearer"})

    def expire_tokens(self) -> None:
        """End every session, as an org does after its time-out."""
        with self.lock:
            self.tokens.clear()

    # -- write ------------------------------------------------------------------------------------------------------------

    def _upsert(self, exchange: Exchange, call: Call) -> Answer:
        records = _records(exchange)
        if records is None or any(record.get("attributes", {}).get("type") != "Lead" for record in records):
            return error("JSON_PARSER_ERROR", 400)
        if len(records) > MAX_RECORDS:
            return error("EXCEEDED_MAX_SIZE_REQUEST", 400)
        rows = [self._upsert_one(record, position, call) for position, record in enumerate(records, start=1)]
        return _json(list(call.shorten(rows)))

    def _upsert_one(self, record: dict[str, Any], position: int, call: Call) -> dict[str, Any]:
        fields = {name: value for name, value in record.items() if name != "attributes"}
        key = str(fields.get(EXTERNAL_ID) or "")
        fault = call.inside or call.rejection(key, position, fields)
        if fault is not None:
            return _refused(fault.code, fault.field or "Phone", fields)
        wrong = _wrong_field(fields)
        if wrong is not None:
            return _refused(*wrong, fields)
        known = self.world.find(key)
        if len(known) > 1:
            return _refused("DUPLICATE_EXTERNAL_ID", EXTERNAL_ID, fields)
        missing = next((name for name in REQUIRED if not fields.get(name) and not known), None)
        if missing is not None:
            return _refused("REQUIRED_FIELD_MISSING", missing, fields)
        row, created = self.world.upsert(key, fields)
        return {"id": _id(row), "success": True, "created": created, "errors": []}

    # -- look up ----------------------------------------------------------------------------------------------------------

    def _query(self, exchange: Exchange, call: Call) -> Answer:
        soql = exchange.query.get("q", "")
        wanted, condition = _SELECT.match(soql), _IN.search(soql)
        if wanted is None or condition is None or condition["field"] != EXTERNAL_ID:
            return error("MALFORMED_QUERY", 400)
        names = [name.strip() for name in wanted["fields"].split(",")]
        if any(name not in FIELDS and name != "Id" for name in names):
            return error("INVALID_FIELD", 400)
        keys = _QUOTED.findall(condition["values"])
        rows = [row for key in keys for row in self.world.find(key)]
        records = [{name: _id(row) if name == "Id" else row.fields.get(name) for name in names} for row in rows]
        records = list(call.shorten(records))
        return _json({"totalSize": len(records), "done": True, "records": records})

    # -- by record id -----------------------------------------------------------------------------------------------------

    def _update(self, exchange: Exchange, call: Call) -> Answer:
        records = _records(exchange) or []
        rows = {_id(row): row for row in self.world.rows()}
        results = []
        for record in records:
            row = rows.get(record.get("id", ""))
            marks = {name: value for name, value in record.items() if name not in ("attributes", "id")}
            if row is None:
                results.append(_refused("ENTITY_IS_DELETED", "id", {}))
                continue
            if marks.get("DoNotCall") is True:
                self.world.suppress(row.key, marks=marks)
            results.append({"id": record["id"], "success": True, "errors": []})
        return _json(list(call.shorten(results)))

    def _recycle(self, exchange: Exchange, call: Call) -> Answer:
        ids = exchange.query.get("ids", "").split(",")
        return _json(list(call.shorten([self._delete(record_id) for record_id in ids])))

    def _delete(self, record_id: str) -> dict[str, Any]:
        rows = [row for row in self.world.rows() if _id(row) == record_id]
        for row in rows:
            self.recycle_bin.append(row)  # it stays readable there for fifteen days: hidden is not erased
            self.world.erase(row.key)
        return {"id": record_id, "success": True, "errors": []} if rows else _refused("ENTITY_IS_DELETED", "id", {})

    def _destroy(self, record_ids: Sequence[str]) -> set[str]:
        found = {_id(row): row for row in self.world.rows()}
        known = set(record_ids) & found.keys()
        for record_id in known:
            self.world.erase(found[record_id].key)
        return known

    def _describe(self, exchange: Exchange, call: Call) -> Answer:  # noqa: ARG002 - as the others
        fields = [
            {"name": name, "length": length, "externalId": name == EXTERNAL_ID, "createable": True, "updateable": True}
            for name, length in FIELDS.items()
        ]
        return _json({"name": "Lead", "createable": True, "updateable": True, "fields": fields})


def _records(exchange: Exchange) -> list[dict[str, Any]] | None:
    try:
        body = json.loads(exchange.body)
    except ValueError:
        return None
    records = body.get("records") if isinstance(body, dict) else None
    return records if isinstance(records, list) else None


def _wrong_field(fields: dict[str, Any]) -> tuple[str, str] | None:
    if not fields.get(EXTERNAL_ID):
        return "MISSING_ARGUMENT", EXTERNAL_ID
    for name, value in fields.items():
        if name not in FIELDS:
            return "INVALID_FIELD", name
        if len(str(value)) > FIELDS[name]:
            return "STRING_TOO_LONG", name
    return None


def _id(row: Row) -> str:
    return f"00Q5e00000{row.ref}AA"


def _refused(code: str, field: str, fields: dict[str, Any]) -> dict[str, Any]:
    message = f"{field}: bad value for this field: {fields.get(field)}"  # the vendor quotes; a connector must not
    return {"success": False, "created": False, "errors": [{"statusCode": code, "message": message, "fields": [field]}]}


def error(code: str, status: int) -> Answer:
    """The vendor's shape of a request that failed as a whole."""
    return _json([{"message": "The request could not be carried out.", "errorCode": code}], status=status)


def _json(data: Any, *, status: int = 200) -> Answer:
    return Answer(
        status=status, body=json.dumps(data, ensure_ascii=False).encode(), media_type="application/json;charset=UTF-8"
    )


SIMULATOR = Salesforce
