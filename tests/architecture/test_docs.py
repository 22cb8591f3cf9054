"""The documents are true: every link leads somewhere, every command and door exists, every word of the house is explained."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any

import typer.main

from schemas import vocabulary
from tests.architecture.tree import ROOT, breach, modules, refuse

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_FENCE = re.compile(r"^\s*```")
_HEADING = re.compile(r"^#+\s+(?P<title>.+?)\s*$")
#: Documents named in code, configuration and other documents.
_MENTION = re.compile(r"\b(?P<path>docs/[A-Za-z0-9_/-]+\.md)\b")
#: Between back-ticks in a sentence; at the start of a line in a block of code.
_SAID = re.compile(r"`(?P<words>[^`]+)`")
_TYPED = re.compile(r"^\s*(?:\$ )?(?P<words>[^#]+)")
_COMMAND = re.compile(r"^(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?leadgate (?P<words>[a-z][^|&>]*)")
_DOOR = re.compile(r"^make (?:[A-Z_]+=\S+ )*(?P<door>[a-z][a-z-]*)")
#: Words of other houses that ours has a better one for, and ours.
_STRANGE = {
    r"\bagents?\b": "moderator (or the call center's operator)",
    r"\bblack ?list(?:ed|s)?\b": "suppress",
    r"\bde-?identif\w+": "pseudonymize",
    r"\bdead[- ]letter queue\b": "dead letter",
    r"\bend ?points? (?:failed|refused)\b": "destination",
}


def _documents() -> list[Path]:
    return [
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        *sorted((ROOT / "docs").rglob("*.md")),
        *sorted((ROOT / "integrations").rglob("README.md")),
    ]


def _lines(path: Path) -> Iterator[tuple[int, str, bool]]:
    """(number, line, whether it stands in a block of code)."""
    fenced = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if _FENCE.match(line):
            fenced = not fenced
        else:
            yield number, line, fenced


def _place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _anchors(path: Path) -> set[str]:
    """The headings of a document as GitHub names them."""
    found = (_HEADING.match(line) for _, line, fenced in _lines(path) if not fenced)
    return {re.sub(r"[^\w\- ]", "", one["title"].replace("`", "").lower()).replace(" ", "-") for one in found if one}


def test_every_link_leads_somewhere() -> None:
    breaches = []
    for path in _documents():
        for number, line, fenced in _lines(path):
            for link in () if fenced else _LINK.finditer(line):
                target, _, anchor = link["target"].partition("#")
                if "://" in target or target.startswith("mailto:"):
                    continue
                led_to = (path.parent / target).resolve() if target else path
                if not led_to.exists():
                    breaches.append(breach(_place(path), number, f"leads to {target}, which is not there"))
                elif anchor and led_to.suffix == ".md" and anchor not in _anchors(led_to):
                    breaches.append(breach(_place(path), number, f"{target or path.name} has no heading #{anchor}"))
    refuse(breaches, "mend the link, or write what it promises")


def test_every_document_that_is_named_exists() -> None:
    named = [*_documents(), ROOT / "airflow.cfg", ROOT / "leadgate.yaml", ROOT / "Makefile", ROOT / "pyproject.toml"]
    named += [module.path for module in modules("schemas", "consent", "integrations", "leadgate", "dags", "tests")]
    refuse(
        (
            breach(_place(path), number, f"names {found['path']}, which is not there")
            for path in named
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
            for found in _MENTION.finditer(line)
            if not (ROOT / found["path"]).is_file()
        ),
        "write it, or do not send people there",
    )


def _command_line() -> Any:
    """The whole command line, introspected: commands register when their module is imported."""
    for module in modules("leadgate/cli"):
        import_module(module.dotted)
    return typer.main.get_command(import_module("leadgate.cli.app").app)


def _unknown(group: Any, words: list[str]) -> str | None:
    """What the command line does not know of a command as written; None if all of it exists."""
    command = group
    for word in words:
        if word.startswith("-"):
            options = {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {"--help"}
            if word.partition("=")[0] not in options:
                return f"{command.name} has no option {word}"
        elif hasattr(command, "commands"):
            if word not in command.commands:
                return f"there is no command {word}"
            command = command.commands[word]
    return None


def _commands() -> Iterator[tuple[Path, int, str]]:
    """(file, line, command) of everything a reader is told to type, in documents and in the help of a DAG."""
    for path in [*_documents(), *(module.path for module in modules("dags"))]:
        for number, line, fenced in _lines(path):
            for found in _TYPED.finditer(line) if fenced else _SAID.finditer(line):
                yield path, number, found["words"].strip()
    for path in (ROOT / "airflow.cfg", ROOT / "leadgate.yaml", *(module.path for module in modules("leadgate"))):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            yield from ((path, number, found["words"].strip()) for found in _SAID.finditer(line.replace("``", "`")))


def test_every_command_that_is_named_exists() -> None:
    group = _command_line()
    breaches = []
    for path, number, command in _commands():
        found = _COMMAND.match(command)
        problem = _unknown(group, shlex.split(found["words"])) if found else None
        if problem:
            breaches.append(breach(_place(path), number, f"`{command}`: {problem}"))
    refuse(breaches, "see `leadgate --help`")


def test_every_door_that_is_named_exists() -> None:
    doors = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    refuse(
        (
            breach(_place(path), number, f"there is no `make {found['door']}`")
            for path, number, command in _commands()
            if (found := _DOOR.match(command)) and found["door"] not in doors
        ),
        "see `make help`",
    )


def test_every_door_says_what_it_does() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    silent = set(re.findall(r"^\.PHONY: ([a-z-]+)$", text, re.MULTILINE)) - set(
        re.findall(r"^([a-z-]+):.*## \S", text, re.MULTILINE)
    )
    refuse((f"Makefile: `make {door}` has no ## line" for door in silent), "one sentence after ##; `make help` prints it")


def test_every_word_of_the_house_is_explained() -> None:
    """Outcomes, states and events that people read on screens stand in the glossary."""
    glossary = (ROOT / "docs/glossary.md").read_text(encoding="utf-8").lower()
    for_people = ("Outcome", "Decision")
    words = {
        member.value
        for name, kind in vars(vocabulary).items()
        if name in for_people and isinstance(kind, type) and issubclass(kind, StrEnum)
        for member in kind
    }
    assert words, "schemas.vocabulary lost Outcome and Decision: mend this test"
    refuse((f"docs/glossary.md: does not explain {word!r}" for word in words if word not in glossary), "say it in one line")


def test_no_word_of_another_house() -> None:
    breaches = []
    for path in _documents():
        if path.name == "glossary.md" or "adr" in path.parts:
            continue
        for number, line, fenced in _lines(path):
            prose = "" if fenced else re.sub(r"`[^`]*`", "", line)
            for pattern, ours in _STRANGE.items():
                found = re.search(pattern, prose, re.IGNORECASE)
                if found:
                    breaches.append(breach(_place(path), number, f"says {found.group()!r}; our word is {ours}"))
    refuse(breaches, "docs/glossary.md has the words")


def test_every_decision_is_in_the_index() -> None:
    index = (ROOT / "docs/adr/README.md").read_text(encoding="utf-8")
    records = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))
    breaches = [f"docs/adr/README.md: {path.name} is missing" for path in records if f"({path.name})" not in index]
    breaches += [
        f"docs/adr/{path.name}: does not begin with '# {path.name[:4]}: '"
        for path in records
        if not path.read_text(encoding="utf-8").startswith(f"# {path.name[:4]}: ")
    ]
    numbers = [path.name[:4] for path in records]
    breaches += [f"docs/adr: two records bear the number {number}" for number in numbers if numbers.count(number) > 1]
    refuse(breaches, "one line for each record; a number is never used again")
