"""From our fields to a vendor's record, by six words of YAML: from, const, format, lookup, when, default.

It refuses, when the manifest is loaded and with the place named: a seventh word, a field the manifest does not disclose, an
option that is not set, and a table or condition of the wrong shape. Whoever wants a seventh word writes Python.

At run time nothing is refused and nothing is parsed: a rule is a closure made once, and a value that is not there is left out.
Most rules are a bare ``from``, and a call costs more than all it does: those are read by name in one loop (``_filler``).
``docs/adding-a-destination.md`` explains each word with an example.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from string import Formatter
from sys import intern
from typing import Any, NamedTuple, TypeAlias

from schemas.errors import ConfigurationError

WORDS = frozenset({"from", "const", "format", "lookup", "when", "default"})
#: A rule has exactly one of these; a dict with none of them is an object of the vendor's, with rules inside.
_ORIGINS = frozenset({"from", "const", "format"})
#: The idempotency key and external id: always there, needs no disclosure.
KEY = "key"
_OPTION = "options."
_GAP = re.compile(" {2,}")

Scalar: TypeAlias = str | int | float | bool
Fields: TypeAlias = Mapping[str, str]
#: (fields, key) -> value, or None to leave the target out.
Rule: TypeAlias = Callable[[Fields, str], Any]


class _Part(NamedTuple):
    """One compiled value of the YAML."""

    rule: Rule
    constant: bool = False
    name: str | None = None  # of our field, if the rule is a bare ``from``: ``rule`` says the same


#: (target, name of our field for a bare ``from``, rule for everything else).
_Step: TypeAlias = tuple[str, str | None, Rule]


def _filler(parts: Mapping[str, _Part]) -> Rule:
    """Answers the targets that have a value, in the order of the YAML; None if none has."""
    steps: tuple[_Step, ...] = tuple((target, part.name, part.rule) for target, part in parts.items())

    def fill(fields: Fields, key: str) -> dict[str, Any] | None:
        get = fields.get
        filled: dict[str, Any] = {}
        for target, name, rule in steps:
            if name is not None:
                if value := get(name):
                    filled[target] = value
            elif (found := rule(fields, key)) is not None:
                filled[target] = found
        return filled or None

    return fill


class Mapper:
    """One compiled mapping. ``apply`` is what a delivery costs; everything else happened before."""

    __slots__ = ("_fill", "_names", "used")

    def __init__(self, fill: Rule, *, used: frozenset[str], names: Mapping[str, str]) -> None:
        self._fill = fill
        self._names = names
        self.used = used  # our fields that the mapping reads

    def apply(self, key: str, fields: Fields) -> dict[str, Any]:
        """The vendor's record, targets in the order of the YAML."""
        return self._fill(fields, key) or {}

    def our_name(self, target: str | None) -> str | None:
        """Our name of the vendor's field ``target`` (dotted if nested), or None if it carries none of ours."""
        return self._names.get(target) if target else None


def compile_mapping(
    mapping: Mapping[str, Any], *, disclosed: Iterable[str], options: Mapping[str, Any] | None = None, place: str
) -> Mapper:
    """Compile ``mapping``. ``place`` is where it stands, as ``file: key``, for the errors."""
    compiler = _Compiler(frozenset(disclosed) | {KEY}, options or {})
    fill = _filler({target: compiler.node(node, f"{place}.{target}", target) for target, node in mapping.items()})
    return Mapper(fill, used=frozenset(compiler.used - {KEY}), names=compiler.names)


def _wrong(place: str, message: str) -> ConfigurationError:
    return ConfigurationError("bad_mapping", message, field=place)


def _scalar(value: Any, place: str) -> Scalar:
    if isinstance(value, str | int | float | bool):
        return value
    raise _wrong(place, "a single value is expected here: text, number, true or false")


