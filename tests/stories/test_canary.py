"""The scanner finds people in every writing: were it blind, a clean scan would prove nothing."""

from __future__ import annotations

import base64
import gzip
import json
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.stories.canary import Canaries

NAME, PHONE, EMAIL = "Канарелла", "+7 (900) 000-77-01", "kanareyka.7701@example.org"
CANARIES = Canaries({"name": NAME, "phone": PHONE, "email": EMAIL})


@pytest.mark.parametrize("shift", range(3))
@pytest.mark.parametrize("value", [NAME, EMAIL, "9000007701"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_is_found_wherever_it_begins(value: str, shift: int, encode: type) -> None:
    for tail in ("", "x", "xy"):
        written = encode(b"." * (shift + 30) + value.encode() + tail.encode())
        assert {hit.writing for hit in CANARIES.find(written, "here")} == {"base64"}


@pytest.mark.parametrize(
    "written",
    [
        "+79000007701",
        "89000007701",
        "8 (900) 000-77-01",
        "+7 900 000 77 01",
        "+7-900-000-77-01",
        "900.000.7701",
        "tel:+7%20900",
    ],
)
def test_a_phone_is_found_however_it_is_written(written: str) -> None:
    found = {hit.canary for hit in CANARIES.find(f"call {written} now".encode(), "here")}
    assert found == (set() if "%" in written else {"phone"})


@pytest.mark.parametrize(
    "written",
    [
        NAME.upper().encode(),
        NAME.encode("cp1251"),
        NAME.encode("utf-16"),
        NAME.encode("utf-16-be"),
        json.dumps({"given_name": NAME}).encode(),
        json.dumps(json.dumps(NAME)).encode(),
        repr(NAME.encode()).encode(),
        quote(NAME).encode(),
        NAME.encode().hex().upper().encode(),
        "".join(f"&#{ord(each)};" for each in NAME).encode(),
    ],
)
def test_a_name_is_found_in_every_writing(written: bytes) -> None:
    assert {hit.canary for hit in CANARIES.find(b"\x00\xff" + written + b"\xff", "here")} == {"name"}


@pytest.mark.parametrize("value", ["+79000007701", "79000007701", EMAIL])
def test_a_digest_without_a_key_is_found(value: str) -> None:
    digest = sha256(value.encode())
    assert CANARIES.find(digest.hexdigest().encode(), "here")
    assert CANARIES.find(b"row" + digest.digest(), "here")


def test_a_number_in_a_column_is_found() -> None:
    assert {hit.writing for hit in CANARIES.find((79000007701).to_bytes(8, "big"), "here")} == {"a number of eight bytes"}


def test_every_writing_is_found_in_a_file(tmp_path: Path) -> None:
    for number, (name, writing, needle) in enumerate(CANARIES.writings()):
        path = tmp_path / f"{number}.bin"
        path.write_bytes(b"\0" * 8192 + needle + b"\0" * 8192)
        assert (name, writing) in {(hit.canary, hit.writing) for hit in CANARIES.file(path, "here").hits}


def test_a_folder_is_looked_through_with_its_names(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "left.out").write_text(NAME, encoding="utf-8")
    (tmp_path / "log.txt").write_text("nothing here", encoding="utf-8")
    looked = CANARIES.folder(tmp_path, leave_out=[tmp_path / "inbox"])
    assert (looked.hits, looked.places, looked.read) == (frozenset(), 1, 12)
    (tmp_path / f"export of {EMAIL}.csv").touch()
    assert {hit.where for hit in CANARIES.folder(tmp_path, leave_out=[tmp_path / "inbox"]).hits} == {"the name of a file"}


def test_a_hit_does_not_repeat_the_value() -> None:
    hits = CANARIES.find(f"{NAME} {PHONE} {EMAIL}".encode(), "here")
    assert {hit.canary for hit in hits} == {"name", "phone", "email"}
    assert not CANARIES.find(repr(hits).encode(), "here")


@pytest.mark.parametrize("noise", [sha256(b"x").digest() * 1000, bytes(range(256)) * 100, gzip.compress(NAME.encode())])
def test_noise_is_nobody(noise: bytes) -> None:
    assert not CANARIES.find(noise, "here")
