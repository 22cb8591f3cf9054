"""The source as the architecture tests read it: parsed once, and a way to report that names the place and the mend."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: What is installed; dags/ and bench/ are scripts beside it.
PACKAGES = ("schemas", "consent", "integrations", "leadgate")


@dataclass(frozen=True, kw_only=True)
class Module:
    """One Python file."""

    path: Path

    @property
    def place(self) -> str:
        """Its path as a person types it."""
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, filename=self.place)

    @property
    def dotted(self) -> str:
        """Its name as Python imports it."""
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def nodes(self) -> Iterator[ast.AST]:
        """Every node."""
        return ast.walk(self.tree)

    def imports(self) -> Iterator[tuple[int, str]]:
        """(line, absolute module) of every import, at whatever depth; relative ones are ours and not told."""
        for node in self.nodes():
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                yield node.lineno, node.module

    def docstrings(self) -> set[int]:
        """Ids of the nodes that are docstrings."""
        found = set()
        for node in self.nodes():
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
                first = node.body[0]
                if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                    found.add(id(first.value))
        return found


@cache
def modules(*roots: str) -> tuple[Module, ...]:
    """All Python files under the roots, in order. Refuses a missing root: a test of nothing is no test."""
    for root in roots:
        assert (ROOT / root).is_dir(), f"{root}/ is gone: mend the architecture tests"
    return tuple(Module(path=path) for root in roots for path in sorted((ROOT / root).rglob("*.py")))


@cache
def project() -> dict[str, object]:
    """pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def breach(place: str, line: int, what: str) -> str:
    """One finding, in the form editors can jump to."""
    return f"{place}:{line}: {what}"


def refuse(breaches: Iterable[str], mend: str) -> None:
    """Fail with every place and what to do about it."""
    found = sorted(set(breaches))
    if found:
        pytest.fail("\n".join([*found, f"Mend: {mend}"]), pytrace=False)


def refuse_idle(allowed: Iterable[str], used: Iterable[str], where: str) -> None:
    """Fail when an allow-list names a place that does not need it any more: such a line would cover the next mistake."""
    refuse((f"{name}: nothing to allow here" for name in set(allowed) - set(used)), f"take it off the list in {where}")
