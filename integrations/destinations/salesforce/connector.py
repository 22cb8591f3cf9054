"""Leads for Salesforce: sObject Collections upsert by external id, up to 200 a call. It refuses to take HTTP 200 for success:
every row has its own verdict, and rows that do not match the request one by one leave the whole batch in doubt.

Why Python and not YAML: signing in, the quota, answers matched by position, and a suppression that must not create anybody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Final, TypeVar

import msgspec

from integrations.contract.destination import Destination, Health
from integrations.contract.manifest import Endpoint, Manifest
from integrations.contract.vendor_words import ABSENT
from integrations.destinations.salesforce.hard_delete import hard_delete
from integrations.destinations.salesforce.org import Org
from integrations.destinations.salesforce.verdicts import row_receipt
from integrations.mapping import compile_mapping
from schemas.delivery import DeliveryReceipt, Disclosure, Found
from schemas.errors import ConfigurationError, UncertainError
from schemas.vocabulary import Outcome

#: The vendor's limit of one collections call, by record id as by external id.
MAX_RECORDS: Final = 200

T = TypeVar("T")
_encode = msgspec.json.Encoder().encode


class SalesforceDestination(Destination):
    """One org. See README.md for what to set up there."""

    name: ClassVar[str] = "salesforce"

    def __init__(self, *, manifest: Manifest, endpoint: Endpoint) -> None:
        hard = endpoint.options.get("hard_delete", False)
        if not isinstance(hard, bool):
            raise ConfigurationError("bad_option", "option hard_delete is neither true nor false", field=endpoint.destination)
        if hard:
            # Only then does the org destroy records; an ordinary delete hides them in the recycle bin.
            manifest = replace(manifest, capabilities=replace(manifest.capabilities, erase=True))
        super().__init__(manifest=manifest, endpoint=endpoint)
        setting = partial(_setting, manifest)
        self._table: str = setting("object", str)
        self._external_id: str = setting("external_id", str)
        self._marks: dict[str, Any] = setting("suppress", dict)
        self._deferred = frozenset(setting("deferred_codes", list))
        self._mapper = compile_mapping(
            manifest.mapping,
            disclosed=frozenset[str]().union(*manifest.discloses.values()),
            options=endpoint.options,
            place=f"{manifest.name}/connector.yaml: mapping",
        )
        share = endpoint.options.get("quota_share", setting("quota_share", float))
        if not isinstance(share, int | float) or not 0 < share <= 1:
            raise ConfigurationError("bad_option", "option quota_share is no share of one", field=endpoint.destination)
        version = str(endpoint.options.get("api_version", setting("api_version", str)))
        self._org = Org(endpoint=endpoint, limits=self.limits, version=version, quota_share=float(share))

    def close(self) -> None:
        self._org.close()

    # -- write --------------------------------------------------------------------------------------------------------------

    def _deliver(self, batch: Sequence[Disclosure]) -> Sequence[DeliveryReceipt]:
        """Each record is written once: the bytes that are hashed for the receipt are the bytes that go out."""
        apply, external_id = self._mapper.apply, self._external_id
        attributes = {"attributes": {"type": self._table}}
        written = [_encode(attributes | apply(one.key, one.fields.reveal()) | {external_id: one.key}) for one in batch]
        rows = self._org.write(
            "PATCH",
            f"composite/sobjects/{self._table}/{external_id}",
            {"allOrNone": False, "records": [msgspec.Raw(record) for record in written]},
        )
        return [
            self._receipt(row, one.key, record)
            for row, one, record in zip(self._matched(rows, len(batch)), batch, written, strict=True)
        ]

    def _receipt(self, row: Any, key: str, sent: bytes = b"") -> DeliveryReceipt:
        return row_receipt(
            row, key=key, our_name=self._mapper.our_name, external_id=self._external_id, deferred=self._deferred, sent=sent
        )

    def _matched(self, rows: Any, count: int) -> list[Any]:
        """Answers carry no key, only their place: one row too few and nobody can say whose is missing."""
        if not isinstance(rows, list) or len(rows) != count:
            raise UncertainError(
                "answer_does_not_match", "the answer has another number of rows than were sent", field=self.endpoint.destination
            )
        return rows

    # -- read back ------------------------------------------------------------------------------------------------------------

    def _lookup(self, keys: Sequence[str]) -> dict[str, Found]:
        return {
            key: Found(key=key, vendor_ref=ids[0], count=len(ids)) for key, ids in self._record_ids(keys).items() if key in keys
        }

    def _record_ids(self, keys: Sequence[str]) -> dict[str, list[str]]:
        ids: dict[str, list[str]] = defaultdict(list)
        for key, record_id in self._org.find(self._table, self._external_id, keys):
            ids[key].append(record_id)
        return ids

    # -- withdraw -------------------------------------------------------------------------------------------------------------

    def _suppress(self, batch: Sequence[Disclosure]) -> Sequence[DeliveryReceipt]:
        """Set the opt-out boxes by record id. Not by external id: an upsert would create whoever is not there."""
        ids = self._record_ids([item.key for item in batch])
        keys = [(key, record_id) for key, found in ids.items() for record_id in found]
        receipts: dict[str, DeliveryReceipt] = {}
        for start in range(0, len(keys), MAX_RECORDS):
            part = keys[start : start + MAX_RECORDS]
            records = [{"attributes": {"type": self._table}, "id": record_id, **self._marks} for _, record_id in part]
            rows = self._org.write("PATCH", "composite/sobjects", {"allOrNone": False, "records": records})
            for (key, record_id), row in zip(part, self._matched(rows, len(part)), strict=True):
                receipt = self._receipt(row, key)
                receipt = msgspec.structs.replace(receipt, vendor_ref=record_id, created=None)
                if key not in receipts or receipt.outcome is not Outcome.ACCEPTED:
                    receipts[key] = receipt  # of doubles the worst counts
        return [receipts.get(item.key) or _absent(item.key) for item in batch]

    def _erase(self, keys: Sequence[str]) -> Sequence[DeliveryReceipt]:
        ids = self._record_ids(keys)
        gone = hard_delete(self._org, self._table, [record_id for found in ids.values() for record_id in found])
        return [_erased(key, ids[key], gone) if key in ids else _absent(key) for key in keys]

    # -- check ----------------------------------------------------------------------------------------------------------------

    def _check(self) -> Health:
        description = self._org.read(f"sobjects/{self._table}/describe")
        described = description.get("fields", []) if isinstance(description, Mapping) else []
        fields = {str(field.get("name")): field for field in described if isinstance(field, Mapping)}
        if not fields.get(self._external_id, {}).get("externalId"):
            return Health(
                ok=False,
                message=f"signed in, but {self._table} has no external id {self._external_id}",
                advice="create this text field of 26 characters, unique, case-sensitive, marked as external id",
            )
        missing = sorted(name for name in {*self.manifest.mapping, *self._marks} if name not in fields)
        if missing:
            return Health(
                ok=False,
                message=f"signed in, but {self._table} lacks {', '.join(missing)}",
                advice="create the fields or allow the integration user to see them (field-level security)",
            )
        return Health(ok=True, message=f"signed in; {self._table} has every field we write")


def _setting(manifest: Manifest, key: str, kind: type[T]) -> T:
    value = manifest.transport.get(key)
    if isinstance(value, kind):
        return value
    raise ConfigurationError(
        "bad_manifest", f"must be a {kind.__name__}", field=f"{manifest.name}/connector.yaml: transport.{key}"
    )


def _absent(key: str) -> DeliveryReceipt:
    return DeliveryReceipt(key=key, outcome=Outcome.ACCEPTED, code=ABSENT)


def _erased(key: str, ids: Sequence[str], gone: frozenset[str]) -> DeliveryReceipt:
    if gone.issuperset(ids):
        return DeliveryReceipt(key=key, outcome=Outcome.ACCEPTED, vendor_ref=ids[0])
    return DeliveryReceipt(key=key, outcome=Outcome.DEFERRED, vendor_ref=ids[0], code="not_yet_erased")
