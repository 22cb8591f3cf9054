"""Writes the many records of one SOAP request. It refuses a record that does not fit the WSDL by itself, so that one misfit is
one refusal and not a hundred.

zeep writes a request from its types at about eight microseconds an element (measured); a batch repeats the same dozen elements
a hundred times. So zeep writes the request around the records once, with a mark where they belong, and a writer compiled from
zeep's own types writes the records as text: the same elements in the same order for a tenth of the time. A record that is not
flat is written by zeep. Nothing signs the body (a UsernameToken does not), so it may be completed afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from lxml import etree
from zeep import Plugin
from zeep.exceptions import Error as ZeepError
from zeep.xsd import AnySimpleType, ComplexType, Element, SkipValue
from zeep.xsd import Sequence as XsdSequence

from schemas.errors import ConfigurationError

#: What XML 1.0 (section 2.2) cannot carry in any form. It is replaced by the sign made for this, U+FFFD, never dropped unseen.
_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
#: The same, and what must be written as a reference inside text (XML 1.0 sections 2.4 and 2.11).
_SPECIAL: Final = re.compile("[&<>\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_REFERENCES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
#: Stands for the records until they are put in. No value can look like it: in a value < is written &lt;.
_MARK: Final = "leadgate-records"
_MARK_BYTES: Final = f"<{_MARK}/>".encode()


class RecordMisfitError(Exception):
    """One record does not fit the WSDL's type. ``element`` is the element's name, never its value."""

    def __init__(self, code: str, element: str | None) -> None:
        super().__init__(code, element)
        self.code = code
        self.element = element


class _Writer(Protocol):
    def write(self, record: Any) -> str: ...


def as_text(value: Any) -> str:
    """``value`` in the lexical form of XML Schema, with what XML cannot carry replaced by U+FFFD."""
    if value is True or value is False:
        return "true" if value else "false"
    return _NOT_XML.sub("\ufffd", value if type(value) is str else str(value))


def as_xml(value: Any) -> str:
    """``as_text``, ready to stand between two tags."""
    if value is True or value is False:
        return "true" if value else "false"
    text = value if type(value) is str else str(value)
    return _SPECIAL.sub(_reference, text) if _SPECIAL.search(text) else text


def _reference(found: re.Match[str]) -> str:
    return _REFERENCES.get(found[0], "\ufffd")


class _SimpleWriter:
    """One element with text: a list of ids."""

    def __init__(self, element: Element) -> None:
        self._open, self._close = _tags(element.qname, element.qname.namespace, declare=True)

    def write(self, record: Any) -> str:
        return f"{self._open}{as_xml(record)}{self._close}"


class _FlatWriter:
    """A record whose elements are all single and simple."""

    def __init__(self, element: Element, columns: Sequence[tuple[str, Element]]) -> None:
        self._open, self._close = _tags(element.qname, element.qname.namespace, declare=True)
        self._columns = [(name, *_tags(column.qname, element.qname.namespace)) for name, column in columns]
        self._required = [name for name, column in columns if not (column.is_optional or column.nillable)]
        self._names = frozenset(name for name, _ in columns)

    def write(self, record: Mapping[str, Any]) -> str:
        if not record.keys() <= self._names:
            raise RecordMisfitError("not_in_wsdl", min(record.keys() - self._names))
        for name in self._required:
            if record.get(name) is None:
                raise RecordMisfitError("missing_element", name)
        parts = [self._open]
        for name, opening, closing in self._columns:
            value = record.get(name)
            if value is not None:
                parts += (opening, as_xml(value), closing)
        parts.append(self._close)
        return "".join(parts)


def _tags(name: etree.QName, namespace: str | None, *, declare: bool = False) -> tuple[str, str]:
    """Opening and closing tag, prefixed if ``name`` is in ``namespace``; zeep's own request uses no default namespace."""
    if not name.namespace:
        return f"<{name.localname}>", f"</{name.localname}>"
    declared = f' xmlns:r="{as_xml(namespace).replace(chr(34), "&quot;")}"' if declare else ""
    return f"<r:{name.localname}{declared}>", f"</r:{name.localname}>"


class _ZeepWriter:
    """Any other shape: zeep writes it."""

    def __init__(self, element: Element) -> None:
        self._element = element

    def write(self, record: Mapping[str, Any]) -> str:
        failure: RecordMisfitError
        parent = etree.Element("records")
        try:
            value = self._element.type(**_clean(record))
            self._element.render(parent, value)  # type: ignore[no-untyped-call] # zeep is half typed
        except (ZeepError, ValueError, TypeError, AttributeError, KeyError) as error:
            path = getattr(error, "path", None) or []
            failure = RecordMisfitError("does_not_fit_wsdl", str(path[-1]) if path else None)
        else:
            return "".join(etree.tostring(child, encoding="unicode") for child in parent)
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
        if all(_is_plain(column, element.qname.namespace) for _, column in columns):
            return _FlatWriter(element, columns)
    return _ZeepWriter(element)


def _is_plain(column: Any, namespace: str | None) -> bool:
    simple = type(column) is Element and isinstance(column.type, AnySimpleType) and not column.accepts_multiple
    return simple and column.qname.namespace in (None, namespace)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Where an operation's repeated records stand. Compiled once per operation."""

    path: tuple[str, ...]
    writer: _Writer
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
        return cls(path=names, writer=_compile(element), before=frozenset(before))

    def prepare(self, records: Sequence[Any]) -> tuple[Records, dict[int, RecordMisfitError]]:
        """Write ``records``; those that do not fit are named by their position and left out."""
        written: list[str] = []
        misfits: dict[int, RecordMisfitError] = {}
        write = self.writer.write
        for index, record in enumerate(records):
            try:
                written.append(write(record))
            except RecordMisfitError as misfit:
                misfits[index] = misfit
        return Records(batch=self, written=written), misfits


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Written records on their way into a request."""

    batch: Batch
    written: list[str] = field(repr=False)

    def placeholder(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """``arguments`` with nothing where the records will stand."""
        filled: dict[str, Any] = dict(arguments)
        level = filled
        for name in self.batch.path[:-1]:
            level[name] = dict(level.get(name) or {})
            level = level[name]
        level[self.batch.path[-1]] = SkipValue
        return filled

    def put_into(self, request: bytes) -> bytes:
        """The request with the records where the mark stood."""
        return request.replace(_MARK_BYTES, "".join(self.written).encode(), 1)


class _MarkPlace(Plugin):
    """zeep calls this after it wrote the request and before it signs in: it marks where the records belong."""

    def __init__(self) -> None:
        self._records: ContextVar[Records | None] = ContextVar("records", default=None)

    @contextmanager
    def armed(self, records: Records | None) -> Iterator[None]:
        """Mark the place of ``records`` in the next request of this context."""
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
        parent.insert(position, etree.Element(_MARK))
        return envelope, http_headers


mark_place: Final = _MarkPlace()
