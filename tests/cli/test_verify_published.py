"""`leadgate verify` on a published folder: a stranger's machine, the public keys or a policy, and nothing else."""

from __future__ import annotations

from pathlib import Path

from consent.audit import checkpoint, tiles
from consent.audit.cosignature import Kind
from consent.audit.leaf import encode
from consent.audit.merkle import leaf_hash, root_of
from consent.audit.note import SignerKey
from schemas.audit import AuditEntry
from schemas.vocabulary import Event
from tests.cli.conftest import Office
from tests.houses.house import Clock

ORIGIN = "audit.example.org/leadgate"
LOG = SignerKey(name=ORIGIN, seed=b"\x01" * 32)
LOG_PQ = SignerKey(name=ORIGIN, seed=b"\x01" * 32, kind=Kind.ML_DSA_44)
WITNESS = SignerKey(name="witness.example.org", seed=b"\x02" * 32, kind=Kind.ED25519_COSIGNATURE)


def published(folder: Path) -> Path:
    at = Clock().now
    leaves = [
        encode(AuditEntry(event=Event.SUBMISSION_RECEIVED, at=at, actor="system", submission_id=f"{number:032x}"))
        for number in range(700)
    ]
    for path, body in tiles.extend(lambda _: None, size=0, leaves=leaves):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(body)
    note = checkpoint.sign(size=700, root=root_of(map(leaf_hash, leaves)), signers=[LOG, LOG_PQ]).note
    line = checkpoint.cosign(note, WITNESS, time=int(at.timestamp()))
    (folder / "checkpoint").write_text(checkpoint.joined(note, [line]))
    return folder


def test_a_published_log_is_verified_with_keys_or_a_policy(bare: Office, tmp_path: Path) -> None:
    folder = published(tmp_path / "log")
    keys = tmp_path / "log.pub"
    keys.write_text(f"{LOG.verifier}\n{LOG_PQ.verifier}\n")
    policy = tmp_path / "policy"
    policy.write_text(f"log {LOG_PQ.verifier}\nwitness officer {WITNESS.verifier}\nquorum officer\n")
    assert bare.run("verify", str(folder), "--key", str(keys)).code == 0
    assert bare.run("verify", str(folder), "--key", str(LOG_PQ.verifier)).code == 0
    told = bare.run("verify", str(folder), "--policy", str(policy), "--trusted", str(folder / "checkpoint"), "--lang", "ru")
    assert (told.code, "подтверждена свидетелями: officer" in told.out) == (0, True)
    assert bare.run("verify", str(folder)).code == 2, "no key, no verdict"

    tile = folder / "tile/0/001"
    tile.write_bytes(bytes([tile.read_bytes()[0] ^ 1]) + tile.read_bytes()[1:])
    told = bare.run("verify", str(folder), "--policy", str(policy))
    assert told.code == 4
    assert "FOUND tile_changed: tile/0/001, hash 0: " in told.out
    (finding,) = bare.run("verify", str(folder), "--policy", str(policy), "--json").document()["findings"]
    assert finding["code"] == "tile_changed"
    told = bare.run("verify", str(folder), "--policy", str(policy), "--lang", "ru")
    assert "НАЙДЕНО tile_changed: tile/0/001, хеш 0: файл плитки изменён" in told.out


def test_a_pruned_log_is_verified_from_where_the_auditor_says(bare: Office, tmp_path: Path) -> None:
    folder = published(tmp_path / "log")
    for path in tiles.prunable(0, 600):
        (folder / path).unlink()
    key = str(LOG.verifier)
    assert bare.run("verify", str(folder), "--key", key).code == 4
    told = bare.run("verify", str(folder), "--key", key, "--minimum", "600")
    assert (told.code, "entries before 512 were given up" in told.out) == (0, True)


def test_a_policy_that_cannot_be_read_names_its_line(bare: Office, tmp_path: Path) -> None:
    folder = published(tmp_path / "log")
    policy = tmp_path / "policy"
    policy.write_text(f"log {LOG.verifier}\nquorum nobody\n")
    told = bare.run("verify", str(folder), "--policy", str(policy))
    assert (told.code != 0, "line 2" in told.err) == (True, True)
    assert bare.run("verify", str(folder), "--policy", str(tmp_path / "absent")).code == 2
