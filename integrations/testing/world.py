"""What a simulated vendor holds. It never forgets a write: how often each key was written is counted apart from the records, so
that a test can ask for doubles and for writes that changed nothing.

With a journal every change is a line of a file, replayed at the next start: the world then survives its own process too.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(slots=True, kw_only=True)
class Row:
    """One record as the vendor keeps it."""

    ref: str
    key: str
    fields: dict[str, Any]
    suppressed: bool = False


class World:
    """Records by our key. Thread-safe."""

    def __init__(self, journal: Path | None = None) -> None:
        self._lock = threading.RLock()
        self._rows: dict[str, list[Row]] = {}
        self._next = 1
        self.writes: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self._journal = None
        if journal is not None:
            if journal.exists():
                self._replay(journal)
            self._journal = journal.open("a", encoding="utf-8")

    # -- change -----------------------------------------------------------------------------------------------------------

    def upsert(self, key: str, fields: dict[str, Any]) -> tuple[Row, bool]:
        """Write one record by key; the second value says whether it is new."""
        with self._lock:
            rows = self._rows.get(key)
            if not rows:
                return self.append(key, fields), True
            self._note("upsert", key, fields)
            self.writes[key] += 1
            rows[0].fields.update(fields)
            return rows[0], False

    def append(self, key: str, fields: dict[str, Any]) -> Row:
        """Write another record, whether or not the key is known."""
        with self._lock:
            self._note("append", key, fields)
            self.writes[key] += 1
            row = Row(ref=f"{self._next:06d}", key=key, fields=dict(fields))
            self._next += 1
            self._rows.setdefault(key, []).append(row)
            return row

    def suppress(self, key: str, *, marks: dict[str, Any] | None = None) -> bool:
        """Mark every record of ``key`` as not to be used; False if there is none."""
        with self._lock:
            rows = self._rows.get(key, [])
            if rows:
                self._note("suppress", key, marks or {})
            for row in rows:
                row.suppressed = True
                row.fields.update(marks or {})
            return bool(rows)

    def erase(self, key: str) -> bool:
        """Destroy every record of ``key``; False if there was none."""
        with self._lock:
            if key in self._rows:
                self._note("erase", key, {})
            return bool(self._rows.pop(key, []))

    def reset(self) -> None:
        with self._lock:
            self._note("reset", "", {})
            self._rows.clear()
            self.writes.clear()
            self.calls.clear()

    def called(self, operation: str) -> None:
        with self._lock:
            self.calls[operation] += 1

    # -- look -------------------------------------------------------------------------------------------------------------

    def find(self, key: str) -> list[Row]:
        with self._lock:
            return list(self._rows.get(key, []))

    def rows(self) -> list[Row]:
        with self._lock:
            return [row for rows in self._rows.values() for row in rows]

    def doubles(self) -> list[str]:
        """Keys that stand here more than once."""
        with self._lock:
            return sorted(key for key, rows in self._rows.items() if len(rows) > 1)

    def stats(self) -> dict[str, Any]:
        with self._lock:
            return {
                "records": sum(len(rows) for rows in self._rows.values()),
                "keys": len(self._rows),
                "doubles": self.doubles(),
                "writes": sum(self.writes.values()),
                "written_more_than_once": sorted(key for key, count in self.writes.items() if count > 1),
                "suppressed": sum(row.suppressed for row in self.rows()),
                "calls": dict(self.calls),
            }

    def records(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(row) | {"writes": self.writes[row.key]} for row in self.rows()]

    # -- journal ----------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        with self._lock:
            if self._journal is not None:
                self._journal.close()
                self._journal = None

    def _note(self, change: str, key: str, fields: dict[str, Any]) -> None:
        if self._journal is not None:
            self._journal.write(json.dumps([change, key, fields], ensure_ascii=False) + "\n")
            self._journal.flush()

    def _replay(self, journal: Path) -> None:
        whole, newline, cut = journal.read_text(encoding="utf-8").rpartition("\n")
        if cut:  # the process died while it wrote this line: the change was never answered
            journal.write_text(whole + newline, encoding="utf-8")
        for line in whole.split("\n") if whole else ():
            change, key, fields = json.loads(line)
            if change == "suppress":
                self.suppress(key, marks=fields)
            elif change == "reset":
                self.reset()
            elif change == "erase":
                self.erase(key)
            else:
                (self.append if change == "append" else self.upsert)(key, fields)
