"""What may be written to a log: ids, counts, codes and names of fields. Every other value is dropped, whoever hands it in.

1. A key stands on the list below or its value becomes ``<dropped>``; a value must also look like what its key promises, so that
   a phone number under ``lead_id`` is dropped too.
2. ``Personal`` is ``<personal>`` under every key.
3. An exception of ours is logged by code, field and our own sentence; one of a library by its type and the line of ours it
   passed through. ``str()`` of a foreign exception is never taken: drivers and clients quote what they were given.
4. Records of foreign loggers keep their name, level and place; their messages are dropped (uvicorn, SQLAlchemy, zeep and
   urllib3 write addresses, parameters and bodies).

``get_logger`` works before and without ``configure``: inside Airflow the lines go to the task's log and nothing
global is changed.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, TextIO, cast

import structlog

from schemas.errors import LeadgateError
from schemas.personal import Personal

DROPPED: Final = "<dropped>"
_OURS: Final = ("leadgate", "consent", "integrations", "schemas", "dags")
_ROOT: Final = Path(__file__).resolve().parents[1]

_ID: Final = re.compile(r"(?![0-9]{7,}\Z)[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.:*/\[\]-]{0,127}")
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_EVENT: Final = re.compile(r"(?!.*[0-9]{5})[A-Za-z][A-Za-z0-9 _.,:;'()-]{0,119}")
#: Larger than any count of ours, smaller than any phone number with its country.
_LARGEST_COUNT: Final = 10**10

Check = Callable[[Any], Any]


def _matching(pattern: re.Pattern[str]) -> Check:
    def check(value: Any) -> Any:
        if isinstance(value, Enum):
            value = value.value
        if isinstance(value, (list, tuple, set, frozenset)):
            return [check(one) for one in (sorted(value, key=str) if isinstance(value, (set, frozenset)) else value)]
        return value if isinstance(value, str) and pattern.fullmatch(value) else DROPPED

    return check


def _count(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    return value if isinstance(value, (int, float)) and -_LARGEST_COUNT < value < _LARGEST_COUNT else DROPPED


def _counts(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return DROPPED
    return {str(name): _count(count) for name, count in value.items() if _NAME.fullmatch(str(name))}


def _moment(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, str) and _MOMENT.fullmatch(value) else DROPPED


_KEYS: Final[Mapping[Check, str]] = {
    _matching(
        _ID
    ): "submission_id lead_id person_id delivery_id consent_id run_id dag_id task_id map_index actor key_id tenant ref",
    _matching(_NAME): (
        "source destination brand connector purpose outcome state decision reason code field fields step error error_type "
        "error_field where logger method origin kind action topic channel command connection"
    ),
    _matching(_VERSION): "version notice_id notice_version policy_version key_version",
    _count: (
        "count total taken received admitted quarantined refused withdrawals deliveries queued claimed accepted rejected "
        "deferred uncertain dead suppressed resolved replayed destroyed leaves size index attempt batch files rows duplicates "
        "status port pid line seconds milliseconds bytes retry_after age workers ok late integrated tree_size processed failed "
        "waiting foreign new repeated swept"
    ),
    _counts: "counts balance",
    _matching(_EVENT): "note",
    _moment: "at since until due_at not_before",
}
_CHECKS: Final[Mapping[str, Check]] = {key: check for check, keys in _KEYS.items() for key in keys.split()}


def guarded(key: str, value: Any) -> Any:
    """The value as it may be logged under ``key``."""
    if isinstance(value, Personal):
        return repr(value)
    if value is None:
        return None
    check = _CHECKS.get(key)
    return DROPPED if check is None else check(value)


def describe(error: BaseException) -> dict[str, str]:
    """An exception as it may be logged."""
    facts = {"error_type": type(error).__name__}
    if isinstance(error, LeadgateError):
        facts |= {"error": error.code, "message": error.message}
        if error.field:
            facts["error_field"] = error.field
    place = _place(error.__traceback__)
    return facts | ({"where": place} if place else {})


def _place(trace: TracebackType | None) -> str | None:
    """The last line of ours that the exception passed through, as path:line."""
    place = None
    while trace is not None:
        path = Path(trace.tb_frame.f_code.co_filename)
        if path.is_relative_to(_ROOT) and path.relative_to(_ROOT).parts[0] in _OURS:
            place = f"{path.relative_to(_ROOT)}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _guard(_logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    said = event.pop("event", "")
    exc_info = event.pop("exc_info", None)
    event.pop("stack_info", None)
    line: dict[str, Any] = {"event": said if isinstance(said, str) and _EVENT.fullmatch(said) else DROPPED}
    line |= {key if _NAME.fullmatch(key) else DROPPED: guarded(key, value) for key, value in event.items()}
    if exc_info:
        error = exc_info if isinstance(exc_info, BaseException) else sys.exc_info()[1]
        if error is not None:
            line |= describe(error)
    line["level"] = "error" if method == "exception" else method
    return line


def _to_stdlib(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> tuple[tuple[str], dict[str, Any]]:
    # Handlers that are not ours (Airflow's) show this text to a person, beside their own time and level.
    # The arguments travel apart from the text, so that a percent sign in it is never formatted.
    return ("%s", _for_eyes(event)), {"extra": {"leadgate_line": dict(event)}}  # type: ignore[return-value]


def _for_eyes(line: Mapping[str, Any]) -> str:
    """``destination served: destination=lada_crm accepted=27``. Counts that are zero are left out."""
    facts: list[str] = []
    for key, value in line.items():
        if isinstance(value, Mapping):
            facts += [f"{name}={count}" for name, count in value.items() if count]
        elif key not in ("event", "level"):
            facts.append(f"{key}={value}")
    return f"{line['event']}: {' '.join(facts)}" if facts else str(line["event"])


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger of ours: ``get_logger(__name__).info("batch admitted", count=500)``."""
    wrapped = structlog.wrap_logger(
        logging.getLogger(name if name.split(".", maxsplit=1)[0] in _OURS else f"leadgate.{name}"),
        processors=[structlog.stdlib.filter_by_level, _guard, _to_stdlib],
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return cast("structlog.stdlib.BoundLogger", wrapped)


class LineFormatter(logging.Formatter):
    """Writes one line a record, JSON or for a person's eyes; lets nothing foreign through."""

    def __init__(self, style: Literal["json", "console"]) -> None:
        super().__init__()
        self._format = style

    def format(self, record: logging.LogRecord) -> str:
        line = self._line(record)
        line = {"at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"), **line}
        if self._format == "json":
            return json.dumps(line, ensure_ascii=False, default=lambda _: DROPPED)
        facts = " ".join(f"{key}={value}" for key, value in line.items() if key not in ("at", "level", "event"))
        return f"{line['at'][11:19]} {line['level']:<8} {line['event']} {facts}".rstrip()

    def _line(self, record: logging.LogRecord) -> dict[str, Any]:
        ready = getattr(record, "leadgate_line", None)
        if isinstance(ready, dict):
            return {**ready, "logger": record.name}
        error = record.exc_info[1] if record.exc_info else None
        line: dict[str, Any] = {"level": record.levelname.lower(), "logger": record.name}
        if record.name.split(".", maxsplit=1)[0] in _OURS:
            line["event"] = _own_message(record)
        else:
            line |= {"event": "foreign record", "where": f"{Path(record.pathname).name}:{record.lineno}"}
        return line | (describe(error) if error else {})


