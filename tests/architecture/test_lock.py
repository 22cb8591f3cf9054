"""What is installed is pinned, hashed and asked for; where it comes from is the environment's affair and stands nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.architecture.tree import ROOT, breach, project, refuse

LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
_PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(?P<version>[^ ;\\]+)(?P<rest>.*)")


def _requirements(lock: Path) -> Iterator[tuple[int, str, list[str]]]:
    """(line, requirement, the lines that belong to it)."""
    current: tuple[int, str, list[str]] | None = None
    for number, line in enumerate(lock.read_text(encoding="utf-8").splitlines(), 1):
        if line and not line.startswith((" ", "#")):
            if current:
                yield current
            current = (number, line, [])
        elif current and line.strip():
            current[2].append(line.strip())
    if current:
        yield current


def _pins(lock: Path) -> dict[str, Version]:
    found = (_PIN.match(line) for _, line, _ in _requirements(lock))
    return {canonicalize_name(one["name"]): Version(one["version"]) for one in found if one}


def test_there_are_locks() -> None:
    assert {path.name for path in LOCKS} == {"bootstrap.lock", "leadgate.lock", "bench.lock"}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_line_is_a_pin_with_hashes_and_no_address(lock: Path) -> None:
    breaches = []
    place = lock.relative_to(ROOT).as_posix()
    for number, line, belonging in _requirements(lock):
        if not _PIN.match(line):
            breaches.append(breach(place, number, "neither a pin nor a hash"))
        if not any(re.match(r"--hash=sha256:[0-9a-f]{64}", each) for each in belonging):
            breaches.append(breach(place, number, "no hash"))
        if any("://" in each or "@" in each for each in [line, *belonging]):
            breaches.append(breach(place, number, "names an address"))
    refuse(breaches, "run `make lock`; never edit a lock by hand")


def test_no_index_is_named_anywhere() -> None:
    """Not in a lock, not in the way it is made, not in the way it is installed."""
    option = re.compile(r"(?:^|\s)(?:--(?:default-|extra-)?index(?:-url)?[ =]|-i |--find-links|--trusted-host)|://")
    files = [ROOT / "Makefile", ROOT / ".ci/run", ROOT / "pyproject.toml", *sorted((ROOT / "requirements").iterdir())]
    refuse(
        (
            breach(path.relative_to(ROOT).as_posix(), number, "names where packages come from")
            for path in files
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
            if option.search(line)
        ),
        "leave it to pip's configuration",
    )


def _asked() -> Iterator[tuple[str, Requirement]]:
    """(lock, requirement) of everything pyproject.toml asks for."""
    table = project()["project"]
    assert isinstance(table, dict)
    for line in [*table["dependencies"], *(each for extra in table["optional-dependencies"].values() for each in extra)]:
        yield "leadgate.lock", Requirement(line)
    groups = project()["dependency-groups"]
    assert isinstance(groups, dict)
    for group, lines in groups.items():
        for line in lines:
            yield f"{group}.lock", Requirement(line)


def test_the_locks_hold_what_is_asked_for() -> None:
    breaches = []
    pins = {lock.name: _pins(lock) for lock in LOCKS}
    for lock, asked in _asked():
        pinned = pins[lock].get(canonicalize_name(asked.name))
        if pinned is None:
            breaches.append(f"requirements/{lock}: has no {asked.name}")
        elif not asked.specifier.contains(pinned, prereleases=True):
            breaches.append(f"requirements/{lock}: {asked.name} {pinned} is not {asked.specifier}")
    refuse(breaches, "run `make lock`")


def test_what_builds_us_is_pinned_too() -> None:
    """`pip install --no-build-isolation` takes setuptools from bootstrap.lock; pyproject's own demand must be met by it."""
    system = project()["build-system"]
    assert isinstance(system, dict)
    pins = _pins(ROOT / "requirements/bootstrap.lock")
    for asked in map(Requirement, system["requires"]):
        assert asked.specifier.contains(pins[canonicalize_name(asked.name)]), f"bootstrap.lock does not meet {asked}"
