"""Export figures nobody stands in. A written file is measured by a library that is not ours; if it falls short it goes.

1. The data set is fixed beforehand: people of a period, their newest request, from one moment of the ledger; whoever took
   consent back, asked for a restriction or was erased is not in it.
2. Of the vault only city and region are opened, in memory, and compared with the declared places; what was typed never leaves.
3. ``consent.anonymize`` decides; the file is written beside its name, mode 0600, measured with pycanon, and only then named.
4. The log says what was done: period, method, levels, what was asked, what was measured, how many were left out, and the digest
   of the file (RKN Order 140 of 19.06.2025 asks that each action and its sufficiency can be confirmed).
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, Final

from consent.anonymize import COLUMNS, HIERARCHIES, METHOD, SENSITIVE, Anonymized, Person, Places, anonymize
from consent.vault import Vault
from leadgate.pipeline.recorder import Recorder
from leadgate.storage import analytics, log
from leadgate.storage.analytics import Countable
from leadgate.storage.clock import from_micros, to_micros
from leadgate.storage.engine import Ledger, Transaction
from schemas.errors import ConfigurationError, VaultError
from schemas.vocabulary import Event

#: What the vault opens.
FIELDS: Final = ("city", "region")
_LIBRARY: Final = "pycanon"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyticsExport:
    """What was asked, what came of it, and what the library measured in the file; 0 in a dry run."""

    k: int
    l_diversity: int
    k_reached: int
    l_reached: int
    people: int
    rows: int
    suppressed: int
    classes: int
    levels: Mapping[str, str]
    file_sha256: str | None

    def as_dict(self) -> dict[str, object]:
        """For the console."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {"levels": dict(self.levels)}


class AnalyticsExporter:
    """Writes one file at a time."""

    def __init__(self, *, ledger: Ledger, vault: Vault, places: Places, clock: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._vault = vault
        self._places = places
        self._clock = clock

    def run(
        self,
        target: Path | None,
        *,
        k: int,
        l_diversity: int,
        suppress: float,
        since: datetime,
        until: datetime,
        actor: str,
    ) -> AnalyticsExport:
        """Write ``target``, which must not exist yet; with None only say what would be written.

        Raises ConfigurationError if there are too few people, or if the measured file falls short; then nothing is left of it.
        """
        if target is not None:
            measures = _library()  # before anything is opened
            if target.exists():
                raise ConfigurationError("file_exists", "a file is never overwritten; name another", field="FILE")
        made = anonymize(self._people(since, until), k=k, l_diversity=l_diversity, suppress=suppress)
        if target is None:
            return _told(made, k_reached=0, l_reached=0, digest=None)
        beside = target.with_name(f".{target.name}.part")
        try:
            digest = _write(beside, made)
            k_reached, l_reached = _measured(measures, beside)
            if k_reached < k or l_reached < l_diversity:
                raise ConfigurationError(
                    "not_anonymous", f"k {k_reached} and l {l_reached} were measured; the file was destroyed", field="FILE"
                )
            done = _told(made, k_reached=k_reached, l_reached=l_reached, digest=digest)
            self._ledger.retrying(lambda tx: self._record(tx, done, since=since, until=until, actor=actor))
            beside.rename(target)
        except OSError as error:
            raise ConfigurationError(
                "unwritable", f"the file cannot be written ({type(error).__name__})", field="FILE"
            ) from None
        finally:
            beside.unlink(missing_ok=True)
        return done

    def _people(self, since: datetime, until: datetime) -> Iterator[Person]:
        with self._ledger.snapshot() as tx:
            for page in analytics.countable(tx, since=to_micros(since), until=to_micros(until)):
                self._vault.expect([(each.wrapped, each.version) for each in page])
                for each in page:
                    city, region = self._place(each)
                    yield Person(
                        each.brand,
                        from_micros(each.received_at).date(),
                        city,
                        region,
                        each.country,
                        each.channel,
                        each.language,
                        each.topic,
                    )

    def _place(self, each: Countable) -> tuple[str | None, str | None]:
        try:
            key = self._vault.unwrap_person_key(each.person_id, each.wrapped, each.version)
            opened = self._vault.open_lead(key, each.lead_id, each.sealed, FIELDS).reveal()
        except VaultError:
            return None, None  # a seal that does not open says nothing of a place; verify speaks of it
        return self._places.find(each.country, opened.get("city"), opened.get("region"))

    def _record(self, tx: Transaction, done: AnalyticsExport, *, since: datetime, until: datetime, actor: str) -> None:
        recorder = Recorder(at=self._clock(), actor=actor)
        recorder.note(
            Event.ANALYTICS_EXPORTED,
            facts={
                "method": METHOD,
                "k": done.k,
                "l_diversity": done.l_diversity,
                "k_reached": done.k_reached,
                "l_reached": done.l_reached,
                "persons": done.people,
                "rows": done.rows,
                "too_few": done.suppressed,
                "classes": done.classes,
                "levels": [f"{name}:{level}" for name, level in done.levels.items()],
                "fields": [*FIELDS],
                "measured_by": f"{_LIBRARY}-{metadata.version(_LIBRARY)}",
                "not_before": _moment(since),
                "until": _moment(until),
                **({"file_sha256": done.file_sha256} if done.file_sha256 else {}),
            },
        )
        log.append(tx, recorder.leaves)


def _told(made: Anonymized, *, k_reached: int, l_reached: int, digest: str | None) -> AnalyticsExport:
    return AnalyticsExport(
        k=made.k,
        l_diversity=made.l_diversity,
        k_reached=k_reached,
        l_reached=l_reached,
        people=made.people,
        rows=len(made.rows),
        suppressed=made.suppressed,
        classes=made.classes,
        levels=made.levels,
        file_sha256=digest,
    )


def _write(path: Path, made: Anonymized) -> str:
    path.unlink(missing_ok=True)  # left by a crash
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(made.rows)
        stream.flush()
        os.fsync(stream.fileno())
    return sha256(path.read_bytes()).hexdigest()


def _library() -> tuple[Any, Any]:
    """The measures of pycanon and the reader of tables it needs: a second to load, so this command alone does it."""
    try:
        return import_module(f"{_LIBRARY}.anonymity"), import_module("pandas")
    except ImportError:
        pass
    raise ConfigurationError(
        "no_pycanon",
        "the file is measured by pycanon before it gets its name: pip install 'leadgate[analytics]'",
        field=_LIBRARY,
    )


def _measured(measures: tuple[Any, Any], path: Path) -> tuple[int, int]:
    """(k, l) of the file as it stands on disk."""
    anonymity, pandas = measures
    table = pandas.read_csv(path, dtype=str, keep_default_na=False)
    quasi: Sequence[str] = list(HIERARCHIES)
    return int(anonymity.k_anonymity(table, quasi)), int(anonymity.l_diversity(table, quasi, [SENSITIVE]))


def _moment(at: datetime) -> str:
    return f"{at.isoformat()[:19]}Z"
