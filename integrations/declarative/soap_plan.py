"""The ``transport`` of a SOAP connector, checked and bound to one destination. ``schemas.soap_schema`` lists every key.

Refused, before anything is sent: an option an argument asks for and the destination does not set, an operation or element the
WSDL does not have.

::

    transport:
      kind: soap
      wsdl: call_center.wsdl               # beside connector.yaml; the option ``wsdl`` of a destination names another file
      binding: CallCenterSoap              # left out: the WSDL's first SOAP binding
      security: username_token_digest      # or username_token_text, basic, none
      options: {call_list: callback}       # what a destination may set under options, with the value it has otherwise
      operations:
        deliver:                           # also lookup, suppress, erase, check
          name: AddLeads
          arguments: {callList: {from: options.call_list}}   # mapping words; beside the records
          records: lead                    # dotted path of the repeated element in the request
          record: {id: {from: key}}        # one record; of deliver it is the manifest's ``mapping``; left out: the key alone
          results: {at: result, key: externalId, status: status, reference: leadId, code: errorCode, field: errorField}
          outcomes: {CREATED: created, REJECTED: rejected}   # created, updated, accepted, rejected, deferred, uncertain
        check:
          name: Ping
          expect: {callListKnown: {value: "true", advice: what to mend}}
      codes: {LINE_BUSY: deferred}         # error codes of rejected records that mean something milder
      faults:
        ThrottledFault: {means: throttled, retry_after: retryAfterSeconds}   # unauthorized, throttled, unavailable, refused
        ValidationFault: {means: refused, key: externalId, field: field, code: code}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from integrations.contract.loading import complaint
from integrations.contract.manifest import Endpoint, Manifest
from integrations.mapping import Mapper, compile_mapping
from integrations.transports.soap import SoapService
from integrations.transports.soap_records import Batch
from integrations.transports.wsdl import load_wsdl
from schemas.errors import ConfigurationError
from schemas.rest_schema import RecordMeaning
from schemas.soap_schema import FaultMeaning, Security, check_soap_transport

#: (key, fields) -> one record of the request: a table of elements, or the key alone.
Record: TypeAlias = Callable[[str, Mapping[str, str]], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Where an answer's results stand and what the elements inside one are called; "" for what is not told."""

    at: tuple[str, ...]
    key: str
    status: str
    reference: str
    code: str
    field: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One verb of ours, bound to an operation of the WSDL."""

    name: str
    arguments: Mapping[str, Any]
    batch: Batch
    record: Record
    results: Results
    outcomes: Mapping[str, RecordMeaning]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The operation behind 'Test connection': path of the answer -> (expected value, advice)."""

    name: str
    arguments: Mapping[str, Any]
    expect: Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What one typed fault means; the rest are paths into its detail."""

    means: FaultMeaning
    retry_after: str | None = None
    key: str | None = None
    field: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SoapPlan:
    """The whole of ``transport``."""

    operations: Mapping[str, Operation]
    check: Check
    codes: Mapping[str, RecordMeaning]
    faults: Mapping[str, Fault]
    mapper: Mapper


class SoapPlanner:
    """Reads the manifest in two steps, because binding needs the service and the service needs WSDL and security."""

    def __init__(self, manifest: Manifest, endpoint: Endpoint) -> None:
        self._shown = f"{manifest.name}/connector.yaml"
        self._manifest = manifest
        loaded, complaints = check_soap_transport(manifest.transport)
        if complaints:
            raise complaint([(f"transport.{place}", message) for place, message in complaints], shown=self._shown)
        self._loaded = loaded
        self._options = {**loaded["options"], **endpoint.options}
        self._disclosed = frozenset[str]().union(*manifest.discloses.values())
        self._check_capabilities()

    def service(self, endpoint: Endpoint) -> SoapService:
        """The port the manifest speaks of, at the endpoint's address."""
        # An absolute path stays what it is: a customer's own WSDL may live anywhere.
        folder = self._manifest.folder or Path()
        return SoapService(
            wsdl=load_wsdl(folder / str(endpoint.options.get("wsdl", self._loaded["wsdl"]))),
            endpoint=endpoint,
            limits=endpoint.limits or self._manifest.limits,
            security=self._security(endpoint),
            binding=self._loaded["binding"],
        )

    def plan(self, service: SoapService) -> SoapPlan:
        """Bind every operation to ``service``. Raises ConfigurationError naming what the WSDL does not have."""
        mapper = self._compile(self._manifest.mapping, "mapping")
        nodes = dict(self._loaded["operations"])
        check = nodes.pop("check")
        return SoapPlan(
            operations={verb: self._operation(verb, node, service, mapper) for verb, node in nodes.items()},
            check=Check(
                name=check["name"],
                arguments=self._arguments("check", check),
                expect={path: (item["value"], item["advice"]) for path, item in check["expect"].items()},
            ),
            codes=self._loaded["codes"],
            faults={name: Fault(**node) for name, node in self._loaded["faults"].items()},
            mapper=mapper,
        )

    def _security(self, endpoint: Endpoint) -> Security:
        word = endpoint.options.get("security", self._loaded["security"])
        try:
            return Security(word)
        except ValueError:
            pass
        raise ConfigurationError("bad_option", f"option security is none of {', '.join(Security)}", field=endpoint.destination)

    def _check_capabilities(self) -> None:
        can, operations = self._manifest.capabilities, self._loaded["operations"]
        place = f"{self._shown}: transport.operations"
        for verb, declared in (("lookup", can.lookup), ("suppress", can.suppress), ("erase", can.erase)):
            if declared != (verb in operations):
                raise ConfigurationError(
                    "bad_manifest", "stands here exactly if capabilities declares it", field=f"{place}.{verb}"
                )
        if not self._manifest.mapping:
            raise ConfigurationError(
                "bad_manifest", "is required: it says what a record looks like", field=f"{self._shown}: mapping"
            )

    def _compile(self, mapping: Mapping[str, Any], place: str) -> Mapper:
        return compile_mapping(mapping, disclosed=self._disclosed, options=self._options, place=f"{self._shown}: {place}")

    def _arguments(self, verb: str, node: Mapping[str, Any]) -> Mapping[str, Any]:
        place = f"{self._shown}: transport.operations.{verb}.arguments"
        return compile_mapping(node["arguments"], disclosed=(), options=self._options, place=place).apply("", {})

    def _operation(self, verb: str, node: Mapping[str, Any], service: SoapService, mapper: Mapper) -> Operation:
        record: Record = mapper.apply if verb == "deliver" else _key_alone
        if node["record"]:  # looked up, suppressed or erased: the person may be gone, so our key must do, or what is declared
            needed = self._manifest.capabilities.suppress_fields if verb == "suppress" else ()
            place = f"{self._shown}: transport.operations.{verb}.record"
            record = compile_mapping(node["record"], disclosed=needed, options=self._options, place=place).apply
        results = node["results"]
        return Operation(
            name=node["name"],
            arguments=self._arguments(verb, node),
            batch=service.batch(node["name"], node["records"]),
            record=record,
            results=Results(**{**results, "at": tuple(filter(None, results["at"].split(".")))}),
            outcomes=node["outcomes"],
        )


def _key_alone(key: str, fields: Mapping[str, str]) -> str:  # noqa: ARG001 - the shape of Mapper.apply
    return key
