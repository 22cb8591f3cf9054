"""How fast is the log? Appends that survive a power cut, proofs, verification, re-audit, tokens; pymerkle does its part beside.

    appends, batched    leaves written, committed (fsync) a thousand at a time, then ordered, hashed and signed by the sealer
    appends, single     64 callers, each waiting for its one leaf; the intake's group commit shares the fsyncs; then sealed
    proofs              inclusion proofs of random leaves out of a folder of tiles with --leaves leaves
    verifications       of such proofs: many under one root (an auditor's case), and each alone
    re-audit            the whole folder: every leaf hashed, every tile and the signed root compared
    tokens              a phone as people write it, normalised and keyed; and a recipient's pseudonym of a lead

Each figure is the median of --rounds; one under its floor ends the bench with exit status 1. pymerkle stores a leaf and its
hash and signs nothing; its tree for proofs is in memory, ours is files. Nothing is written outside a temporary folder.

    python bench/log.py --peers .venv-bench/bin/python [--leaves 1000000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from log_appends import Appends
from rich.console import Console
from rich.table import Table
from throughput import machine

from consent.audit import checkpoint, tiles
from consent.audit.cosignature import LOG_KINDS
from consent.audit.findings import Collector
from consent.audit.leaf import encode_parts
from consent.audit.merkle import KnownRoot, verify_inclusion
from consent.audit.note import SEED_SIZE, SignerKey
from consent.audit.reaudit import audit_tiles
from consent.audit.tile_reader import Tiles
from consent.blind_index import BlindIndex
from consent.keys.file import FileKeyProvider
from consent.pseudonyms import Pseudonyms
from leadgate.postgres import EmbeddedPostgres
from schemas.audit import Checkpoint
from schemas.fields.contact import read_phone
from schemas.vocabulary import Event

HERE = Path(__file__).parent
ROOT = HERE.parent
#: Leaves appended in one round, in batches and one by one.
BATCHED, SINGLE = 50_000, 10_000
#: Proofs, verifications and tokens in one round.
PROOFS, CHECKS, TOKENS = 5_000, 20_000, 200_000
_AT = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table; ``floor`` 0 is for comparison only."""

    what: str
    rates: Sequence[float]
    floor: int = 0
    peer: str = ""  # the key of pymerkle's figure

    @property
    def rate(self) -> float:
        return median(self.rates)


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default=str(ROOT / ".venv-bench/bin/python"), help="interpreter that has pymerkle")
    parser.add_argument("--leaves", type=int, default=1_000_000, help="leaves of the log that is proven and audited")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    out = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    out.print(machine())
    with tempfile.TemporaryDirectory(prefix="leadgate-bench-log-") as name:
        folder = Path(name)
        figures = [
            *appends(folder, chosen.rounds, tell=out.print),
            *log(folder, chosen.leaves, chosen.rounds, tell=out.print),
            *tokens(folder, chosen.rounds),
        ]
        out.print("pymerkle ...")
        peer = pymerkle(chosen.peers, folder, chosen.leaves)
    out.print(table(figures, peer))
    low = [figure.what for figure in figures if figure.rate < figure.floor]
    if low:
        out.print(f"[bold red]below the floor: {', '.join(low)}[/]")
    return 1 if low else 0


# -- appends ------------------------------------------------------------------------------------------------------------


def appends(folder: Path, rounds: int, *, tell: Callable[[str], None]) -> Iterator[Figure]:
    """Both databases, durable; the sealer's work is in the time."""
    signers = [SignerKey(name="bench.example.org/log", seed=os.urandom(SEED_SIZE), kind=kind) for kind in sorted(LOG_KINDS)]
    for name in ("SQLite", "Postgres"):
        tell(f"appends, {name} ...")
        with contextlib.ExitStack() as stack:
            if name == "Postgres":
                server = stack.enter_context(EmbeddedPostgres())
                server.start(folder / "pg")
                server.create_database("leadgate")
                url = server.url("leadgate")
            else:
                url = f"sqlite:///{folder}/ledger.db"
            ledger = stack.enter_context(Appends(url, signers=signers))
            ledger.batched(1_000)  # the first of everything
            yield Figure(
                what=f"durable appends/s batched, {name}",
                rates=[BATCHED / ledger.batched(BATCHED) for _ in range(rounds)],
                floor=10_000,
                peer="append_bulk",
            )
            yield Figure(
                what=f"durable appends/s single, {name}",
                rates=[SINGLE / ledger.single(SINGLE) for _ in range(rounds)],
                floor=1_000,
                peer="append_single",
            )


# -- a log in tiles -----------------------------------------------------------------------------------------------------


def leaves(count: int) -> Iterator[bytes]:
    """Leaves as the pipeline writes them for accepted deliveries."""
    facts = {"destination": "bench_crm", "purpose": "callback", "attempt": 1, "fields": ["name", "phone", "topic"]}
    body = encode_parts(Event.DELIVERY_ACCEPTED, _AT, "system", facts, lead_id=f"{0:032x}", delivery_id=f"{0:032x}")
    head, lead, tail = body.partition(b'"lead_id":"')
    rest = tail[32:]
    for number in range(count):
        yield head + lead + b"%032x" % number + rest


