#!/usr/bin/env python3
"""Checks an evidence package or a receipt. Believes nothing that is not signed by a key you give, and names each place.

    python3 verify_evidence.py PACKAGE --key KEY_OR_FILE           a zip file, or the folder it was unpacked to
    python3 verify_evidence.py RECEIPT.json --policy POLICY        a consent or withdrawal receipt

Needs Python 3.11 and the package `cryptography`, and shares no code with the program that wrote the package: only RFC 6962 and
the C2SP formats signed-note, tlog-checkpoint, tlog-cosignature, tlog-policy, tlog-tiles and tlog-proof. Get the key, or the
policy, by another way than the package. Exit 0: nothing was found. 1: findings, each with its place. 2: it cannot be checked.

All of it is this one text, long as it is: whoever must trust it reads it from top to bottom, and what is read is what runs.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import sqlite3
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

WIDTH, HASH, LONGEST_LINE, KEY_ID = 256, 32, 1 << 20, 4
ED25519, COSIGNATURE, ML_DSA_44 = 1, 4, 6
LISTED = 50  # findings of one kind; the rest is counted
DELIVERED = {"accepted", "rejected", "dead", "suppressed"}
LEAD = (
    "lead_id person_id submission_id consent_id brand channel language topic country field_names received_at admitted_at"
    " commitment"
)
CONSENT = (
    "consent_id person_id brand purposes notice_id notice_version notice_language text_sha256 indication evidence given_at"
    " recorded_at schema_version"
)
found: list[tuple[str, str, str]] = []


class UnusableError(Exception):
    """It cannot be checked at all."""


def add(code: str, place: str, problem: str) -> None:
    """Note one finding."""
    found.append((code, place, problem))


def unusable(why: str) -> NoReturn:
    raise UnusableError(why)


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def unbase64(text: str) -> bytes:
    raw = base64.b64decode(text, validate=True)
    if base64.b64encode(raw).decode() != text:
        raise ValueError
    return raw


# -- keys, notes, checkpoints (C2SP signed-note, tlog-checkpoint, tlog-cosignature) ------------------------------------


class Key:
    """A verifier key: ``<name>+<key id>+<base64 of type and public key>``."""

    def __init__(self, line: str) -> None:
        try:
            self.name, key_id, encoded = line.strip().split("+", 2)
            raw = unbase64(encoded)
        except ValueError:
            unusable("a key is <name>+<key id>+<base64>; a character was changed or lost")
        self.line, self.kind = line.strip(), raw[0]
        self.id = sha(self.name.encode(), b"\n", raw)[:KEY_ID]
        if key_id != self.id.hex():
            unusable("a key's id does not belong to its name and bytes; a character was changed or lost")
        if self.kind in (ED25519, COSIGNATURE):
            self._verify = Ed25519PublicKey.from_public_bytes(raw[1:]).verify
        elif self.kind == ML_DSA_44:
            # not every version of cryptography has it
            from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey  # noqa: PLC0415

            self._verify = MLDSA44PublicKey.from_public_bytes(raw[1:]).verify
        else:
            unusable("a key is of a type that this script does not know")

    def time_if_signed(self, text: str, value: bytes) -> int | None:
        """When it was signed, 0 if the signature does not say; None if this key did not sign this text."""
        time = 0
        message = text.encode()
        if self.kind != ED25519:
            time, value = int.from_bytes(value[:8], "big"), value[8:]
            message = f"cosignature/v1\ntime {time}\n{text}".encode()
        if self.kind == ML_DSA_44:
            origin, size, root = read_checkpoint(text)
            names = [bytes((len(each),)) + each for each in (self.name.encode(), origin.encode())]
            numbers = [number.to_bytes(8, "big") for number in (time, 0, size)]
            message = b"subtree/v1\n\0" + names[0] + numbers[0] + names[1] + numbers[1] + numbers[2] + root
        try:
            self._verify(value, message)
        except InvalidSignature:
            return None
        return time


class Policy:
    """C2SP tlog-policy: whose log it is, who watches it, and how many of them must have signed."""

    def __init__(self, text: str, keys: str) -> None:
        self.logs = [Key(line) for line in keys.splitlines() if line.strip()]
        self.witnesses: dict[str, Key] = {}
        self.groups: dict[str, tuple[int, list[str]]] = {}
        self.quorum = ""
        for line in text.splitlines():
            words = line.split()
            if words and not words[0].startswith("#") and not self._take(*words):
                unusable(f"the policy has a line that it cannot have: {line[:60]}")
        if not self.quorum:
            unusable("the policy has no quorum line")
        if not self.logs or any(key.kind == COSIGNATURE for key in self.logs):
            unusable("give the log's public key: --key or --policy. The copy in the package proves nothing by itself")

    def _take(self, what: str, name: str = "", *rest: str) -> bool:
        known = {*self.witnesses, *self.groups}
        if what == "log":
            self.logs.append(Key(name))
        elif what == "witness" and rest and name not in {"none", *known}:
            self.witnesses[name] = Key(rest[0])
            return self.witnesses[name].kind != ED25519
        elif what == "group" and len(rest) > 1 and name not in {"none", *known} and {*rest[1:]} <= known:
            count, members = rest[0], [*rest[1:]]
            least = {"all": str(len(members)), "any": "1"}.get(count, count)
            grouped = [each for _, others in self.groups.values() for each in others] + members
            if len({*grouped}) < len(grouped) or not least.isdecimal() or not 0 < int(least) <= len(members):
                return False
            self.groups[name] = (int(least), members)
        elif what == "quorum" and not self.quorum and name in {"none", *known}:
            self.quorum = name
        else:
            return False
        return True

    def met(self, signed: set[str], name: str | None = None) -> bool:
        name = name or self.quorum
        if name == "none" or name in signed:
            return True
        needed, members = self.groups.get(name, (1, []))
        return sum(self.met(signed, each) for each in members) >= needed


class Checkpoint:
    """What a signed note says of the log: origin, size, root; ``witnesses`` maps who cosigned to when."""

    def __init__(self, note: str, policy: Policy, place: str) -> None:
        text, signatures = split_note(note)
        self.origin, self.size, self.root = read_checkpoint(text)
        self.witnesses: dict[str, int] = {}
        self.ok, self.place = False, f"{place} (size {self.size})"
        keys: list[tuple[str | None, Key]] = [(None, key) for key in policy.logs]
        keys += policy.witnesses.items()
        named = {(key.name, key.id): (witness, key) for witness, key in keys}
        logs = set()
        for who, value in signatures:
            if who not in named:
                continue  # unknown keys are ignored, as the specification says
            witness, key = named[who]
            time = key.time_if_signed(text, value)
            if time is None:
                add("bad_signature", self.place, f"the signature of {key.name} does not fit: it was changed after signing")
                return
            if witness is None:
                logs.add(key.name)
            else:
                self.witnesses[witness] = time
        if not logs:
            add("unknown_key", self.place, "none of the log keys you gave signed it")
        elif self.origin not in logs:
            add("wrong_origin", self.place, f"it is of the log {self.origin}, and the key you gave is of another")
        else:
            self.ok = True


def split_note(note: str) -> tuple[str, list[tuple[tuple[str, bytes], bytes]]]:
    text, blank, tail = note.rpartition("\n\n")
    if not blank or not tail.endswith("\n") or re.search(r"[\x00-\x09\x0b-\x1f]", note):
        raise ValueError("it is no signed note: it is cut, or was changed")
    signatures = []
    for line in tail[:-1].split("\n"):
        dash, name, encoded = line.split(" ")
        raw = unbase64(encoded)
        if dash != "—" or len(raw) <= KEY_ID:
            raise ValueError("a signature line is damaged")
        signatures.append(((name, raw[:KEY_ID]), raw[KEY_ID:]))
    return text + "\n", signatures


def read_checkpoint(text: str) -> tuple[str, int, bytes]:
    origin, size, encoded = text.split("\n")[:3]
    root = unbase64(encoded)
    if not origin or not re.fullmatch(r"0|[1-9][0-9]{0,17}", size) or len(root) != HASH:
        raise ValueError("a checkpoint is origin, size and root")
    return origin, int(size), root


# -- the tree (RFC 6962, C2SP tlog-tiles) ------------------------------------------------------------------------------


def root_of(hashes: list[bytes]) -> bytes:
    """MTH over hashes, as RFC 6962 section 2.1 writes it down."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return sha(b"\x01", root_of(hashes[:split]), root_of(hashes[split:]))