def _own_message(record: logging.LogRecord) -> str:
    """A record of ours that came through plain ``logging``: our template, with only harmless arguments filled in."""
    arguments = record.args if isinstance(record.args, tuple) else ()
    safe = tuple(one if _is_harmless(one) else DROPPED for one in arguments)
    try:
        return str(record.msg) % safe if safe else str(record.msg)
    except (TypeError, ValueError):  # %d and a dropped value
        return DROPPED


def _is_harmless(value: object) -> bool:
    if isinstance(value, str):
        return bool(_NAME.fullmatch(value))
    return isinstance(value, (int, float)) and _count(value) is not DROPPED


def configure(
    level: str = "INFO", *, style: Literal["json", "console", "auto"] = "auto", stream: TextIO | None = None
) -> logging.Handler:
    """Send every record of this process to one stream, standard error if none is given. Doing it again replaces the first.

    ``auto`` is for a person's eyes on a terminal and JSON elsewhere. Foreign records below WARNING are not written.
    """
    target = stream or sys.stderr
    chosen = ("console" if target.isatty() else "json") if style == "auto" else style
    handler = logging.StreamHandler(target)
    handler.setFormatter(LineFormatter(chosen))
    handler.addFilter(_ours_or_trouble)
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    return handler


def _ours_or_trouble(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or record.name.split(".", maxsplit=1)[0] in _OURS
