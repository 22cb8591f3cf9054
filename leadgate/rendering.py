"""How counts look on a screen: tables by rich, in English and Russian where officers read. Never given a person's value."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from integrations.sources.moderation_export.pickup import FileOutcome, FileReport
from leadgate.pipeline.balance import Balance
from leadgate.pipeline.plan import DestinationPlan
from leadgate.storage.clock import from_micros
from schemas.vocabulary import Outcome

_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "title": "Balance", "received": "received", "admitted": "admitted", "quarantined": "quarantined", "refused": "refused",
        "waiting": "not decided yet", "destination": "destination", "total": "total", "closes": "The books close.",
        "open": "The books are OPEN.", "reasons": "Reasons", "promise": "Promise", "median": "median", "p99": "99th percentile",
        "longest": "longest", "late": "later than promised", "within": "promised within", "log": "Log", "leaves": "leaves",
        "accepted": "accepted", "rejected": "rejected", "dead": "dead letter", "suppressed": "suppressed", "queued": "queued",
        "claimed": "with a worker", "deferred": "deferred", "uncertain": "in doubt", "holds": "destination holds",
    },
    "ru": {
        "title": "Баланс", "received": "получено", "admitted": "допущено", "quarantined": "на разбор", "refused": "отказано",
        "waiting": "ещё не решено", "destination": "получатель", "total": "всего", "closes": "Баланс сходится.",
        "open": "Баланс НЕ сходится.", "reasons": "Причины", "promise": "Обещанный срок", "median": "медиана",
        "p99": "99-й перцентиль", "longest": "самый долгий", "late": "позже обещанного", "within": "обещано за",
        "log": "Журнал", "leaves": "записей", "accepted": "принято", "rejected": "отклонено", "dead": "не доставлено",
        "suppressed": "остановлено", "queued": "в очереди", "claimed": "в работе", "deferred": "отложено",
        "uncertain": "неясно",
        "holds": "есть у получателя",
    },
}  # fmt: skip

_ORDER = (
    Outcome.ACCEPTED, Outcome.REJECTED, Outcome.SUPPRESSED, Outcome.DEAD,
    Outcome.QUEUED, Outcome.DEFERRED, Outcome.CLAIMED, Outcome.UNCERTAIN,
)  # fmt: skip


def counts_line(what: str, counts: Mapping[str, Any]) -> str:
    """One line of counts, zeros left out."""
    shown = ", ".join(f"{name} {value}" for name, value in counts.items() if value not in (0, None, {}))
    return f"{what}: {shown or 'nothing to do'}"


def file_lines(reports: Sequence[FileReport]) -> list[str]:
    """A line for each file of an inbox that somebody should know about. Its name is from outside and may be a person's."""
    lines = []
    for each in reports:
        file = f"file {each.ref[:8] or '(not readable)'}"
        if each.outcome is FileOutcome.REJECTED:
            lines.append(
                f"{file} rejected: {each.code}; {each.rows} rows taken; its reason lies beside it in the folder rejected"
            )
        elif each.outcome is FileOutcome.FAILED:
            lines.append(f"{file} failed: {each.code}; it stays in the inbox: look at permissions and free space")
        lines += [f"{file}: {note}" for note in each.notes]
    return lines


def balance_table(balance: Balance, lang: str) -> Group:
    """The balance as two tables and a verdict."""
    word = _WORDS[lang]
    head = Text(f"{word['title']}  {_moment(balance.taken_at)}", style="bold")
    equation = (
        f"{word['received']} {balance.received} = {word['admitted']} {balance.admitted} + {word['quarantined']} "
        f"{balance.quarantined} + {word['refused']} {balance.refused}"
    )
    if balance.waiting:
        equation += f" + {word['waiting']} {balance.waiting}"
    table = Table(
        word["destination"], *(word[state] for state in _ORDER), word["total"], *([word["holds"]] if balance.held else [])
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for name, states in sorted(balance.deliveries.items()):
        cells = [str(states.get(state, 0) or "·") for state in _ORDER]
        held = [str(balance.held.get(name, "?"))] if balance.held else []
        table.add_row(name, *cells, str(sum(states.values())), *held)
    parts: list[Any] = [head, Text(equation), table]
    if balance.reasons:
        reasons = ", ".join(f"{name} {count}" for name, count in sorted(balance.reasons.items(), key=lambda item: -item[1]))
        parts.append(Text(f"{word['reasons']}: {reasons}"))
    parts += [Text(_promise(balance, word)), Text(f"{word['log']}: {balance.leaves} {word['leaves']}")]
    parts.append(Text(word["closes"] if balance.closes else word["open"], style="bold green" if balance.closes else "bold red"))
    return Group(*parts)


def _promise(balance: Balance, word: Mapping[str, str]) -> str:
    hours = balance.promise.total_seconds() / 3600
    if balance.median_seconds is None or balance.p99_seconds is None or balance.longest_seconds is None:
        return f"{word['promise']}: {word['within']} {hours:g} h"
    return (
        f"{word['promise']}: {word['median']} {balance.median_seconds:.1f} s, {word['p99']} {balance.p99_seconds:.1f} s, "
        f"{word['longest']} {balance.longest_seconds:.1f} s; {word['within']} {hours:g} h, {word['late']}: {balance.late}"
    )


def plan_table(plans: Sequence[DestinationPlan]) -> Table:
    """A dry run, a row for each destination."""
    table = Table("destination", "would send", "calls", "gate would stop", "fields disclosed", "waiting", "paused until")
    for each in plans:
        fields = "; ".join(f"{route}: {' '.join(names)}" for route, names in sorted(each.fields.items()))
        table.add_row(
            each.destination,
            str(each.sends),
            str(each.calls),
            ", ".join(f"{reason} {count}" for reason, count in sorted(each.stopped.items())) or "-",
            fields or "-",
            ", ".join(f"{state} {count}" for state, count in sorted(each.waiting.items())) or "-",
            _moment(each.paused_until) if each.paused_until else "-",
        )
    return table


def quarantine_table(rows: Sequence[tuple[str, str, str, int, str]]) -> Table:
    """What was not admitted, and why. A row of a file is found by its event: the file's digest and the row's number."""
    table = Table("submission", "source", "event", "received", "reason", "field", "hint")
    for submission_id, source, event_id, received_at, findings in rows:
        for finding in json.loads(findings):
            # As text: a hint may speak of consent.purposes[0], which is no markup.
            cells = (submission_id, source, event_id, _moment(from_micros(received_at)), finding["reason"])
            table.add_row(*map(Text, cells), Text(finding["field"] or "-"), Text(finding["hint"]))
    return table


def _moment(at: datetime) -> str:
    return at.isoformat(sep=" ", timespec="seconds").replace("+00:00", " UTC")
