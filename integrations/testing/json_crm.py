"""A generic JSON CRM that works: upsert by external id, errors by record under HTTP 200, look-up, suppress, erase.

It is the vendor's side of ``integrations/destinations/json_crm`` and was written from that folder's README, not from its
connector: the two meet only over HTTP.
"""

from __future__ import annotations

import json
from typing import Any

from integrations.testing.knobs import Call, Fault
from integrations.testing.simulator import Answer, Exchange, Simulator

#: The vendor's own limits.
MAX_BATCH = 200
MAX_LENGTHS = {"first_name": 120, "last_name": 120, "phone": 32, "email": 254}
_ROUTES = {
    ("POST", "/v1/leads/upsert"): "write",
    ("POST", "/v1/leads/search"): "lookup",
    ("POST", "/v1/leads/suppress"): "suppress",
    ("POST", "/v1/leads/erase"): "erase",
    ("GET", "/v1/me"): "check",
}


class JsonCrm(Simulator):
    """See the module."""

    name = "json_crm"

    def operation(self, exchange: Exchange) -> str:
        return _ROUTES.get((exchange.method, exchange.path), "unknown")

    def respond(self, exchange: Exchange, call: Call) -> Answer:
        operation = self.operation(exchange)
        if operation == "unknown":
            return _error("NO_SUCH_ADDRESS", 404)
        if exchange.headers.get("authorization") != f"Bearer {self.secret}":
            return _error("BAD_TOKEN", 401)
        if operation == "check":
            return _json({"account": "sandbox"})
        if call.inside is not None:
            return _json({"error": {"code": call.inside.code, "message": "The service could not do it."}})
        return self._carry_out(operation, exchange.body, call)

    def _carry_out(self, operation: str, sent: bytes, call: Call) -> Answer:
        try:
            body = json.loads(sent)
        except ValueError:
            return _error("BAD_JSON", 400)
        return self._upsert(body, call) if operation == "write" else self._by_ids(operation, body, call)

    def refusal(self, exchange: Exchange, fault: Fault) -> Answer:
        refused = super().refusal(exchange, fault)
        code = "RATE_LIMITED" if fault.status == 429 else "UNAVAILABLE"  # noqa: PLR2004 - RFC 6585 4
        return Answer(status=refused.status, body=_error(code, refused.status).body, headers=refused.headers)

    def _upsert(self, body: Any, call: Call) -> Answer:
        leads = body.get("leads") if isinstance(body, dict) else None
        if not isinstance(leads, list):
            return _error("LEADS_MISSING", 400)
        if len(leads) > MAX_BATCH:
            return _error("BATCH_TOO_LARGE", 413)
        results = [self._upsert_one(lead, position, call) for position, lead in enumerate(leads, start=1)]
        return _json({"results": list(call.shorten(results))})

    def _upsert_one(self, lead: dict[str, Any], position: int, call: Call) -> dict[str, Any]:
        key = str(lead.get("external_id") or "")
        if not key:
            return {"external_id": None, "status": "error", "error": {"code": "REQUIRED", "field": "external_id"}}
        fault = call.rejection(key, position, lead)
        if fault is not None:
            return _row_error(lead, fault.code, fault.field or "phone")
        for field, limit in MAX_LENGTHS.items():
            if len(lead.get(field) or "") > limit:
                return _row_error(lead, "TOO_LONG", field)
        if not lead.get("phone") and not lead.get("email"):
            return _row_error(lead, "REQUIRED", "phone")
        row, created = self.world.upsert(key, lead)
        return {"external_id": key, "status": "created" if created else "updated", "id": f"L{row.ref}"}

    def _by_ids(self, operation: str, body: Any, call: Call) -> Answer:
        keys = body.get("external_ids") if isinstance(body, dict) else None
        if not isinstance(keys, list):
            return _error("EXTERNAL_IDS_MISSING", 400)
        if operation == "lookup":
            rows = [(key, row) for key in keys for row in self.world.find(key)]
            found = [{"external_id": key, "id": f"L{row.ref}", "do_not_call": row.suppressed} for key, row in rows]
            return _json({"leads": list(call.shorten(found))})
        change = self.world.erase if operation == "erase" else self.world.suppress
        word = "erased" if operation == "erase" else "suppressed"
        results: list[dict[str, Any]] = []
        for position, key in enumerate(keys, start=1):
            fault = call.rejection(key, position, {})
            if fault is not None:
                results.append({"external_id": key, "status": "error", "error": {"code": fault.code}})
            else:
                results.append({"external_id": key, "status": word if change(key) else "absent"})
        return _json({"results": list(call.shorten(results))})


def _json(data: Any, *, status: int = 200) -> Answer:
    return Answer(status=status, body=json.dumps(data, ensure_ascii=False).encode())


def _error(code: str, status: int) -> Answer:
    return _json({"error": {"code": code}}, status=status)


def _row_error(lead: dict[str, Any], code: str, field: str) -> dict[str, Any]:
    # As real vendors do, the message quotes what was sent: a connector that passed it on would leak it.
    error = {"code": code, "field": field, "message": f"{lead.get(field)!r} is no good {field} for {lead!r}"}
    return {"external_id": lead["external_id"], "status": "error", "error": error}


SIMULATOR = JsonCrm