def root_from_path(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.3.2, as a recursion from the root downwards. Raises ValueError for a path that does not fit."""
    if not 0 <= index < size:
        raise ValueError("the index is not below the size")
    if size == 1:
        if path:
            raise ValueError("the path is too long")
        return leaf
    if not path:
        raise ValueError("the path is too short")
    split = 1 << (size - 1).bit_length() - 1
    if index < split:
        return sha(b"\x01", root_from_path(leaf, index, split, path[:-1]), path[-1])
    return sha(b"\x01", path[-1], root_from_path(leaf, index - split, size - split, path[:-1]))


def tile_path(level: int, number: int, width: int) -> str:
    parts = [f"{number % 1000:03d}"]
    while number := number // 1000:
        parts.insert(0, f"x{number % 1000:03d}")
    return f"tile/{level}/{'/'.join(parts)}" + (f".p/{width}" if width < WIDTH else "")


class Tree:
    """The hashes of the package, believed only as far as they lead up to the signed root."""

    def __init__(self, files: Files, signed: Checkpoint) -> None:
        self._files, self._signed = files, signed
        self._cached: dict[tuple[int, int], list[bytes] | None] = {}
        self._suspect: set[tuple[int, int]] = set()
        self.unproven: set[int] = set()  # numbers of tiles whose leaves were told about once

    def _width(self, level: int, number: int) -> int:
        return max(0, min(WIDTH, (self._signed.size >> 8 * level) - number * WIDTH))

    def tile(self, level: int, number: int) -> list[bytes] | None:
        """The hashes of one tile; None if the package does not have it, or not all of it."""
        if (level, number) not in self._cached:
            if len(self._cached) > WIDTH * 4:
                self._cached.clear()
            width = self._width(level, number)
            raw = self._files.read(tile_path(level, number, width)) if width else None
            whole = raw is not None and len(raw) == width * HASH
            self._cached[level, number] = [raw[at : at + HASH] for at in range(0, len(raw), HASH)] if whole and raw else None
        return self._cached[level, number]

    def root_at(self, size: int) -> bytes | None:
        """The root when the log had ``size`` leaves; None if tiles are missing for it."""
        if size == 0:
            return hashlib.sha256().digest()
        nodes: list[bytes] = []
        for level in reversed(range((size.bit_length() + 7) // 8)):
            entries = size >> 8 * level
            tile = self.tile(level, entries // WIDTH) if entries % WIDTH else []
            if tile is None or (entries % WIDTH and not self._trusted(level, entries // WIDTH)):
                return None
            at = 0
            for bit in reversed(range(8)):
                if entries % WIDTH >> bit & 1:
                    nodes.append(root_of(tile[at : at + (1 << bit)]))
                    at += 1 << bit
        root = nodes.pop()
        while nodes:
            root = sha(b"\x01", nodes.pop(), root)
        return root

    def check(self) -> None:
        """Hold every tile against the one above it, and those of the right edge against the signed root."""
        size = self._signed.size
        for level in range((size.bit_length() + 7) // 8):
            edge = (size >> 8 * level) // WIDTH
            if self._width(level, edge) and self.tile(level, edge) is None:
                self._accuse("tile_missing", level, edge, "it is missing or cut, and the root cannot be derived without it")
        disagree = []
        for name in self._files.names("tile/"):
            level, number = place_of(name)
            if level < 0 or tile_path(level, number, self._width(level, number)) != name:
                add("tile_foreign", name, f"a log of {size} leaves has no such tile")
            elif self._width(level, number) == WIDTH and not self._fits(level, number):
                disagree.append((level, number))
        rooted = self._suspect or self.root_at(size) == self._signed.root
        for level, number in sorted(disagree, reverse=True):
            parent = (level + 1, number // WIDTH)
            if self.tile(*parent) is None:
                self._accuse("tile_missing", *parent, f"the tile above {tile_path(level, number, WIDTH)} is missing or cut")
            elif parent in disagree or (not rooted and self._width(*parent) < WIDTH):  # one wrong entry above explains both
                self._accuse("tile_changed", *parent, f"its entry {number % WIDTH} is not the root of the tile below it")
            else:
                self._accuse("tile_changed", level, number, "its hashes do not give the root that stands in the tile above it")
        if not rooted and not self._suspect:
            edges = [(level, (size >> 8 * level) // WIDTH) for level in range(8) if (size >> 8 * level) % WIDTH]
            doubtful = [each for each in edges if not self._confirmed(*each)] or edges
            self._suspect.update(edges)
            names = ", ".join(tile_path(*each, self._width(*each)) for each in doubtful)
            add("root_mismatch", names, f"what stands there does not give the root of {self._signed.place}")

    def _confirmed(self, level: int, number: int) -> bool:
        """Whether every entry of a tile is the root of the tile below it; the lowest have none below."""
        below = range(number * WIDTH, number * WIDTH + self._width(level, number))
        return level > 0 and all(self._fits(level - 1, each) for each in below)

    def _fits(self, level: int, number: int) -> bool:
        tile, above = self.tile(level, number), self.tile(level + 1, number // WIDTH)
        return tile is not None and above is not None and root_of(tile) == above[number % WIDTH]

    def _accuse(self, code: str, level: int, number: int, problem: str) -> None:
        if (level, number) not in self._suspect:
            self._suspect.add((level, number))
            add(code, tile_path(level, number, self._width(level, number)), problem)

    def leaf(self, index: int) -> bytes | None:
        """The hash of one leaf as the signed root has it; None if that cannot be told."""
        tile = self.tile(0, index // WIDTH) if 0 <= index < self._signed.size else None
        return tile[index % WIDTH] if tile is not None and self._trusted(0, index // WIDTH) else None

    def _trusted(self, level: int, number: int) -> bool:
        """Whether nothing was found wrong with a tile, nor with those that lead from it to the root."""
        while self._width(level, number):
            if (level, number) in self._suspect:
                return False
            level, number = level + 1, number // WIDTH
        return True


def place_of(name: str) -> tuple[int, int]:
    """Level and number of a tile's path; (-1, -1) for what is none."""
    matched = re.fullmatch(r"tile/([0-9])/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/[0-9]{1,3})?", name)
    return (int(matched[1]), int(re.sub("[x/]", "", matched[2]))) if matched else (-1, -1)


# -- the files, and the log's leaves in them ---------------------------------------------------------------------------


class Files:
    """A package: a zip file, or the folder it was unpacked to."""

    def __init__(self, path: Path) -> None:
        self._folder = path if path.is_dir() else None
        self._zip = None if self._folder else zipfile.ZipFile(path)

    def names(self, prefix: str = "") -> list[str]:
        if self._zip is not None:
            known = [each.filename for each in self._zip.infolist() if not each.is_dir()]
        else:
            folder = self._folder or Path()
            known = [each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file()]
        return sorted(each for each in known if each.startswith(prefix))

    def chunks(self, name: str) -> Iterator[bytes]:
        folder = self._folder or Path()
        with self._zip.open(name) if self._zip is not None else folder.joinpath(name).open("rb") as file:
            while chunk := file.read(LONGEST_LINE):
                yield chunk

    def read(self, name: str) -> bytes | None:
        try:
            return b"".join(self.chunks(name))
        except (OSError, KeyError, zipfile.BadZipFile, EOFError):
            return None

    def text(self, name: str) -> str:
        raw = self.read(name)
        if raw is None:
            add("file_missing", name, "it is missing or cannot be read")
        return (raw or b"").decode("utf-8", "replace")

    def documents(self, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """(place, document) of each line of JSON."""
        if name not in self.names(name):
            add("file_missing", name, "it is missing")
            return
        rest, number = b"", 0
        try:
            for chunk in self.chunks(name):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    number += 1
                    yield f"{name}, line {number}", dict(json.loads(line))
        except (ValueError, TypeError):
            add("line_unreadable", f"{name}, line {number}", "it is no JSON document")
        except (OSError, zipfile.BadZipFile, EOFError):
            add("file_damaged", name, f"it cannot be read after line {number}")
        if rest:
            add("file_damaged", name, "its last line is cut")


class Leaves:
    """The leaves whose place in the log is proven, on disk and not in memory."""

    def __init__(self, unproven: set[int]) -> None:
        self.unproven = unproven
        self.rows = sqlite3.connect("")
        self.rows.execute("create table leaf (place integer primary key, event text, lead text, delivery text, body text)")
        self.rows.execute("create table seen (record text, id text, primary key (record, id)) without rowid")

    def take(self, index: int, body: str) -> None:
        try:
            leaf = json.loads(body)
            row = (index, leaf["event"], leaf.get("lead_id"), leaf.get("delivery_id"), body)
        except (ValueError, TypeError, KeyError):
            add("leaf_unreadable", f"leaf {index}", "it is no leaf of a kind this script knows")
            return
        if self.rows.execute("insert or ignore into leaf values (?, ?, ?, ?, ?)", row).rowcount == 0:
            add("leaf_twice", f"leaf {index}", "it stands here twice")

    def find(self, index: object) -> dict[str, Any] | None:
        wanted = index if isinstance(index, int) else -1
        row = self.rows.execute("select body from leaf where place = ?", (wanted,)).fetchone()
        return None if row is None else dict(json.loads(row[0]))

    def count(self) -> int:
        return int(self.rows.execute("select count(*) from leaf").fetchone()[0])


# -- records against leaves --------------------------------------------------------------------------------------------


def digest(kind: str, columns: list[Any]) -> str:
    """SHA-256 over the kind and the columns as one compact JSON array, lists as words with spaces."""
    plain = [" ".join(each) if isinstance(each, list) else each for each in columns]
    return sha(f"leadgate/{kind}/v1\n".encode(), json.dumps(plain, separators=(",", ":"), ensure_ascii=False).encode()).hex()


def check_record(place: str, record: dict[str, Any], leaves: Leaves, notices: set[str]) -> None:
    """Everything that a record shares with the leaf it names must be the same there; what has a digest must have that one."""
    kind, state = str(record.get("record")), str(record.get("state"))
    ident = str(record.get("id") or record.get(f"{kind}_id") or record.get("delivery_id") or record.get("lead_id"))
    place = f"{kind} {ident} ({place})"
    if leaves.rows.execute("insert or ignore into seen values (?, ?)", (kind, ident)).rowcount == 0:
        add("record_twice", place, "it stands here twice")
    index = record.get("leaf")
    if index is None:
        if (kind, state) != ("recipient", "open") and (kind != "delivery" or state in DELIVERED):
            add("record_without_leaf", place, "no leaf speaks of it: somebody wrote it past the log")
        return
    leaf = leaves.find(index)
    if leaf is None and isinstance(index, int) and index // WIDTH in leaves.unproven:
        return  # told about already
    if leaf is None:
        add("leaf_missing", f"leaf {index}", f"{place} names it, and it is not here or not proven")
        return
    place = f"{place}, committed at leaf {index}"
    said = {**leaf.get("facts", {}), **{name: value for name, value in leaf.items() if name.endswith("_id")}}
    for name in sorted(record.keys() & said.keys()):
        if not name.endswith("_at") and record[name] != said[name]:
            add("record_changed", place, f"its {name} is not what the leaf says")
    if not tells_of(kind, state, record, str(leaf["event"]), said):
        add("record_changed", place, f"the leaf tells of something else: {leaf['event']}")
    check_digests(place, kind, ident, record, said)
    if kind == "consent" and record.get("columns", {}).get("text_sha256") not in notices:
        add("notice_missing", place, "the text that was shown is not here")


def check_digests(place: str, kind: str, ident: str, record: dict[str, Any], said: dict[str, Any]) -> None:
    columns = record.get("columns", {})
    if kind == "identity":
        opened = bytes.fromhex(str(record["salt"])) + str(record["document"]).encode()
        if sha(b"leadgate/v1/lead-commitment\0", opened).hex() != said.get("commitment"):
            add("identity_changed", place, "who it is said to be is not who was committed to")
        return
    if kind == "lead":
        ours = digest("lead", [columns.get(each) for each in LEAD.split()] + [said.get("sealed_sha256")])
        committed = said.get("record_sha256")
    elif kind == "consent":
        ours = digest("consent", [columns.get(each) for each in CONSENT.split()])
        committed = said.get("consent_sha256")
    else:
        return
    if ours != committed or columns.get(f"{kind}_id") != ident:
        add("record_changed", place, "its digest is not the one in the leaf")


def tells_of(kind: str, state: str, record: dict[str, Any], event: str, said: dict[str, Any]) -> bool:
    """Whether an event is one that a record of this kind can stand on."""
    if kind == "delivery" and event == "delivery.resolved":
        return said.get("outcome") == state
    if kind == "delivery" and event == "subject.erased":
        return state == "suppressed"
    return event in {
        "lead": {"lead.admitted", "subject.rectified"},
        "consent": {"lead.admitted"},
        "delivery": {f"delivery.{state}"},
        "recipient": {f"recipient.{state}"},
        "withdrawal": {"consent.withdrawn"},
        "event": {f"consent.{record.get('happened')}", "consent.recorded"},
        "destruction": {"subject.erased"},
        "notice": {"notice.published"},
        "identity": {"lead.admitted", "subject.rectified"},
    }.get(kind, ())


def check_whole(leaves: Leaves) -> None:
    """Whatever the leaves speak of must be here, and nothing may have been sent before it was admitted."""
    ask = leaves.rows.execute
    ask("create index leaf_lead on leaf (lead, event)")
    lead = "select place, lead from leaf where event = 'lead.admitted' and lead not in"
    lead += " (select id from seen where record = 'lead')"
    delivery = "select place, delivery from leaf where delivery not in (select id from seen where record = 'delivery')"
    for kind, question in (("lead", lead), ("delivery", delivery)):
        for place, ident in ask(question).fetchall():
            add("record_missing", f"{kind} {ident}, leaf {place}", "the log speaks of it and the package does not hold it")
    for place, body in ask("select place, body from leaf where event = 'lead.admitted'").fetchall():
        consent = json.loads(body)["facts"].get("consent_id")
        if not ask("select 1 from seen where record = 'consent' and id = ?", (consent,)).fetchone():
            add("record_missing", f"consent {consent}, leaf {place}", "the log speaks of it and the package does not hold it")
    sent = "select place, lead, delivery, body from leaf where event = 'delivery.accepted'"
    for place, lead, delivery, body in ask(sent).fetchall():
        before = "select body from leaf where event = 'lead.admitted' and lead = ? and place < ?"
        admitted = ask(before, (lead, place)).fetchone()
        facts, where = json.loads(body)["facts"], f"delivery {delivery}, accepted at leaf {place}"
        if admitted is None:
            add("sent_without_admission", where, "no leaf before it admits the lead under a consent")
        elif f"{facts.get('destination')}:{facts.get('purpose')}" not in json.loads(admitted[0])["facts"].get("routes", ()):
            add("sent_off_route", where, "the admission does not allow this recipient with this purpose")


def after_withdrawal(leaves: Leaves) -> Iterator[str]:
    """What was accepted after the person took that purpose back: no finding, since the send may have been under way."""
    pairs = """
        select w.place, w.body, s.place, s.body from leaf w join leaf s on s.lead = w.lead and s.place > w.place
        where w.event = 'consent.withdrawn' and s.event = 'delivery.accepted' order by s.place
    """
    for withdrawn, taken, sent, told in leaves.rows.execute(pairs):
        purpose = json.loads(told)["facts"].get("purpose")
        if purpose in json.loads(taken)["facts"].get("purposes", ()):
            times = f"{json.loads(taken)['at']} and {json.loads(told)['at']}"
            yield f"NOTE         accepted at leaf {sent}, after {purpose} was taken back at leaf {withdrawn} ({times})"


# -- a package ---------------------------------------------------------------------------------------------------------


def check_package(files: Files, policy: Policy, trusted: list[str], *, without_quorum: bool) -> list[str]:
    """The steps, from what is signed to what is claimed. Answers what to tell."""
    manifest = check_files(files)
    signed = judged(files.text("checkpoint"), policy, "checkpoint", without_quorum=without_quorum)
    if signed is None or not signed.ok:
        return []
    tree = Tree(files, signed)
    tree.check()
    others = [(place, str(each.get("note"))) for place, each in files.documents("checkpoints.jsonl")]
    sizes = {0, signed.size}
    for place, note in others + [(f"checkpoint you kept, number {at}", each) for at, each in enumerate(trusted, 1)]:
        sizes |= check_older(place, note, policy, tree, signed)
    leaves = Leaves(tree.unproven)
    check_leaves(files, tree, leaves, manifest.get("scope", {}), sizes)
    notices = {name.removeprefix("notices/").removesuffix(".txt") for name in files.names("notices/")}
    for each in sorted(notices):
        if hashlib.sha256(files.read(f"notices/{each}.txt") or b"").hexdigest() != each:
            add("notice_changed", f"notices/{each}.txt", "its text is not the one whose digest it is called by")
    for name in files.names("records/") + files.names("identity/"):
        for place, record in files.documents(name):
            check_record(place, record, leaves, notices)
    check_whole(leaves)
    counts = dict(leaves.rows.execute("select record, count(*) from seen group by record order by record").fetchall())
    told = [
        f"log          {signed.origin}, {signed.size} leaves, root {signed.root.hex()}",
        f"cosigned by  {cosigners(signed)}; quorum {policy.quorum}: {'met' if policy.met({*signed.witnesses}) else 'NOT met'}",
        f"leaves       {leaves.count()} proven to stand in the log",
        f"records      {', '.join(f'{name} {count}' for name, count in counts.items()) or 'none'}; notices {len(notices)}",
    ]
    told += after_withdrawal(leaves)
    if manifest.get("without_quorum"):
        told.append("NOTE         this package was made WITHOUT the quorum of witnesses its maker is configured for")
    return told


def check_files(files: Files) -> dict[str, Any]:
    try:
        manifest = dict(json.loads(files.text("manifest.json")))
    except ValueError:
        unusable("this is no evidence package: it has no manifest.json that can be read")
    if manifest.get("format") != "leadgate-evidence" or manifest.get("version") != 1:
        unusable("the package is of a format that this script does not know")
    listed = manifest.get("files", {})
    names = files.names()
    for name, after in zip(names, [*names[1:], ""], strict=True):
        if name == after:
            add("file_twice", name, "the archive holds two files of this name")
        if name not in listed and name != "manifest.json":
            add("file_foreign", name, "the manifest does not name it")
    for name, said in listed.items():
        hashed = hashlib.sha256()
        try:
            for chunk in files.chunks(name):
                hashed.update(chunk)
        except (OSError, KeyError, zipfile.BadZipFile, EOFError):
            add("file_missing", name, "it is missing or cannot be read")
            continue
        if hashed.hexdigest() != said.get("sha256"):
            add("file_changed", name, "it is not the file that was packed")
    return manifest


def judged(note: str, policy: Policy, place: str, *, without_quorum: bool) -> Checkpoint | None:
    try:
        signed = Checkpoint(note, policy, place)
    except (ValueError, UnicodeError):
        add("checkpoint_damaged", place, "it is no signed checkpoint: it is cut or was changed")
        return None
    if signed.ok and not policy.met({*signed.witnesses}) and not without_quorum:
        have = ", ".join(sorted(signed.witnesses)) or "nobody"
        add("missing_quorum", signed.place, f"the quorum {policy.quorum} has not cosigned it; {have} did")
    return signed


def check_older(place: str, note: str, policy: Policy, tree: Tree, signed: Checkpoint) -> set[int]:
    older = judged(note, policy, place, without_quorum=True)
    if older is None or not older.ok:
        return set()
    if older.size > signed.size:
        add("log_rolled_back", older.place, f"the package ends at {signed.size} leaves: the log was shortened")
        return set()
    root = tree.root_at(older.size)
    if root is None:
        add("consistency_unknown", older.place, "the tiles that would show whether the log extends it are not here, or changed")
    elif root != older.root:
        add("fork", older.place, f"the log of {signed.place} does not extend it: two histories were signed")
    return {older.size}


def check_leaves(files: Files, tree: Tree, leaves: Leaves, scope: dict[str, Any], sizes: set[int]) -> None:
    period = scope.get("kind") == "period"
    expected = int(scope.get("first", 0))
    for name in ["leaves.jsonl", *files.names("context.jsonl")]:
        for place, line in files.documents(name):
            index, body = line.get("index"), line.get("leaf")
            if not isinstance(index, int) or not isinstance(body, str):
                add("line_unreadable", place, "a line is index and leaf")
                continue
            if period and name == "leaves.jsonl" and index != expected:
                add("leaf_missing", f"leaf {expected}", f"leaf {index} stands in its place ({place})")
            expected = index + 1 if name == "leaves.jsonl" else expected
            if proven(tree, index, body, place):
                leaves.take(index, body)
    if period and expected != scope.get("end"):
        add("leaf_missing", f"leaf {expected}", f"the leaves of the period go on up to {scope.get('end')}")
    for bound in ("first", "end") if period else ():
        if scope.get(bound) not in sizes:
            add("period_open", f"manifest.json, {bound}", "no signed checkpoint bounds the period there")


def proven(tree: Tree, index: int, body: str, place: str) -> bool:
    known = tree.leaf(index)
    if known is None:
        if index // WIDTH not in tree.unproven:
            tree.unproven.add(index // WIDTH)
            add("leaf_unproven", f"leaf {index}", f"its tile is missing or not to be believed, as for its neighbours ({place})")
    elif known != sha(b"\x00", body.encode("utf-8", "surrogatepass")):
        add("leaf_changed", f"leaf {index}", f"its hash is not the one in the log ({place})")
    else:
        return True
    return False


# -- a receipt ---------------------------------------------------------------------------------------------------------


def check_receipt(raw: bytes, policy: Policy, *, without_quorum: bool) -> list[str]:
    """A person's receipt: every leaf it holds is proven by a tlog-proof of its own, every statement held against its leaf."""
    try:
        receipt = dict(json.loads(raw))
    except ValueError:
        unusable("this is neither a package nor a receipt")
    if receipt.get("format") != "leadgate-receipt" or receipt.get("version") != 1:
        unusable("the receipt is of a format that this script does not know")
    leaves, told = Leaves(set()), []
    for number, each in enumerate(receipt.get("proofs", ()), 1):
        place = f"proof {number}"
        try:
            index, path, note = read_proof(str(each["proof"]))
            leaf = str(each["leaf"])
            signed = judged(note, policy, place, without_quorum=without_quorum)
            if signed is None or not signed.ok:
                continue
            root = root_from_path(sha(b"\x00", leaf.encode()), index, signed.size, path)
        except (ValueError, KeyError, TypeError, IndexError):
            add("proof_damaged", place, "it is no tlog-proof for this leaf: it is cut or was changed")
            continue
        if root != signed.root:
            add("proof_wrong", f"{place}, leaf {index}", "its hashes do not lead from this leaf to the signed root")
            continue
        leaves.take(index, leaf)
        told.append(f"leaf {index}: in the log {signed.origin}, of {signed.size} leaves; cosigned by {cosigners(signed)}")
    check_statements(receipt, leaves)
    return told


def check_statements(receipt: dict[str, Any], leaves: Leaves) -> None:
    notices = set()
    for notice in receipt.get("notices", ()):
        notices.add(str(notice.get("text_sha256")))
        if hashlib.sha256(str(notice.get("text")).encode()).hexdigest() != notice.get("text_sha256"):
            add("notice_changed", f"notice {notice.get('notice_id')}", "its text is not the one whose digest is given")
    if not receipt.get("proofs") or not receipt.get("records"):
        add("nothing_proven", "receipt", "it holds no proof, or nothing that one could prove")
    for number, record in enumerate(receipt.get("records", ()), 1):
        check_record(f"record {number}", record, leaves, notices)


def read_proof(text: str) -> tuple[int, list[bytes], str]:
    """Index, path and checkpoint of a C2SP tlog-proof."""
    head, _, note = text.partition("\n\n")
    first, *lines = head.split("\n")
    lines = lines[1:] if lines[0].startswith("extra ") else lines
    if first != "c2sp.org/tlog-proof@v1" or not re.fullmatch("index (0|[1-9][0-9]*)", lines[0]):
        raise ValueError
    return int(lines[0].removeprefix("index ")), [unbase64(line) for line in lines[1:]], note


def cosigners(signed: Checkpoint) -> str:
    return ", ".join(f"{name} at {moment(at)}" for name, at in sorted(signed.witnesses.items())) or "nobody"


def moment(seconds: int) -> str:
    """POSIX seconds as people write them; sqlite knows how, whatever the clock of this machine."""
    return str(sqlite3.connect("").execute("select datetime(?, 'unixepoch')", (seconds,)).fetchone()[0]) + " UTC"


def main(words: list[str]) -> int:
    """Run; answer the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", type=Path, help="the package (zip file or folder), or a receipt (.json)")
    parser.add_argument("--key", action="append", default=[], help="the log's public key, or a file that holds it")
    parser.add_argument("--policy", type=Path, help="a tlog-policy: the log's key, its witnesses, the quorum")
    parser.add_argument("--trusted", type=Path, action="append", default=[], help="a checkpoint you kept from an earlier audit")
    parser.add_argument("--without-quorum", action="store_true", help="accept a checkpoint that the quorum has not cosigned")
    given = parser.parse_args(words)
    told: list[str] = []
    try:
        keys = [Path(each).read_text(encoding="utf-8") if Path(each).is_file() else each for each in given.key]
        policy = Policy(given.policy.read_text(encoding="utf-8") if given.policy else "quorum none\n", "\n".join(keys))
        if given.what.is_dir() or zipfile.is_zipfile(given.what):
            kept = [each.read_text(encoding="utf-8") for each in given.trusted]
            told = check_package(Files(given.what), policy, kept, without_quorum=given.without_quorum)
        else:
            told = check_receipt(given.what.read_bytes(), policy, without_quorum=given.without_quorum)
    except UnusableError as error:
        sys.stderr.write(f"cannot be checked: {error}\n")
        return 2
    except (OSError, zipfile.BadZipFile) as error:
        sys.stderr.write(f"cannot be read: {type(error).__name__}\n")
        return 2
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, sqlite3.Error) as error:
        add("damaged", str(given.what), f"it has not the shape of what it claims to be ({type(error).__name__})")
    counts: dict[str, int] = {}
    for code, place, problem in found:
        counts[code] = counts.get(code, 0) + 1
        if counts[code] <= LISTED:
            told.append(f"FOUND {code}: {place}: {problem}")
    told += [f"... and {count - LISTED} more of the kind {code}" for code, count in counts.items() if count > LISTED]
    told.append(f"NOT verified: {len(found)} findings" if found else "verified: nothing was found")
    if not given.policy:
        told.append("No witness was asked for; a policy (--policy) holds the log against those who watch it")
    sys.stdout.write("\n".join(told) + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
