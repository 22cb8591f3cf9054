"""Files that fit a head, names that say what is inside, exceptions to a rule with their reason."""

from __future__ import annotations

import ast
import re

from tests.architecture.tree import PACKAGES, ROOT, breach, modules, refuse

#: About 300 is the habit; here is the wall. A test file is a list of cases and may be a little longer.
_LINES = 400
_LINES_OF_TESTS = 500
#: Longer by intent.
_WHOLE = {"leadgate/documents/auditor/verify_evidence.py": "one file that an auditor can read, carry away and run"}
#: Says "miscellaneous" in one word each.
_SHAPELESS = {
    "utils",
    "util",
    "helpers",
    "helper",
    "manager",
    "managers",
    "handler",
    "handlers",
    "common",
    "misc",
    "base_utils",
    "core",
}
_WAIVER = re.compile(r"#\s*(?:ruff:\s*)?(?:noqa|type:\s*ignore)\b(?P<rest>.*)")
#: A code that explains itself where it stands is enough for a type checker; a lint rule is waived with words.
_REASON = re.compile(r":\s*[A-Z]+[0-9]+(?:\s*,\s*[A-Z]+[0-9]+)*\s+(?:-|#)\s*\S+")
_SOURCES = (*PACKAGES, "dags", "tests", *(["bench"] if (ROOT / "bench").is_dir() else []))


def test_no_file_is_longer_than_a_head() -> None:
    refuse(
        (
            breach(module.place, _LINES, f"{length} lines")
            for module in modules(*_SOURCES)
            if (length := len(module.text.splitlines())) > (_LINES_OF_TESTS if module.place.startswith("tests/") else _LINES)
            and module.place not in _WHOLE
        ),
        "find the second subject in it and give that a file",
    )


def test_no_name_says_miscellaneous() -> None:
    refuse(
        (
            breach(module.place, 1, "says nothing about what is inside")
            for module in modules(*_SOURCES)
            if _words(module.dotted)
        ),
        "name it by what it does",
    )


def _words(dotted: str) -> set[str]:
    return {word for part in dotted.split(".") for word in (part, *part.split("_"))} & _SHAPELESS


def test_every_module_begins_by_saying_what_it_is() -> None:
    refuse(
        (
            breach(module.place, 1, "no docstring")
            for module in modules(*PACKAGES, "dags")
            if module.text.strip() and not ast.get_docstring(module.tree)
        ),
        "begin with what it refuses or promises",
    )


def test_a_waived_rule_has_its_reason() -> None:
    breaches = []
    for module in modules(*PACKAGES, "dags"):
        above = ""
        for number, line in enumerate(module.text.splitlines(), 1):
            found, explained = _WAIVER.search(line), above.lstrip().startswith("#")
            above = line
            if found is None:
                continue
            if "type:" in found.group():
                if "[" not in found["rest"]:
                    breaches.append(breach(module.place, number, "type: ignore without a code"))
            elif not _REASON.match(found["rest"]) and not (explained and re.match(r":\s*[A-Z]+[0-9]+", found["rest"])):
                breaches.append(breach(module.place, number, "noqa without a code or a reason"))
    refuse(breaches, "write `# noqa: CODE - why`, or the reason in a comment on the line above, or do what the rule asks")


def test_a_value_is_slotted_and_spelled_out() -> None:
    """Dataclasses have slots: a misspelled attribute fails at once, and a hundred thousand of them fit in memory."""
    breaches = []
    for module in modules(*PACKAGES):
        for node in module.nodes():
            if not isinstance(node, ast.ClassDef):
                continue
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Name) and decorator.id == "dataclass":
                    breaches.append(breach(module.place, node.lineno, f"{node.name}: plain @dataclass"))
                elif isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "dataclass":
                    given = {word.arg for word in decorator.keywords}
                    if "slots" not in given:
                        breaches.append(breach(module.place, node.lineno, f"{node.name}: no slots"))
    refuse(breaches, "@dataclass(frozen=True, slots=True, kw_only=True), less only what cannot be")
