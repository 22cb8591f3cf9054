"""Reads a WSDL hermetically. It refuses the network, files outside the WSDL's own folder, document type declarations, entities,
and documents that are too large or too many.

A WSDL is a program for the parser: every import in it is an address its author chose. So one function, ``HermeticLoader.load``,
answers every request zeep makes while it reads one, and it knows two kinds of address only:

1. a file below the folder of the WSDL itself, and
2. one of the public schemas that real WSDLs import by address; small stand-ins for them are shipped in ``schemas/``.

Parsing costs tens of milliseconds (seconds for a vendor's full contract), so a parsed WSDL is kept for the life of the process.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from lxml import etree
from zeep import Settings
from zeep.exceptions import Error as ZeepError
from zeep.wsdl import Document

from schemas.errors import ConfigurationError

# zeep logs whole envelopes at DEBUG and, when a value does not parse, a traceback that quotes it. Neither may reach a handler.
_ZEEP_LOG = logging.getLogger("zeep")
_ZEEP_LOG.addHandler(logging.NullHandler())
_ZEEP_LOG.propagate = False
_ZEEP_LOG.setLevel(logging.CRITICAL + 1)

#: One document. The largest public contract we know of (a dialer's, 182 operations) has 961,589 bytes.
MAX_DOCUMENT_BYTES: Final = 4 * 1024 * 1024
#: Documents of one WSDL; a chain of imports that never ends is stopped here.
MAX_DOCUMENTS: Final = 64

_STANDINS: Final = Path(__file__).with_name("schemas")
STAND_INS: Final = {
    "http://schemas.xmlsoap.org/soap/encoding": "soap-encoding.xsd",
    "http://schemas.xmlsoap.org/wsdl": "wsdl.xsd",
    "http://ws-i.org/profiles/basic/1.1/swaref.xsd": "swaref.xsd",
    "http://ws-i.org/profiles/basic/1.1/xsd": "swaref.xsd",
    "https://www.w3.org/2001/xml.xsd": "xml.xsd",
    "http://www.w3.org/2001/xml.xsd": "xml.xsd",
}


def safe_parser() -> etree.XMLParser:
    """An XML parser that fetches nothing, expands nothing and repairs nothing. One per document: lxml parsers keep state."""
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, recover=False, huge_tree=False
    )


def parse_safely(content: bytes) -> etree._Element:
    """Parse ``content`` or raise ValueError with a stable word: ``not_xml`` or ``document_type_refused``."""
    try:
        root = etree.fromstring(content, safe_parser())
    except (etree.XMLSyntaxError, ValueError):
        raise ValueError("not_xml") from None
    if root.getroottree().docinfo.doctype:  # type: ignore[union-attr] # a gap of lxml-stubs
        # SOAP 1.1 section 3: a SOAP message MUST NOT contain a Document Type Declaration. A WSDL has no use for one either.
        raise ValueError("document_type_refused")
    return root


class HermeticLoader:
    """zeep's only way to a document while a WSDL is read. ``root`` is the folder it may read from."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._served = 0

    def load(self, url: str) -> bytes:
        """Return the document at ``url``. Raises ConfigurationError for everything but the two kinds of address above."""
        self._served += 1
        if self._served > MAX_DOCUMENTS:
            raise ConfigurationError("wsdl_too_many_documents", "the WSDL imports too many documents", field=self._root.name)
        path = self._locate(str(url))
        content = self._read(path)
        try:
            parse_safely(content)
        except ValueError as reason:
            raise ConfigurationError(
                f"wsdl_{reason.args[0]}", "a document of the WSDL is not plain XML without a DTD", field=path.name
            ) from None
        return content

    def _locate(self, url: str) -> Path:
        stand_in = STAND_INS.get(url.rstrip("/"))
        if stand_in is not None:
            return _STANDINS / stand_in
        parts = urlsplit(url)
        if parts.scheme or parts.netloc:
            raise ConfigurationError(
                "wsdl_remote_refused",
                "the WSDL imports a document by address; save it beside the WSDL and import it by file name",
                field=self._root.name,
            )
        path = Path(url).resolve()  # follows links: a link out of the folder is outside the folder
        if not path.is_relative_to(self._root):
            raise ConfigurationError(
                "wsdl_outside_folder", "the WSDL imports a file outside its own folder", field=self._root.name
            )
        return path

    def _read(self, path: Path) -> bytes:
        try:
            with path.open("rb") as stream:
                content = stream.read(MAX_DOCUMENT_BYTES + 1)
        except OSError:
            raise ConfigurationError("wsdl_missing", "a document of the WSDL cannot be read", field=path.name) from None
        if len(content) > MAX_DOCUMENT_BYTES:
            raise ConfigurationError("wsdl_too_large", "a document of the WSDL is too large", field=path.name)
        return content


def load_wsdl(path: Path) -> Document:
    """Return the parsed WSDL at ``path``; the same unchanged file is parsed once per process.

    Raises ConfigurationError naming the file.
    """
    try:
        resolved = path.resolve(strict=True)
        with resolved.open("rb") as stream:
            digest = sha256(stream.read(MAX_DOCUMENT_BYTES + 1)).hexdigest()
    except OSError:
        raise ConfigurationError("wsdl_missing", "the WSDL cannot be read", field=path.name) from None
    return _parse(resolved, digest)


@lru_cache(maxsize=32)
def _parse(path: Path, digest: str) -> Document:  # noqa: ARG001 - the digest is the cache's key: a changed file is read again
    # ``forbid_external`` stays off while loading because it would also refuse the stand-ins, which are asked for by address;
    # the loader is the stricter gate. ``strict`` is about reading answers, which zeep does not do here (soap_answers.py).
    settings = Settings(forbid_dtd=True, forbid_entities=True, forbid_external=False, xml_huge_tree=False)
    try:
        return Document(str(path), HermeticLoader(path.parent), settings=settings)  # type: ignore[arg-type] # it asks for load() only
    except ConfigurationError:
        raise
    except (
        ZeepError,
        etree.LxmlError,
        NotImplementedError,  # zeep's word for what it does not read, an include of no file say
        ValueError,
        KeyError,
        IndexError,
        AttributeError,
        TypeError,
    ) as error:
        raise ConfigurationError(
            "wsdl_unusable", f"the WSDL cannot be understood ({type(error).__name__})", field=path.name
        ) from None


def choose_binding(wsdl: Document, name: str | None, destination: str) -> Any:
    """The WSDL's SOAP binding of this name, with or without its namespace; the first one if no name is given."""
    soap = {key: binding for key, binding in wsdl.bindings.items() if hasattr(binding, "process_error")}
    if name is not None:
        soap = {key: binding for key, binding in soap.items() if name in (key, etree.QName(key).localname)}
    if not soap:
        raise ConfigurationError("wsdl_binding_missing", "the WSDL has no such SOAP binding", field=destination)
    return next(iter(soap.values()))
