"""The auditor of the tests: the verifier that was shipped, run alone, by a Python that knows none of our packages."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.architecture.tree import ROOT

SCRIPT = ROOT / "leadgate" / "documents" / "auditor" / "verify_evidence.py"
#: What may be imported beside the standard library. A finder refuses the rest, whatever the interpreter could find.
_ALONE = """
import runpy, sys
class Alone:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in {"cryptography", "_cffi_backend", "cffi"}:
            raise ModuleNotFoundError("the verifier reached for " + name)
sys.meta_path.insert(0, Alone())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the script said: exit code, (code, place) of each finding, all of its words."""

    code: int
    findings: tuple[tuple[str, str], ...]
    text: str

    @property
    def codes(self) -> set[str]:
        return {code for code, _ in self.findings}

    def place_of(self, code: str) -> str:
        return next(place for known, place in self.findings if known == code)


def audit(what: Path, *words: str | Path, script: Path = SCRIPT) -> Verdict:
    """Run the verifier as `python -I`: no environment, no user site, not even the folder it stands in."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", _ALONE, str(script), str(what), *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd="/",
        env={},
    )
    findings = re.findall(r"^FOUND (\w+): (.*?): ", done.stdout, re.MULTILINE)
    return Verdict(code=done.returncode, findings=tuple(findings), text=done.stdout + done.stderr)
