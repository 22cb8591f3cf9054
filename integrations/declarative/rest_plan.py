"""The ``transport`` of a REST connector, checked and bound to one destination. ``schemas.rest_schema`` lists every key.

Refused, before anything is sent: an option a path or body asks for and the destination does not set.

::

    transport:
      kind: rest
      auth: {scheme: bearer}               # or basic, none, or {scheme: header, header: X-Api-Key}
      headers: {X-Client: leadgate}        # never a credential
      options: {pipeline: inbound}         # what a destination may set under options, with the value it has otherwise
      operations:
        deliver:                           # also lookup, suppress, erase; check is only a path
          path: /v1/{pipeline}/leads       # {option}; {key} makes it one call a record
          records: leads                   # where the list stands in the body; "" the body itself; left out: one record
          body: {source: {const: social}}  # what stands beside the records
          idempotency_header: Idempotency-Key
          results: {at: results, key: external_id, status: status, reference: id, code: error.code, field: error.field}
          outcomes: {created: created, error: rejected}
      errors: {at: error.code, codes: {RATE_LIMITED: throttled}}   # throttled, transient, terminal, uncertain
      codes: {LOCKED: deferred}            # error codes of rejected records that mean something milder
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from integrations.contract.loading import complaint
from integrations.contract.manifest import Endpoint, Manifest
from integrations.mapping import Mapper, compile_mapping
from schemas.errors import ConfigurationError
from schemas.rest_schema import AuthScheme, ErrorMeaning, Match, RecordMeaning, check_rest_transport

_PLACEHOLDER: Final = re.compile(r"\{([a-z_]+)\}")
Path = tuple[str, ...]
Getter = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Where one operation's results stand (``at``), how they are matched, and what reads each part of one."""

    at: Path
    match: Match
    has_status: bool
    has_count: bool
    count: Getter
    key: Getter
    status: Getter
    reference: Getter
    code: Getter
    field: Getter


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One verb of ours as a call of theirs. ``path`` holds no option any more, and ``{key}`` only if ``one_by_one``."""

    method: str
    path: str
    one_by_one: bool
    records: Path | None
    record: Mapper | None
    body: Mapping[str, Any]
    idempotency_header: str | None
    most: int
    results: Results | None
    outcomes: Mapping[str, RecordMeaning]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The call behind 'Test connection': path of the answer -> (expected value, advice)."""

    method: str
    path: str
    expect: Mapping[Path, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestPlan:
    """The whole of ``transport``."""

    scheme: AuthScheme
    auth_header: str | None
    headers: Mapping[str, str]
    operations: Mapping[str, Operation]
    check: Check
    error_at: Path | None
    errors: Mapping[str, ErrorMeaning]
    codes: Mapping[str, RecordMeaning]
    mapper: Mapper


def dig(data: Any, path: Path | None) -> Any:
    """What stands at ``path``; None if nothing does."""
    if path is None:
        return None
    for name in path:
        if not isinstance(data, dict):
            return None
        data = data.get(name)
    return data


def getter(path: Path | None) -> Getter:
    """``dig`` with the path built in, for what is asked of every record."""
    if path is None:
        return lambda _item: None
    if len(path) == 1:
        name = path[0]
        return lambda item: item.get(name)
    if len(path) == 2:  # noqa: PLR2004 - error.code: asked of every record, and nearly always not there
        outer, inner = path
        return lambda item: None if type(found := item.get(outer)) is not dict else found.get(inner)
    return lambda item: dig(item, path)


def as_word(value: Any) -> str:
    """A status or code as YAML writes it: true and false are words too."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def read_plan(manifest: Manifest, endpoint: Endpoint) -> RestPlan:
    """Check and bind. Raises ConfigurationError naming file and key."""
    shown = f"{manifest.name}/connector.yaml"
    loaded, complaints = check_rest_transport(manifest.transport)
    if complaints:
        raise complaint([(f"transport.{place}", message) for place, message in complaints], shown=shown)
    binder = _Binder(manifest, {**loaded["options"], **endpoint.options}, f"{shown}: transport.operations")
    operations = dict(loaded["operations"])
    check = operations.pop("check")
    errors = loaded.get("errors", {})
    return RestPlan(
        scheme=loaded["auth"]["scheme"],
        auth_header=loaded["auth"].get("header"),
        headers=loaded["headers"],
        operations={verb: binder.operation(verb, node) for verb, node in operations.items()},
        check=Check(
            method=check["method"],
            path=binder.path(check["path"], "check"),
            expect={_split(path): (item["value"], item["advice"]) for path, item in check["expect"].items()},
        ),
        error_at=_split(errors["at"]) if errors else None,
        errors=errors.get("codes", {}),
        codes=loaded["codes"],
        mapper=binder.mapper(manifest.mapping, f"{shown}: mapping"),
    )


class _Binder:
    def __init__(self, manifest: Manifest, options: Mapping[str, Any], place: str) -> None:
        self._options = options
        self._disclosed = frozenset[str]().union(*manifest.discloses.values())
        self._suppress_fields = manifest.capabilities.suppress_fields
        self._batch_size = manifest.capabilities.batch_size
        self._place = place

    def mapper(self, mapping: Mapping[str, Any], place: str) -> Mapper:
        return compile_mapping(mapping, disclosed=self._disclosed, options=self._options, place=place)

    def _record(self, verb: str, mapping: Mapping[str, Any], place: str) -> Mapper | None:
        """A record that is looked up, suppressed or erased: the person may be gone, so our key must do, or what is declared."""
        if not mapping:
            return None
        needed = self._suppress_fields if verb == "suppress" else ()
        return compile_mapping(mapping, disclosed=needed, options=self._options, place=place)

    def operation(self, verb: str, node: Mapping[str, Any]) -> Operation:
        place = f"{self._place}.{verb}"
        body = compile_mapping(node["body"], disclosed=(), options=self._options, place=f"{place}.body")
        one_by_one = "{key}" in node["path"]
        return Operation(
            method=node["method"],
            path=self.path(node["path"], verb),
            one_by_one=one_by_one,
            records=_split(node["records"]) if "records" in node else None,
            record=self._record(verb, node["record"], f"{place}.record"),
            body=body.apply("", {}),
            idempotency_header=node.get("idempotency_header"),
            most=1 if one_by_one or "records" not in node else node.get("most", self._batch_size),
            results=_results(node["results"]) if "results" in node else None,
            outcomes=node["outcomes"],
        )

    def path(self, path: str, verb: str) -> str:
        def value(found: re.Match[str]) -> str:
            name = found[1]
            if name == "key":
                return found[0]
            if name not in self._options:
                raise ConfigurationError(
                    "bad_manifest",
                    f"the destination sets no option {name!r}: set it under options in leadgate.yaml",
                    field=f"{self._place}.{verb}.path",
                )
            return quote(str(self._options[name]), safe="")

        return _PLACEHOLDER.sub(value, path)


def _split(path: str) -> Path:
    return tuple(path.split(".")) if path else ()


def _results(node: Mapping[str, Any]) -> Results:
    read = {name: getter(_split(node[name]) if name in node else None) for name in _READ}
    return Results(at=_split(node["at"]), match=node["match"], has_status="status" in node, has_count="count" in node, **read)


_READ: Final = ("count", "key", "status", "reference", "code", "field")
