"""The tests themselves: nothing of ours is replaced, nothing is skipped, nothing is timed, nobody in them is real."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT, breach, modules, refuse

_REPLACES = {"unittest.mock", "mock", "pytest_mock", "responses", "requests_mock", "respx", "freezegun", "time_machine", "vcr"}
#: pytest's ways to leave a test out, or not to mind that it fails: there is none in ours.
_EXCUSES = {"skip", "skipif", "xfail", "importorskip"}
#: Longer pauses hide a race; wait for what you wait for.
_LONGEST_PAUSE = 2.0
#: Phones that belong to nobody: nothing is given out in 900 000 (Russia) and 700 000 (Kazakhstan).
_NOBODYS_PHONES = {("900", "000"), ("700", "000")}
_RUSSIAN = re.compile(r"(?<![\d+])(?:\+7|8)[\s(-]*(\d{3})[\s)-]*(\d{3})[\s-]*(\d{2})[\s-]*(\d{2})(?!\d)", re.ASCII)
#: Not the end of a URL with a login in it.
_EMAIL = re.compile(r"(?<![:/A-Za-z0-9._%+-])[A-Za-z0-9._%+-]+@([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,})")
_NOBODYS_DOMAIN = re.compile(
    r"(?:^|\.)(?:example\.(?:org|com|net)|[a-z0-9-]+\.(?:example|invalid|test|localhost))$|^example$", re.IGNORECASE
)


def test_nothing_of_ours_is_replaced() -> None:
    breaches = []
    for module in modules("tests"):
        breaches += [breach(module.place, line, f"imports {name}") for line, name in module.imports() if name in _REPLACES]
        breaches += [
            breach(module.place, node.lineno, f"monkeypatch.{node.func.attr}")
            for node in module.nodes()
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in {"setattr", "delattr", "setitem"}
            and getattr(node.func.value, "id", "") == "monkeypatch"
        ]
    refuse(breaches, "hand the clock, the key or the simulator in as an argument: build a world, not a mock")


def test_no_test_is_excused() -> None:
    refuse(
        (
            breach(module.place, node.lineno, node.attr)
            for module in modules("tests")
            for node in module.nodes()
            if isinstance(node, ast.Attribute)
            and node.attr in _EXCUSES
            and getattr(node.value, "id", getattr(node.value, "attr", "")) in {"pytest", "mark"}
        ),
        "make it pass, or take it out and file what is missing",
    )


def test_no_test_waits_blindly() -> None:
    refuse(
        (
            breach(module.place, node.lineno, f"sleeps {node.args[0].value} s")
            for module in modules("tests")
            for node in module.nodes()
            if isinstance(node, ast.Call)
            and getattr(node.func, "attr", getattr(node.func, "id", "")) == "sleep"
            and node.args
            and isinstance(node.args[0], ast.Constant)
            and isinstance(node.args[0].value, int | float)
            and node.args[0].value > _LONGEST_PAUSE
        ),
        "poll for the condition with a deadline",
    )


def test_nobody_here_is_real() -> None:
    """Every phone and address in the repository is one that cannot be a person's."""
    breaches = []
    for path in _tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        place = path.relative_to(ROOT).as_posix()
        for number, line in enumerate(text.splitlines(), 1):
            breaches += [
                breach(place, number, "a Russian phone number outside +7 900 000-xx-xx")
                for found in _RUSSIAN.finditer(line)
                if found.group(1, 2) not in _NOBODYS_PHONES
            ]
            breaches += [
                breach(place, number, f"an address at {found.group(1)}")
                for found in _EMAIL.finditer(line)
                if not _NOBODYS_DOMAIN.search(found.group(1))
            ]
    refuse(breaches, "invent: +7 900 000-xx-xx, name@example.org")


def _tracked() -> list[Path]:
    """Files under version control, or all of ours where there is no git (an unpacked archive)."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        names = listed.stdout.decode().split("\0")
        return [ROOT / name for name in names if name and (ROOT / name).is_file() and not name.endswith(".lock")]
    roots = ("schemas", "consent", "integrations", "leadgate", "dags", "tests", "docs", "notices")
    return [path for root in roots for path in (ROOT / root).rglob("*") if path.is_file() and "__pycache__" not in path.parts]


@pytest.mark.parametrize("form", ["+7 {} 123-45-67", "8 ({}) 123-45-67", "+7{}1234567"])
def test_a_real_looking_phone_would_be_seen(form: str) -> None:
    found = _RUSSIAN.search(form.format("901"))
    assert found
    assert found.group(1, 2) not in _NOBODYS_PHONES
