"""How answers look on a screen, in English and Russian where officers and moderators read. Never given a person's value, and
never cuts a cell: a list that does not fit the terminal becomes blocks, and what is not a terminal gets plain wide lines.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from consent.audit.findings import Report
from integrations.sources.moderation_export.pickup import FileOutcome, FileReport
from leadgate.phrases import phrase
from leadgate.pipeline.balance import Balance, Promise
from leadgate.pipeline.plan import DestinationPlan
from leadgate.pipeline.retention import RetentionCount
from leadgate.storage.clock import from_micros
from schemas import words
from schemas.vocabulary import FINAL_OUTCOMES, Language, Outcome, Reason, SubmissionState

_ORDER = (
    Outcome.ACCEPTED, Outcome.REJECTED, Outcome.SUPPRESSED, Outcome.DEAD,
    Outcome.QUEUED, Outcome.DEFERRED, Outcome.CLAIMED, Outcome.UNCERTAIN,
)  # fmt: skip
#: A cell that says nothing.
_NONE = "-"
#: No screen is wider; what a table would like to be.
_BOUNDLESS = 100_000
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


class Sheet:
    """Rows under headings. The first column names a row; ``numbers`` are columns aligned to the right."""

    def __init__(self, *headings: str, numbers: bool = False) -> None:
        self._headings = headings
        self._numbers = numbers
        self._rows: list[Sequence[str]] = []

    def add(self, *cells: str) -> None:
        """One row."""
        self._rows.append(cells)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = self._table(box_=box.HEAVY_HEAD if console.is_terminal else None)
        if Measurement.get(console, options.update(max_width=_BOUNDLESS), table).maximum <= options.max_width:
            yield table
        else:
            yield from self._blocks()

    def _table(self, *, box_: box.Box | None) -> Table:
        table = Table(box=box_, pad_edge=box_ is not None, padding=(0, 2, 0, 0) if box_ is None else (0, 1), highlight=False)
        for place, heading in enumerate(self._headings):
            table.add_column(Text(heading), no_wrap=True, justify="right" if self._numbers and place else "left")
        for cells in self._rows:
            table.add_row(*map(Text, cells))  # as text: a field may be called consent.purposes[0], which is no markup
        return table

    def _blocks(self) -> Iterator[Text]:
        """A row as a few lines; cells that say nothing are left out."""
        for cells in self._rows:
            yield Text(cells[0], style="bold")
            for heading, cell in zip(self._headings[1:], cells[1:], strict=True):
                if cell not in ("", _NONE):
                    yield Text(f"  {heading}: {cell}")


def counts_line(what: str, counts: Mapping[str, Any]) -> str:
    """One line of counts, zeros left out."""
    shown = ", ".join(f"{name} {value}" for name, value in counts.items() if value not in (0, None, {}))
    return f"{what}: {shown or 'nothing to do'}"


# -- balance ------------------------------------------------------------------------------------------------------------------


def balance_table(balance: Balance, lang: str) -> Group:
    """The balance: the equation, a row for each destination, the verdict, and what waits for whom."""
    language = Language(lang)
    equation = " + ".join(
        f"{words.say(words.SUBMISSIONS, state, language)} {count}"
        for state, count in (
            (SubmissionState.ADMITTED, balance.admitted),
            (SubmissionState.QUARANTINED, balance.quarantined),
            (SubmissionState.REFUSED, balance.refused),
            (SubmissionState.RECEIVED, balance.waiting),
        )
        if count or state is not SubmissionState.RECEIVED
    )
    parts: list[Any] = [
        Text(f"{phrase('balance', language)}  {_moment(balance.taken_at)}", style="bold"),
        Text(f"{phrase('received', language)} {balance.received} = {equation}"),
    ]
    if balance.deliveries:
        parts += [_deliveries(balance, language), *(Text(line) for line in _why(balance, language))]
    if balance.reasons:
        told = ((words.say(words.REASONS, code, language), count) for code, count in balance.reasons.items())
        parts.append(Text(f"{phrase('reasons', language)}: {_counted(told)}"))
    parts += [Text(_promise(balance, language)), Text(_log(balance, language))]
    closes = balance.closes
    parts.append(Text(phrase("closes" if closes else "open", language), style="bold green" if closes else "bold red"))
    parts += [Text(line) for line in _whose_turn(balance, language)]
    return Group(*parts)


def _deliveries(balance: Balance, language: Language) -> Sheet:
    """States in which nothing stands anywhere have no column."""
    seen = [state for state in _ORDER if any(states.get(state) for states in balance.deliveries.values())]
    headings = [words.say(words.OUTCOMES, state, language) for state in seen]
    held = [phrase("holds", language)] if balance.held else []
    sheet = Sheet(phrase("destination", language), *headings, phrase("total", language), *held, numbers=True)
    for name, states in sorted(balance.deliveries.items()):
        cells = [str(states.get(state) or _NONE) for state in seen]
        sheet.add(name, *cells, str(sum(states.values())), *([str(balance.held.get(name, "?"))] if held else []))
    return sheet


def _why(balance: Balance, language: Language) -> Iterator[str]:
    """What a destination's answer came to, where it was not plain acceptance: the code, and what it means if it is ours."""
    for destination, state, code, count in balance.why:
        said = words.code_in(code, language)
        meaning = f" ({said})" if said != code else ""
        yield f"{destination}: {words.say(words.OUTCOMES, state, language)} {count}: {code}{meaning}"


