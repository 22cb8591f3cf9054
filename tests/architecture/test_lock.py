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
# The one form of a lock, to its last character. It has no word for an option, a comment or an address, and none for a host: a
# name has no dot, and what follows one in a version or a marker are digits, or a version's post1 and dev1.
_NAME = r"[a-z0-9]+(?:-[a-z0-9]+)*"
_VERSION = r"[0-9]+(?:\.[0-9]+)*(?:(?:a|b|rc|\.post|\.dev)[0-9]+)*"
_QUESTION = r"[a-z_]+ (?:[!=<>]=|[<>]) '(?:[A-Za-z0-9]+|[0-9]+(?:\.[0-9]+)*(?:\.\*)?)'"
_PIN = re.compile(
    rf"(?P<name>{_NAME})==(?P<version>{_VERSION})(?: ; {_QUESTION}(?: (?:and|or) {_QUESTION})*)?"
    r"(?: \\\n {4}--hash=sha256:[0-9a-f]{64})+\n"
)


def _pins(lock: Path) -> dict[str, Version]:
    """What is pinned. Refuses a lock that says anything else."""
    text = lock.read_text(encoding="utf-8")
    pins, at = {}, 0
    while found := _PIN.match(text, at):
        pins[found["name"]] = Version(found["version"])
        at = found.end()
    if at < len(text):
        strange = breach(lock.relative_to(ROOT).as_posix(), text.count("\n", 0, at) + 1, "no pin followed by its hashes alone")
        refuse([strange], "run `make lock`; never edit a lock by hand")
    return pins


def test_there_are_locks() -> None:
    assert {path.name for path in LOCKS} == {"bootstrap.lock", "leadgate.lock", "bench.lock"}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_is_pins_with_hashes_and_nothing_else(lock: Path) -> None:
    """So it cannot say where anything comes from."""
    assert _pins(lock)


def test_no_index_is_named_anywhere() -> None:
    """Not in a lock, not in the way it is made, not in the way it is installed."""
    # Any option that takes an index, links or a host, the short one, and any address. Those that begin with "no" name none.
    option = re.compile(r"(?:^|\s)(?:--(?!no-)(?:[a-z]+-)*(?:index(?:-url)?[ =]|links\b|host\b)|-i )|://")
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
