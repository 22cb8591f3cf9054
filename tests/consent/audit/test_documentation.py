"""The check that docs/audit-log.md gives to auditors works as printed, and shares no line with the program."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from consent.audit import facts, leaf
from consent.audit.merkle import leaf_hash
from tests.consent.audit.synthetic import SIGNER, STRANGER, World, busy_world

DOCUMENT = Path(__file__).parents[3] / "docs" / "audit-log.md"


def run(export: Path, key: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (program,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), flags=re.DOTALL)
    script = folder / "check.py"
    script.write_text(program, encoding="utf-8")
    assert "consent" not in program
    return subprocess.run([sys.executable, "-I", script, export, key], capture_output=True, text=True, check=False, timeout=60)


def test_the_printed_check_accepts_a_clean_export(tmp_path: Path) -> None:
    done = run(busy_world().export(tmp_path / "export"), str(SIGNER.verifier), tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("91 leaves, signed up to 91: ")


def changed(world: World) -> None:
    world.leaves[40] = replace(world.leaves[40], leaf=world.leaves[41].leaf)


def changed_with_hash(world: World) -> None:
    world.leaves[40] = replace(world.leaves[40], leaf=world.leaves[41].leaf, hash=leaf_hash(world.leaves[41].leaf))


def removed(world: World) -> None:
    del world.leaves[40]


def shortened(world: World) -> None:
    del world.leaves[80:]


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (changed, "leaf 40 was changed"),
        (changed_with_hash, "the first 61 leaves are not what was signed"),
        (removed, "leaf 40 is not where it belongs"),
        (shortened, "11 leaves are missing"),
    ],
)
def test_the_printed_check_refuses_a_tampered_one(tamper: object, said: str, tmp_path: Path) -> None:
    world = busy_world()
    assert callable(tamper)
    tamper(world)
    done = run(world.export(tmp_path / "export"), str(SIGNER.verifier), tmp_path)
    assert done.returncode != 0
    assert said in done.stderr


def test_the_printed_check_refuses_another_key(tmp_path: Path) -> None:
    export = busy_world().export(tmp_path / "export")
    assert "not signed by this key" in run(export, str(STRANGER.verifier), tmp_path).stderr
    assert run(export, str(SIGNER.verifier).replace("+A", "+B"), tmp_path).returncode != 0


def test_the_document_names_every_finding_and_only_facts_that_exist() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    source = "".join(path.read_text(encoding="utf-8") for path in Path(leaf.__file__).parent.glob("*.py"))
    codes = set(re.findall(r'_?(?:add|Finding)\(\s*(?:code=)?"([a-z_]+)"', source))
    codes |= set(re.findall(r'"([a-z_]+)" if \w+\.kept', source)) | set(re.findall(r'"(checkpoint_[a-z_]+)"', source))
    assert len(codes) > 25
    assert {code for code in codes if f"`{code}`" not in document} == set()
    for fact in ("sealed_sha256", "record_sha256", "consent_sha256", "routes", "commitment", "file_sha256_keyed"):
        assert fact in facts.ALLOWED_FACTS