def log(folder: Path, count: int, rounds: int, *, tell: Callable[[str], None]) -> Iterator[Figure]:
    """Proofs, verifications, re-audit."""
    tell(f"a log of {count:,} leaves in tiles ...")
    shelf = folder / "log"
    began = time.perf_counter()
    for path, body in tiles.extend(lambda _: None, size=0, leaves=leaves(count)):
        (shelf / path).parent.mkdir(parents=True, exist_ok=True)
        (shelf / path).write_bytes(body)
    yield Figure(what="leaves/s written as tiles (no fsync)", rates=[count / (time.perf_counter() - began)])
    read = tiles.folder(shelf)
    signer = SignerKey(name="bench.example.org/log", seed=os.urandom(SEED_SIZE))
    signed = checkpoint.sign(size=count, root=Tiles(read, size=count).root(), signers=[signer])
    chance = random.Random(1)
    tell("proofs, verifications, re-audit ...")
    yield Figure(
        what=f"inclusion proofs/s from tiles at {count:,} leaves",
        rates=[prove(read, count, chance) for _ in range(rounds)],
        floor=1_000,
        peer="prove",
    )
    many, alone = verifications(read, signed, rounds, chance)
    yield Figure(what="verifications/s, many under one root", rates=many, floor=100_000, peer="verify")
    yield Figure(what="verifications/s, each alone", rates=alone, peer="verify")
    yield Figure(
        what="full re-audit, entries/s", rates=[reaudit(read, signed) for _ in range(rounds)], floor=300_000, peer="rebuild"
    )


def prove(read: tiles.Fetch, count: int, chance: random.Random) -> float:
    """Proofs of random leaves; nothing is cached before."""
    tree = Tiles(read, size=count)
    indexes = [chance.randrange(count) for _ in range(PROOFS)]
    began = time.perf_counter()
    for index in indexes:
        tree.inclusion_proof(index)
    return PROOFS / (time.perf_counter() - began)


def verifications(read: tiles.Fetch, signed: Checkpoint, rounds: int, chance: random.Random) -> tuple[list[float], list[float]]:
    """The same proofs with and without what was proven before."""
    tree = Tiles(read, size=signed.size)
    indexes = sorted(chance.randrange(signed.size) for _ in range(CHECKS))  # proofs of neighbours are made faster
    cases = [(tree.leaf_hash(index), index, tree.inclusion_proof(index)) for index in indexes]
    chance.shuffle(cases)
    many, alone = [], []
    for _ in range(rounds):
        known = KnownRoot(size=signed.size, root=signed.root)
        began = time.perf_counter()
        held = sum(known.holds(leaf=leaf, index=index, proof=proof) for leaf, index, proof in cases)
        many.append(CHECKS / (time.perf_counter() - began))
        began = time.perf_counter()
        held += sum(
            verify_inclusion(leaf=leaf, index=index, size=signed.size, proof=proof, root=signed.root)
            for leaf, index, proof in cases
        )
        alone.append(CHECKS / (time.perf_counter() - began))
        _must(held == 2 * CHECKS)
    return many, alone


def reaudit(read: tiles.Fetch, signed: Checkpoint) -> float:
    """Everything, against the signed root."""
    found = Collector()
    began = time.perf_counter()
    done = audit_tiles(read, signed, found=found)
    seconds = time.perf_counter() - began
    _must(done.sealed and done.leaves == signed.size and not found.findings)
    return signed.size / seconds


# -- tokens -------------------------------------------------------------------------------------------------------------


def tokens(folder: Path, rounds: int) -> Iterator[Figure]:
    """One-way tokens."""
    FileKeyProvider.create(folder / "keyring.json", tenant="bench", now=_AT)
    keys = FileKeyProvider.open(folder / "keyring.json")
    index, pseudonym = BlindIndex(keys, "bench"), Pseudonyms(keys, "bench").for_destination("bench_crm")
    phones = [f"+7 900 {number // 10_000:03d}-{number // 100 % 100:02d}-{number % 100:02d}" for number in range(TOKENS)]
    leads = [f"{number:032x}" for number in range(TOKENS)]
    yield Figure(
        what="tokens/s: a phone, normalised and keyed",
        rates=[timed(phones, lambda written: index.phone("lada", read_phone(written, None).e164)) for _ in range(rounds)],
        floor=200_000,
    )
    yield Figure(
        what="tokens/s: a lead's pseudonym at one recipient",
        rates=[timed(leads, pseudonym) for _ in range(rounds)],
        floor=200_000,
    )


def timed(values: Sequence[str], token: Callable[[str], object]) -> float:
    """Values a second."""
    began = time.perf_counter()
    for value in values:
        token(value)
    return len(values) / (time.perf_counter() - began)


# -- beside -------------------------------------------------------------------------------------------------------------


def pymerkle(python: str, folder: Path, count: int) -> dict[str, float]:
    """Its figures, from a process of its own; none if it is not installed."""
    command = [python, str(HERE / "peers" / "pymerkle_job.py"), str(folder / "pymerkle.db"), str(count)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=1800)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"pymerkle did not run: {error}", file=sys.stderr)
        return {}
    return {str(name): float(rate) for name, rate in json.loads(done.stdout).items()}


def table(figures: Sequence[Figure], peer: dict[str, float]) -> Table:
    """What was measured, what is promised, what pymerkle does."""
    made = Table("what", title="the log")
    for heading in ("a second", "floor", "of the floor", "pymerkle", "times pymerkle"):
        made.add_column(heading, justify="right")
    for figure in figures:
        beside = peer.get(figure.peer, 0.0)
        made.add_row(
            figure.what,
            f"{figure.rate:,.0f}",
            f"{figure.floor:,}" if figure.floor else "",
            f"{figure.rate / figure.floor:.1f}" if figure.floor else "",
            f"{beside:,.0f}" if beside else "",
            f"{figure.rate / beside:.2f}" if beside else "",
            style="bold red" if figure.rate < figure.floor else "",
        )
    return made


def _must(held: object) -> None:
    if not held:
        raise SystemExit("a figure was taken of something that did not hold")


if __name__ == "__main__":
    sys.exit(main())
