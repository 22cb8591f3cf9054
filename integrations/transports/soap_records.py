"""Writes the many records of one SOAP request. It refuses a record that does not fit the WSDL by itself, so that one misfit is
one refusal and not a hundred.

zeep writes a request from its types and costs about eight microseconds an element (measured); a batch repeats the same dozen
elements a hundred times. So zeep writes the request around the records, once, and a writer compiled from zeep's own types
writes the records: the same elements in the same order for a tenth of the time. Records that are not flat go through zeep.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, Protocol

from lxml import etree
from zeep import Plugin
from zeep.exceptions import Error as ZeepError
from zeep.xsd import AnySimpleType, ComplexType, Element, SkipValue
from zeep.xsd import Sequence as XsdSequence

from schemas.errors import ConfigurationError

#: What XML 1.0 (section 2.2) cannot carry in any form. It is replaced by the sign made for this, U+FFFD, never dropped unseen.
_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class RecordMisfitError(Exception):
    """One record does not fit the WSDL's type. ``element`` is the element's name, never its value."""

    def __init__(self, code: str, element: str | None) -> None:
        super().__init__(code, element)
        self.code = code
        self.element = element


class _Writer(Protocol):
    def write(self, parent: etree._Element, record: Mapping[str, Any]) -> None: ...


def as_text(value: Any) -> str:
    """``value`` in the lexical form of XML Schema, with what XML cannot carry replaced by U+FFFD."""
    if value is True or value is False:
        return "true" if value else "false"
    text = value if type(value) is str else str(value)
    return _NOT_XML.sub("\ufffd", text) if _NOT_XML.search(text) else text


class _SimpleWriter:
    """One element with text: a list of ids."""

    def __init__(self, element: Element) -> None:
        self._tag = element.qname.text

    def write(self, parent: etree._Element, record: Any) -> None:
        etree.SubElement(parent, self._tag).text = as_text(record)


class _FlatWriter:
    """A record whose elements are all single and simple."""

    def __init__(self, element: Element, columns: Sequence[tuple[str, Element]]) -> None:
        self._tag = element.qname.text
        self._columns = [(name, column.qname.text, not (column.is_optional or column.nillable)) for name, column in columns]
        self._names = frozenset(name for name, _ in columns)

    def write(self, parent: etree._Element, record: Mapping[str, Any]) -> None:
        unknown = record.keys() - self._names
        if unknown:
            raise RecordMisfitError("not_in_wsdl", min(unknown))
        values = [(tag, record.get(name)) for name, tag, _ in self._columns]
        for (name, _, required), (_, value) in zip(self._columns, values, strict=True):
            if required and value is None:
                raise RecordMisfitError("missing_element", name)
        node = etree.SubElement(parent, self._tag)
        for tag, value in values:
            if value is not None:
                etree.SubElement(node, tag).text = as_text(value)


class _ZeepWriter:
    """Any other shape: zeep writes it."""

    def __init__(self, element: Element) -> None:
        self._element = element

    def write(self, parent: etree._Element, record: Mapping[str, Any]) -> None:
        failure: RecordMisfitError
        before = len(parent)
        try:
            value = self._element.type(**_clean(record))
            self._element.render(parent, value)  # type: ignore[no-untyped-call] # zeep is half typed
        except (ZeepError, ValueError, TypeError, AttributeError, KeyError) as error:
            del parent[before:]  # what was written of it
            path = getattr(error, "path", None) or []
            failure = RecordMisfitError("does_not_fit_wsdl", str(path[-1]) if path else None)
        else:
            return
        raise failure


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return as_text(value)
    if isinstance(value, Mapping):
        return {key: _clean(item) for key, item in value.items()}
    return [_clean(item) for item in value] if isinstance(value, list | tuple) else value


def _compile(element: Element) -> _Writer:
    kind = element.type
    if isinstance(kind, AnySimpleType):
        return _SimpleWriter(element)
    if (
        isinstance(kind, ComplexType)
        and not kind.attributes
        and [type(group) for _, group in kind.elements_nested] == [XsdSequence]
    ):
        columns = list(kind.elements_nested[0][1].elements)
        if all(
            type(column) is Element and isinstance(column.type, AnySimpleType) and not column.accepts_multiple
            for _, column in columns
        ):
            return _FlatWriter(element, columns)
    return _ZeepWriter(element)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Where an operation's repeated records stand. Compiled once per operation."""

    path: tuple[str, ...]
    writer: _Writer
    namespace: str | None  # of the records' element
    before: frozenset[str]  # local names of the elements that stand before the records

    @classmethod
    def of(cls, operation: Any, path: str) -> Batch:
        """Find ``path`` in the operation's request type. Raises ConfigurationError naming it."""
        names = tuple(path.split("."))
        element = getattr(operation.input, "body", None)
        before: list[str] = []
        for name in names:
            children = list(getattr(getattr(element, "type", None), "elements", ()))
            position = next((index for index, (known, _) in enumerate(children) if known == name), None)
            if position is None:
                raise ConfigurationError(
                    "wsdl_path_missing", "the WSDL has no such element in the request", field=f"{operation.name}: {path}"
                )
            before = [child.qname.localname for _, child in children[:position] if child.qname is not None]
            element = children[position][1]
        if not isinstance(element, Element) or not element.accepts_multiple:
            raise ConfigurationError(
                "wsdl_path_not_repeated", "the element of the records is not repeatable", field=f"{operation.name}: {path}"
            )
        return cls(path=names, writer=_compile(element), namespace=element.qname.namespace, before=frozenset(before))

    def prepare(self, records: Sequence[Any]) -> tuple[Records, dict[int, RecordMisfitError]]:
        """Write ``records``; those that do not fit are named by their position and left out."""
        parent = etree.Element("records", nsmap={"ns0": self.namespace} if self.namespace else None)
        misfits: dict[int, RecordMisfitError] = {}
        for index, record in enumerate(records):
            try:
                self.writer.write(parent, record)
            except RecordMisfitError as misfit:
                misfits[index] = misfit
        return Records(batch=self, nodes=list(parent)), misfits


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Written records on their way into one request. They can be sent once: lxml moves them."""

    batch: Batch
    nodes: list[etree._Element]

    def placeholder(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """``arguments`` with nothing where the records will stand."""
        filled: dict[str, Any] = dict(arguments)
        level = filled
        for name in self.batch.path[:-1]:
            level[name] = dict(level.get(name) or {})
            level = level[name]
        level[self.batch.path[-1]] = SkipValue
        return filled


class _InsertRecords(Plugin):
    """zeep calls this after it wrote the request and before it signs in."""

    def __init__(self) -> None:
        self._records: ContextVar[Records | None] = ContextVar("records", default=None)

    @contextmanager
    def armed(self, records: Records | None) -> Iterator[None]:
        """Put ``records`` into the next request of this context."""
        token = self._records.set(records)
        try:
            yield
        finally:
            self._records.reset(token)

    def egress(self, envelope: Any, http_headers: Any, operation: Any, binding_options: Any) -> tuple[Any, Any]:  # noqa: ARG002 - zeep's
        records = self._records.get()
        if records is None:
            return envelope, http_headers
        parent = envelope.find("{*}Body")[0]
        for name in records.batch.path[:-1]:
            parent = next(child for child in parent if etree.QName(child).localname == name)
        position = sum(etree.QName(child).localname in records.batch.before for child in parent)
        parent[position:position] = records.nodes
        return envelope, http_headers


insert_records: Final = _InsertRecords()