def _promise(balance: Balance, language: Language) -> str:
    hours = balance.promise.total_seconds() / _HOUR
    if balance.median_seconds is None or balance.p99_seconds is None or balance.longest_seconds is None:
        return phrase("promise_none", language, hours=hours)
    return phrase(
        "promise_kept",
        language,
        hours=hours,
        late=balance.late,
        median=_duration(balance.median_seconds, language),
        p99=_duration(balance.p99_seconds, language),
        longest=_duration(balance.longest_seconds, language),
    )


def _log(balance: Balance, language: Language) -> str:
    waiting = balance.leaves - balance.tree_size + balance.pending_leaves
    return phrase("log", language, sealed=balance.tree_size, pending=waiting)


def _whose_turn(balance: Balance, language: Language) -> Iterator[str]:
    states: Counter[str] = Counter()
    for counts in balance.deliveries.values():
        states.update(counts)
    underway = sum(count for state, count in states.items() if Outcome(state) not in FINAL_OUTCOMES)
    for name, count in (
        ("open_undecided", balance.waiting),
        ("open_underway", underway),
        ("look_quarantine", balance.quarantined),
        ("look_dead", states[Outcome.DEAD]),
    ):
        if count:
            yield phrase(name, language, count=count)


# -- work ---------------------------------------------------------------------------------------------------------------------


def plan_lines(plans: Sequence[DestinationPlan], lang: str) -> Iterator[str]:
    """A dry run, some lines for each destination: what would be sent, which fields, what would not and why."""
    language = Language(lang)
    for each in plans:
        if each.sends:
            yield phrase("plan_sends", language, destination=each.destination, sends=each.sends, calls=each.calls)
        else:
            yield phrase("plan_nothing", language, destination=each.destination)
        for route, names in sorted(each.fields.items()):
            yield phrase("plan_fields", language, route=route, fields=" ".join(names))
        if each.stopped:
            told = ((words.code_in(code, language), count) for code, count in each.stopped.items())
            yield phrase("plan_stopped", language, reasons=_counted(told))
        if each.waiting:
            told = ((words.say(words.OUTCOMES, state, language), count) for state, count in each.waiting.items())
            yield phrase("plan_waiting", language, states=_counted(told))
        if each.paused_until:
            yield phrase("plan_paused", language, moment=_moment(each.paused_until), destination=each.destination)
    yield phrase("dry_run", language)


def quarantine_table(rows: Sequence[tuple[str, str, str, int, str]], lang: str = "en") -> Group:
    """What was not admitted, why, and who mends it. A row of a file is found by its event: the file's digest and row number."""
    language = Language(lang)
    headings = ("submission", "source", "event", "received_at", "reason", "field", "hint")
    sheet = Sheet(*(phrase(name, language) for name in headings))
    seen: Counter[str] = Counter()
    for submission_id, source, event_id, received_at, findings in rows:
        told = json.loads(findings or "[]")
        seen.update({finding["reason"] for finding in told})
        for finding in told:
            wrong = words.hint(finding["hint"] or "", language) or words.say(words.REASONS, finding["reason"], language)
            moment = _moment(from_micros(received_at))
            sheet.add(submission_id, source, event_id, moment, finding["reason"], finding["field"] or _NONE, wrong)
    if not rows:
        return Group(Text(phrase("nothing_waits", language)))
    return Group(sheet, Text(phrase("what_to_do", language), style="bold"), *_advice(seen, language))