class _Compiler:
    def __init__(self, disclosed: frozenset[str], options: Mapping[str, Any]) -> None:
        self._disclosed = disclosed
        self._options = options
        self.used: set[str] = set()
        self.names: dict[str, str] = {}

    def node(self, node: Any, place: str, target: str) -> _Part:
        """Compile one value of the YAML."""
        if isinstance(node, list):
            return self._list([self.node(item, f"{place}[{at}]", target) for at, item in enumerate(node)])
        if not isinstance(node, dict) or not node:
            raise _wrong(place, "a rule ({from: field}), an object or a list of such is expected here")
        if not _ORIGINS & node.keys():
            if WORDS & node.keys():
                raise _wrong(place, "a rule needs one of from, const, format")
            return self._object({name: self.node(inner, f"{place}.{name}", f"{target}.{name}") for name, inner in node.items()})
        return self._rule(node, place, target)

    # -- shapes -------------------------------------------------------------------------------------------------------

    @staticmethod
    def _object(parts: dict[str, _Part]) -> _Part:
        """An object is left out if nothing but constants is left of it: a kind without a number says nothing."""
        fill = _filler(parts)
        constants = {name for name, part in parts.items() if part.constant}
        if constants == parts.keys():
            return _Part(lambda fields, key: fill(fields, key) or {}, constant=True)

        def fill_beside_constants(fields: Fields, key: str) -> dict[str, Any] | None:
            filled = fill(fields, key)
            return filled if filled and not filled.keys() <= constants else None

        return _Part(fill_beside_constants if constants else fill)

    @staticmethod
    def _list(parts: list[_Part]) -> _Part:
        rules = tuple(part.rule for part in parts)

        def build(fields: Fields, key: str) -> list[Any] | None:
            return [value for rule in rules if (value := rule(fields, key)) is not None] or None

        return _Part(build, constant=all(part.constant for part in parts))

    # -- words --------------------------------------------------------------------------------------------------------

    def _rule(self, node: dict[str, Any], place: str, target: str) -> _Part:
        if unknown := sorted(str(word) for word in node.keys() - WORDS):
            raise _wrong(place, f"unknown word {unknown[0]!r}; the words are from, const, format, lookup, when, default")
        if len(_ORIGINS & node.keys()) != 1:
            raise _wrong(place, "a rule has exactly one of from, const, format")
        name: str | None = None
        if "from" in node:
            rule, _, name = self._from(node["from"], f"{place}.from", target)
        elif "format" in node:
            rule = self._format(node["format"], f"{place}.format", target)
        else:
            rule = _constant(_scalar(node["const"], f"{place}.const"))
        if "lookup" in node:
            rule, name = _lookup(rule, node["lookup"], f"{place}.lookup", name), None
        if "default" in node:
            rule, name = _default(rule, _scalar(node["default"], f"{place}.default"), name), None
        if "when" in node:
            rule, name = self._when(rule, node["when"], f"{place}.when"), None
        return _Part(rule, constant="const" in node, name=name)

    def _known(self, name: Any, place: str) -> str:
        if not isinstance(name, str) or not name:
            raise _wrong(place, "the name of one of our fields is expected here")
        if name not in self._disclosed:
            raise _wrong(place, f"the manifest does not disclose the field {name!r}: add it to discloses or drop it here")
        self.used.add(name)
        return intern(name)  # a field is asked by name for every lead: one and the same text is found without comparing it

    def _from(self, name: Any, place: str, target: str) -> _Part:
        if isinstance(name, str) and name.startswith(_OPTION):
            option = name.removeprefix(_OPTION)
            if option not in self._options:
                raise _wrong(place, f"the destination sets no option {option!r}: set it under options in leadgate.yaml")
            return _Part(_constant(_scalar(self._options[option], place)))
        known = self._known(name, place)
        if known == KEY:
            return _Part(lambda _fields, key: key)
        self.names.setdefault(target, known)
        return _Part(lambda fields, _key: fields.get(known) or None, name=known)

    def _format(self, template: Any, place: str, target: str) -> Rule:
        if not isinstance(template, str):
            raise _wrong(place, "a text with {field} in it is expected here")
        pattern: list[str] = []
        names: list[str] = []
        try:
            for text, name, spec, conversion in Formatter().parse(template):
                if spec or conversion:
                    raise _wrong(place, "write {field}, with nothing after the name")
                pattern.append(text.replace("%", "%%"))
                if name is not None:
                    names.append(self._known(name, place))
                    pattern.append("%s")
        except ValueError:
            raise _wrong(place, "the braces do not match") from None
        if not names:
            raise _wrong(place, "a format without {field} is a const")
        self.names.setdefault(target, names[0])
        whole = "".join(pattern)

        def build(fields: Fields, _key: str) -> str | None:
            values = tuple(map(fields.get, names))
            if all(values):
                return whole % values
            if not any(values):
                return None
            # Only the gap a missing field leaves is closed: what a person wrote keeps its own spaces.
            return _GAP.sub(" ", whole % tuple([value or "" for value in values])).strip()

        return build if KEY not in names else lambda fields, key: build({**fields, KEY: key}, key)

    def _when(self, rule: Rule, condition: Any, place: str) -> Rule:
        if not isinstance(condition, dict) or not condition:
            raise _wrong(place, "conditions are expected here: {field: value}, {field: [values]} or {field: true}")
        tests = tuple(_test(self._known(name, place), wanted, f"{place}.{name}") for name, wanted in condition.items())

        def guarded(fields: Fields, key: str) -> Any:
            for test in tests:  # all() over a generator costs three times a loop
                if not test(fields, key):
                    return None
            return rule(fields, key)

        return guarded


def _test(name: str, wanted: Any, place: str) -> Rule:
    """true: the field is there; false: it is not; a value or a list of values: it is one of them."""
    if isinstance(wanted, bool):
        return lambda fields, key: bool(key if name == KEY else fields.get(name)) is wanted
    values = frozenset(_written(value, place) for value in (wanted if isinstance(wanted, list) else [wanted]))
    return lambda fields, _key: fields.get(name) in values


def _constant(value: Scalar) -> Rule:
    return lambda _fields, _key: value


def _lookup(rule: Rule, table: Any, place: str, name: str | None) -> Rule:
    """``name``: of our field, if ``rule`` is a bare ``from``."""
    if not isinstance(table, dict) or not table:
        raise _wrong(place, "a table is expected here: {our value: the vendor's value}")
    values: dict[str | None, Scalar] = {_written(key, place): _scalar(value, place) for key, value in table.items()}
    if name is not None:
        return lambda fields, _key: values.get(fields.get(name) or None)
    return lambda fields, key: values.get(rule(fields, key))


def _written(value: Any, place: str) -> str:
    if isinstance(value, bool):
        raise _wrong(
            place, "write the value in quotes: YAML reads a bare yes, no, on and off as true and false, and NO is Norway"
        )
    return str(_scalar(value, place))


def _default(rule: Rule, value: Scalar, name: str | None) -> Rule:
    """``name``: of our field, if ``rule`` is a bare ``from``."""
    if name is not None:
        return lambda fields, _key: fields.get(name) or value

    def build(fields: Fields, key: str) -> Any:
        found = rule(fields, key)
        return value if found is None else found

    return build
