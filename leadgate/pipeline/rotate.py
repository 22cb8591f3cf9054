"""Rotate: a new key-encryption key while everything runs. It refuses to drop a version before nothing hangs on it.

1. Announce, then promote: the order and the reason stand in ``leadgate.pipeline.in_step``. A crash between two steps leaves a
   rotation that the next call goes on with, and never two.
2. Re-wrap: a page is read, the provider is asked outside any transaction, and a row is written only if it still hangs on an
   older version (compare and set). It can be killed anywhere, run twice and beside everything else.
3. Re-index: ``leadgate.pipeline.reindex``.
4. Drop: in the ledger first, the root afterwards. It waits until what was read before the re-wrap has been sent or given back.

Envelopes are never touched: a data key is wrapped anew, what it seals stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from consent.blind_index import BlindIndex, lookup_contexts
from consent.keys.provider import KeyProvider, KeyRotation, Wrapped
from leadgate.pipeline.recorder import Recorder
from leadgate.storage import log, people, rotation
from leadgate.storage.clock import from_micros, to_micros
from leadgate.storage.engine import Ledger, Transaction
from leadgate.storage.rotation import WRAPPED, KnownVersion, WrappedRow
from schemas.errors import ConfigurationError
from schemas.vocabulary import Event

#: Rows re-wrapped in one transaction.
PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStatus:
    """Versions of the provider and what hangs on each. ``announced`` is None unless a rotation waits to be promoted."""

    current: int
    versions: tuple[int, ...]
    announced: int | None
    kept: tuple[int, ...]
    counts: Mapping[str, Mapping[int, int]]
    known: tuple[KnownVersion, ...]

    def old(self) -> dict[str, int]:
        """How many rows hang on versions before the current one."""
        return {
            table: sum(number for version, number in by_version.items() if version < self.current)
            for table, by_version in self.counts.items()
            if table != "layered"
        }

    def as_dict(self) -> dict[str, object]:
        """Counts for the console."""
        return {
            "current": self.current,
            "versions": list(self.versions),
            "announced": self.announced,
            "kept": list(self.kept),
            "counts": {
                table: {str(version): number for version, number in each.items()} for table, each in self.counts.items()
            },
            "old": self.old(),
            "ledger": [
                {
                    "version": each.version,
                    **{
                        name: from_micros(moment).isoformat() if moment is not None else None
                        for name, moment in (
                            ("announced_at", each.announced_at),
                            ("promoted_at", each.promoted_at),
                            ("emptied_at", each.emptied_at),
                            ("dropped_at", each.dropped_at),
                        )
                    },
                }
                for each in self.known
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RewrapCount:
    """What one run of re-wrapping did; ``broken`` keys can never be opened and hold their version back."""

    rewrapped: Mapping[str, int] = field(default_factory=dict)
    broken: Mapping[str, int] = field(default_factory=dict)
    left: Mapping[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """Counts for XCom and the console."""
        return {"rewrapped": dict(self.rewrapped), "broken": dict(self.broken), "left": dict(self.left)}


class Rotation:
    """Rotates the keys of one ledger. Every step may be said twice, and beside another process that says it."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        keys: KeyProvider,
        index: BlindIndex,
        rotation: KeyRotation | None,
        rest: timedelta,
        clock: Callable[[], datetime],
        page: int = PAGE,
    ) -> None:
        """``rotation`` is None where the keyring cannot be written from here; ``rest`` is how long a claim may be out."""
        self._ledger = ledger
        self._keys = keys
        self._index = index
        self._rotation = rotation
        self._rest = rest
        self._page = page
        self._clock = clock

    def status(self) -> KeyStatus:
        """Where the rotation stands."""
        self._index.refresh()
        with self._ledger.snapshot() as tx:
            counts, known = rotation.counts(tx), rotation.versions(tx)
        keys = self._keys
        return KeyStatus(
            current=keys.current_version,
            versions=keys.versions,
            announced=keys.versions[0] if keys.versions[0] > keys.current_version else None,
            kept=keys.kept_versions,
            counts=counts,
            known=tuple(known),
        )

    # -- announce, promote -----------------------------------------------------------------------------------------------------

    def rotate(self, *, actor: str) -> tuple[int, int]:
        """Make a new version and promote it; answer (version before, version now). Goes on with one that was interrupted."""
        keys, rotation_of = self._keys, self._writable()
        self._index.refresh()
        with self._ledger.snapshot() as tx:
            standing = rotation.standing(tx)
        before = standing.current if standing is not None else keys.current_version
        if keys.current_version == before:
            rotation_of.announce(now=self._clock())
            self._index.refresh()
        # every process asks under this lock; whoever asks after this commit knows the version, or stops
        self._ledger.retrying(self._announced)
        newest = keys.versions[0]
        rotation_of.promote(newest)
        self._index.refresh()
        self._ledger.retrying(partial(self._promoted, before=before, actor=actor))
        return before, newest

    def _announced(self, tx: Transaction) -> None:
        people.lock(tx)
        now = to_micros(self._clock())
        for version in self._keys.versions:
            rotation.announce(tx, version, at=now)
            if version < self._keys.current_version:
                rotation.mark(tx, version, "promoted_at", at=now)

    def _promoted(self, tx: Transaction, *, before: int, actor: str) -> None:
        people.lock(tx)
        now = self._clock()
        current = self._keys.current_version
        rotation.mark(tx, before, "promoted_at", at=to_micros(now))
        if rotation.mark(tx, current, "promoted_at", at=to_micros(now)):
            self._note(tx, Event.KEYS_ROTATED, actor, key_version=current, key_version_from=before)

    # -- re-wrap ---------------------------------------------------------------------------------------------------------------

    def rewrap(self, *, actor: str, progress: Callable[[int], None] | None = None) -> RewrapCount:
        """Bring every wrapped key under the current version."""
        self._index.refresh()
        done: dict[str, int] = {}
        broken: dict[str, int] = {}
        for table in WRAPPED:
            after = ""
            while True:
                with self._ledger.snapshot() as tx:
                    page = rotation.wrapped_page(tx, table, below=self._keys.current_version, after=after, limit=self._page)
                if not page:
                    break
                again, lost = self._wrapped_again(page)  # no transaction is open while a provider far away is asked
                moved = self._ledger.retrying(partial(self._write_page, table=table, rows=again, actor=actor))
                done[table], broken[table] = done.get(table, 0) + moved, broken.get(table, 0) + lost
                after = page[-1].row_id
                if progress:
                    progress(sum(done.values()))
        return RewrapCount(rewrapped=done, broken=broken, left=self.settle())

    def _wrapped_again(self, page: list[WrappedRow]) -> tuple[dict[int, list[tuple[str, bytes, int]]], int]:
        """(rows to write by the version they come from, how many can never be opened)."""
        fresh = self._keys.rewrap_many([Wrapped(bytes=row.wrapped, version=row.version) for row in page])
        rows: dict[int, list[tuple[str, bytes, int]]] = {}
        for row, each in zip(page, fresh, strict=True):
            if each is not None:
                rows.setdefault(row.version, []).append((row.row_id, each.bytes, each.version))
        return rows, sum(each is None for each in fresh)

    def _write_page(self, tx: Transaction, *, table: str, rows: Mapping[int, list[tuple[str, bytes, int]]], actor: str) -> int:
        moved = 0
        for version, each in sorted(rows.items()):
            count = rotation.rewrap(tx, table, each)
            if count:
                self._note(
                    tx, Event.KEYS_REWRAPPED, actor, kind=table, key_version=each[0][2], key_version_from=version, count=count
                )
            moved += count
        return moved

    # -- drop ------------------------------------------------------------------------------------------------------------------

    def settle(self) -> dict[str, int]:
        """Rows that are left on old versions, by table; remembers since when a version has none."""
        now = to_micros(self._clock())

        def work(tx: Transaction) -> dict[str, int]:
            total: dict[str, int] = {}
            for version in self._old(tx):
                left = rotation.left(tx, version)
                rotation.mark(tx, version, "emptied_at", at=None if left else now)
                for table, number in left.items():
                    total[table] = total.get(table, 0) + number
            return total

        return self._ledger.retrying(work)

    def _old(self, tx: Transaction) -> list[int]:
        current = self._keys.current_version
        return sorted(each.version for each in rotation.versions(tx) if each.version < current and each.dropped_at is None)

    def drop(self, version: int, *, actor: str, dry_run: bool = False) -> None:
        """Destroy the oldest version. Raises ConfigurationError if something hangs on it, or may still be on its way."""
        rotation_of = self._writable()
        self._index.refresh()
        self.settle()
        keep = self._ledger.retrying(partial(self._dropped, version=version, actor=actor, dry_run=dry_run))
        if not dry_run:
            rotation_of.drop(version, keep=keep)
            self._index.refresh()

    def _dropped(self, tx: Transaction, *, version: int, actor: str, dry_run: bool) -> tuple[str, ...]:
        people.lock(tx)
        rotation.stop_receiving(tx)
        known = {each.version: each for each in rotation.versions(tx)}
        if version in known and known[version].dropped_at is not None:
            return self._keep(tx)  # the root may still be there: a crash came between
        if version not in self._old(tx) or version != self._keys.versions[-1]:
            raise ConfigurationError(
                "keyring_version", "only the oldest of several versions can be dropped, after a rotation", field="version"
            )
        left = rotation.left(tx, version)
        if left:
            raise ConfigurationError(
                "key_in_use",
                f"{sum(left.values())} rows hang on this version; run 'leadgate keys rewrap' and 'leadgate keys reindex'",
                field=f"version: {' '.join(sorted(left))}",
            )
        emptied_at = known[version].emptied_at
        ready = from_micros(emptied_at) + self._rest if emptied_at is not None else self._clock() + self._rest
        if ready > self._clock():
            raise ConfigurationError(
                "key_may_be_out",
                f"a delivery that was claimed before may still need this version; drop it after {ready:%Y-%m-%dT%H:%M:%SZ}",
                field="version",
            )
        if not dry_run:
            rotation.mark(tx, version, "dropped_at", at=to_micros(self._clock()))
            self._note(tx, Event.KEYS_DROPPED, actor, key_version=version)
        return self._keep(tx)

    def _keep(self, tx: Transaction) -> tuple[str, ...]:
        return lookup_contexts(self._keys.tenant) if rotation.layered(tx) else ()

    # -- all -------------------------------------------------------------------------------------------------------------------

    def _writable(self) -> KeyRotation:
        if self._rotation is None:
            raise ConfigurationError(
                "keyring_read_only",
                "the keyring comes from the environment; rotate it where that document is kept",
                field="LEADGATE_KEYRING_JSON",
            )
        return self._rotation

    def _note(self, tx: Transaction, event: Event, actor: str, **facts: int | str) -> None:
        recorder = Recorder(at=self._clock(), actor=actor)
        recorder.note(event, facts=facts)
        log.append(tx, recorder.leaves)