def _advice(seen: Counter[str], language: Language) -> Iterator[Text]:
    for code, count in seen.most_common():
        said = words.say(words.REASONS, code, language)
        advice = words.say(words.REASON_ADVICE, code, language) if code in set(Reason) else ""
        yield Text(f"  {code} ({said}), {count}: {advice}")


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


# -- people -------------------------------------------------------------------------------------------------------------------


def retention_lines(count: RetentionCount, lang: str, *, done: bool) -> Iterator[str]:
    """What is kept, what is due and why."""
    language = Language(lang)
    due = 0
    for what, number in sorted(count.counts.items()):
        action, _, why = what.partition(".")
        due += number if action.startswith("destroy") else 0
        yield f"{number:>8}  {words.say(words.RETENTION, action, language)}: {words.say(words.RETENTION, why, language)}"
    if not count.counts:
        yield phrase("nothing_held", language)
    yield phrase("destroyed", language, count=count.destroyed) if done else phrase("dry_retention", language, count=due)
    if count.next_due_at:
        yield phrase("next_due", language, moment=_moment(count.next_due_at))


# -- promise and proof --------------------------------------------------------------------------------------------------------


def promise_lines(promise: Promise, lang: str) -> Iterator[str]:
    """The oldest thing that waits, and what to press."""
    language = Language(lang)
    if promise.waiting_id is None:
        yield phrase("promise_nothing", language)
        return
    yield phrase(
        "promise_waits",
        language,
        state=phrase(promise.state, language),
        kind=phrase(f"kind_{promise.kind}", language),
        id=promise.waiting_id,
        age=_duration(promise.age.total_seconds(), language),
        hours=promise.answer_within.total_seconds() / _HOUR,
    )
    yield phrase(f"promise_{promise.kind}", language)


def report_lines(report: Report, lang: str) -> Iterator[str]:
    """What a verification read and found; the verdict comes last."""
    language = Language(lang)
    if report.checkpoint is not None:
        root = report.checkpoint.root.hex()
        yield phrase("checkpoint", language, origin=report.origin, size=report.checkpoint.size, root=root)
    if report.witnesses:
        yield phrase("seen_by", language, names=", ".join(report.witnesses))
    counts = {name: getattr(report, name) for name in ("leaves", "sealed", "leads", "erased", "deliveries", "consents")}
    yield phrase("compared", language, **counts)
    if report.pruned:
        yield phrase("pruned_log", language, first=report.pruned)
    for finding in report.findings:
        russian = words.finding_in_russian(finding.code, finding.place) if language is Language.RU else None
        yield f"{phrase('found', language)} {finding.code}: {russian or finding}"
        if russian:
            yield f"    ({finding.problem})"
    if report.unlisted:
        yield phrase("unlisted", language, count=report.unlisted)
    yield phrase("verified" if report.ok else "not_verified", language)


def _counted(told: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(told, key=lambda one: (-one[1], one[0])))


def _duration(seconds: float, language: Language) -> str:
    """As people say it: the two largest units."""
    day, hour, minute, second = ("д", "ч", "мин", "с") if language is Language.RU else ("d", "h", "min", "s")
    whole = int(seconds)
    if whole >= _DAY:
        return f"{whole // _DAY} {day} {whole % _DAY // _HOUR} {hour}"
    if whole >= _HOUR:
        return f"{whole // _HOUR} {hour} {whole % _HOUR // _MINUTE} {minute}"
    if whole >= _MINUTE:
        return f"{whole // _MINUTE} {minute} {whole % _MINUTE} {second}"
    return f"{seconds:.1f} {second}"


def _moment(at: datetime) -> str:
    return at.isoformat(sep=" ", timespec="seconds").replace("+00:00", " UTC")
