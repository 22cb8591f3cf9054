"""Each secret is made once, whichever process asks first, and only its owner may read it."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from leadgate.airflow.secret import SECRETS, main, secret


def test_all_who_ask_at_once_read_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        values = set(pool.map(lambda _: secret("jwt_secret", tmp_path), range(64)))
    assert len(values) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["jwt_secret"]


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_length_is_what_airflow_needs(tmp_path: Path, name: str) -> None:
    assert len(base64.urlsafe_b64decode(secret(name, tmp_path))) == SECRETS[name]


def test_the_command_prints_it_and_nothing_else(tmp_path: Path) -> None:
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "leadgate.airflow.secret", "fernet_key"]
    printed = {subprocess.run(command, env=environment, capture_output=True, check=True).stdout for _ in range(2)}
    kept = tmp_path / ".airflow" / "secrets" / "fernet_key"
    assert printed == {kept.read_bytes()}
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700


def test_an_unknown_secret_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["password"]) != 0
    assert "usage" in capsys.readouterr().err
