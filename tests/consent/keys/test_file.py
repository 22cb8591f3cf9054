"""A keyring file is private, whole, and never overwritten."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from consent.keys.file import ENVIRONMENT, FileKeyProvider, provider_from_environment
from consent.keys.provider import Wrapped
from schemas.errors import ConfigurationError, VaultError

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keyring.json"


@pytest.fixture
def provider(path: Path) -> FileKeyProvider:
    return FileKeyProvider.create(path, tenant="acme", now=NOW)


def test_a_new_keyring_is_private_and_opens_again(path: Path, provider: FileKeyProvider) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
    again = FileKeyProvider.open(path)
    assert (again.tenant, again.current_version, again.versions, again.path) == ("acme", 1, (1,), path)
    assert again.unwrap(provider.wrap(bytes(40))) == bytes(40)


def test_two_keyrings_share_no_root(tmp_path: Path) -> None:
    roots = set()
    for name in ("one", "two"):
        FileKeyProvider.create(tmp_path / name, tenant="acme", now=NOW)
        loaded = json.loads((tmp_path / name).read_bytes())
        roots |= {loaded["stable"], loaded["keys"][0]["root"]}
    assert len(roots) == 4


def test_an_existing_keyring_is_never_overwritten(path: Path, provider: FileKeyProvider) -> None:
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="keyring_exists"):
        FileKeyProvider.create(path, tenant="acme", now=NOW)
    assert path.read_bytes() == before


def test_a_dangling_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match="keyring_exists"):
        FileKeyProvider.create(path, tenant="acme", now=NOW)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o666])
def test_a_file_open_to_others_is_refused(path: Path, provider: FileKeyProvider, mode: int) -> None:
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match="keyring_open_to_others") as refused:
        FileKeyProvider.open(path)
    assert "chmod 600" in str(refused.value)
    assert refused.value.field == str(path)


def test_what_is_no_plain_file_is_refused_at_once(path: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="keyring_unreadable"):
        FileKeyProvider.open(path)
    os.mkfifo(path, 0o600)
    with pytest.raises(ConfigurationError, match="keyring_not_a_file"):
        FileKeyProvider.open(path)
    with pytest.raises(ConfigurationError, match=r"keyring_not_a_file|keyring_unreadable"):
        FileKeyProvider.open(tmp_path)
    real = tmp_path / "real.json"
    FileKeyProvider.create(real, tenant="acme", now=NOW)
    link = tmp_path / "link.json"
    link.symlink_to(real)
    with pytest.raises(ConfigurationError, match="keyring_unreadable"):
        FileKeyProvider.open(link)


def test_rotation_keeps_what_was_sealed_and_survives_a_crash_before(path: Path, provider: FileKeyProvider) -> None:
    old = provider.wrap(bytes(40))
    path.with_name(f".{path.name}.new").write_bytes(b"torn by a crash")
    rotated = FileKeyProvider.add_version(path, now=NOW)
    assert (rotated.current_version, rotated.versions) == (2, (2, 1))
    assert FileKeyProvider.open(path).unwrap(old) == bytes(40)
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(entry.name for entry in path.parent.iterdir()) == [f".{path.name}.lock", path.name]


def test_announce_then_promote_then_drop(path: Path, provider: FileKeyProvider) -> None:
    wrapped = provider.wrap(bytes(40))
    assert FileKeyProvider.add_version(path, now=NOW, announce=True).current_version == 1
    assert FileKeyProvider.promote(path, 2).current_version == 2
    assert FileKeyProvider.drop_version(path, 1).versions == (2,)
    with pytest.raises(VaultError, match="key_version_missing"):
        FileKeyProvider.open(path).unwrap(Wrapped(bytes=wrapped.bytes, version=1))
    with pytest.raises(ConfigurationError, match="keyring_version"):
        FileKeyProvider.drop_version(path, 2)


def test_rotations_at_once_lose_no_version(path: Path, provider: FileKeyProvider) -> None:
    threads = [threading.Thread(target=lambda: FileKeyProvider.add_version(path, now=NOW)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert FileKeyProvider.open(path).versions == (7, 6, 5, 4, 3, 2, 1)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="keyring_unwritable") as refused:
        FileKeyProvider.create(tmp_path / "no" / "keyring.json", tenant="acme", now=NOW)
    assert "No such file" in str(refused.value)


def test_a_file_that_cannot_be_put_in_place_leaves_the_old_one(path: Path, provider: FileKeyProvider) -> None:
    before = path.read_bytes()
    blocked = path.with_name(f".{path.name}.new")
    (blocked / "in the way").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="keyring_unwritable"):
        FileKeyProvider.add_version(path, now=NOW)
    assert path.read_bytes() == before


def test_the_environment_may_hold_the_document(path: Path, provider: FileKeyProvider) -> None:
    assert provider_from_environment({}) is None
    assert provider_from_environment({ENVIRONMENT: " "}) is None
    found = provider_from_environment({ENVIRONMENT: path.read_text()})
    assert found is not None
    assert found.unwrap(provider.wrap(bytes(40))) == bytes(40)
    with pytest.raises(ConfigurationError) as refused:
        provider_from_environment({ENVIRONMENT: "canary"})
    assert refused.value.field == ENVIRONMENT
    assert "canary" not in str(refused.value)


_ROTATE = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from consent.keys.file import FileKeyProvider
print("ready", flush=True)
while True:
    FileKeyProvider.add_version(Path(sys.argv[1]), now=datetime.now(UTC))
"""


def test_killed_at_any_moment_the_keyring_is_whole(path: Path, provider: FileKeyProvider) -> None:
    wrapped, known = provider.wrap(bytes(40)), 1
    for pause in (0.0, 0.003, 0.011, 0.027, 0.05):
        with subprocess.Popen([sys.executable, "-c", _ROTATE, str(path)], stdout=subprocess.PIPE) as rotating:
            assert rotating.stdout is not None
            rotating.stdout.readline()
            time.sleep(pause)
            rotating.kill()
        ring = FileKeyProvider.open(path)
        assert ring.versions == tuple(range(ring.current_version, 0, -1))
        assert ring.current_version >= known
        known = ring.current_version
        assert ring.unwrap(wrapped) == bytes(40)
    assert FileKeyProvider.add_version(path, now=NOW).current_version == known + 1  # the dead hold no lock
