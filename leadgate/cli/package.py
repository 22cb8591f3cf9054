"""The evidence package: one archive an auditor checks without us."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer

from leadgate.cli.root import Actor, Json, Lang, app, screen
from leadgate.cli.root import ledger_house as house
from leadgate.document_phrases import phrase
from leadgate.pipeline.evidence import Packed
from leadgate.pipeline.evidence_parts import Scope
from schemas.errors import ConfigurationError
from schemas.vocabulary import Language

_MONTH: Final = re.compile(r"(\d{4})(?:-(\d{2}))?")
_MONTHS: Final = 12
_STEPS: Final = (1 << 10, 1 << 20, 1 << 30)


@app.command(rich_help_panel="Evidence")
def evidence(
    target: Annotated[Path | None, typer.Argument(help="The archive to write, a name ending in .zip.", metavar="FILE")] = None,
    actor: Actor = "system",
    subject: Annotated[str | None, typer.Option(help="Random id of a person, as `find` prints it.", metavar="PERSON")] = None,
    period: Annotated[
        str | None,
        typer.Option(help="A year (2026), a month (2026-05), or two days (2026-05-01..2026-05-31), both included; UTC."),
    ] = None,
    lang: Lang = Language.EN,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Write it; without this only what would go in is shown.")] = False,
    with_identity: Annotated[
        bool, typer.Option("--with-identity", help="Add who the person is, in a folder of its own. Only with --subject.")
    ] = False,
    without_quorum: Annotated[
        bool, typer.Option("--without-quorum", help="Do without the witnesses' signatures; the package says so.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Pack the evidence about one person or a period: records, texts, decisions, disclosures, proofs, and a check to run.

    Random ids only, unless `--with-identity`. The auditor runs the script inside with your public key (`leadgate log policy`),
    which you hand over by another way.
    """
    if (subject is None) == (period is None):
        raise ConfigurationError("what", "name a person or a period", field="--subject, --period")
    if with_identity and subject is None:
        raise ConfigurationError("no_identity", "a period is packed without identities", field="--with-identity")
    if yes and target is None:
        raise ConfigurationError("no_target", "name the archive to write", field="FILE")
    scope = Scope(person_id=subject) if subject else _period(period or "")
    with house() as opened, screen.working(phrase("packing", lang)) as status:
        if yes:
            opened.seal()  # what happened a minute ago belongs to it
        packed = opened.documents.pack(
            scope,
            target if yes else None,
            actor=actor,
            without_quorum=without_quorum,
            with_identity=with_identity,
            progress=lambda part: status.update(phrase("packing_part", lang, part=part)),
        )
    if as_json:
        screen.document({**packed.as_dict(), "file": str(target) if yes else None})
    else:
        screen.lines(_told(packed, target if yes else None, lang))


def _told(packed: Packed, target: Path | None, lang: Language) -> list[str]:
    said = [phrase("package_of", lang, leaves=packed.leaves, size=packed.tree_size)]
    if packed.counts:
        told = ", ".join(f"{name} {count}" for name, count in packed.counts.items() if count)
        said.append(phrase("package_holds", lang, told=told))
    met = packed.quorum == "met"
    names = ", ".join(packed.witnesses) or phrase("package_nobody", lang)
    said.append(phrase("package_cosigned", lang, names=names) if met else phrase("package_unmet", lang, names=names))
    if packed.identity:
        said.append(phrase("package_identity", lang))
    if target is None:
        return [*said, phrase("package_dry", lang)]
    return [
        *said,
        phrase("package_written", lang, file=target, size=_size(packed.size)),
        phrase("package_digest", lang, digest=packed.sha256),
        phrase("package_check", lang, file=target.name),
    ]


def _size(count: int) -> str:
    for step, unit in zip(reversed(_STEPS), ("GiB", "MiB", "KiB"), strict=True):
        if count >= step:
            return f"{count / step:.1f} {unit}"
    return f"{count} B"


def _period(words: str) -> Scope:
    """Whole days of UTC; the end is included, as people say it."""
    try:
        if found := _MONTH.fullmatch(words):
            year, month = int(found[1]), int(found[2] or 1)
            following = (year + 1, 1) if found[2] is None or month == _MONTHS else (year, month + 1)
            first, after = date(year, month, 1), date(*following, 1)
        else:
            begin, _, end = words.partition("..")
            first, after = date.fromisoformat(begin), date.fromisoformat(end) + timedelta(days=1)
    except (ValueError, OverflowError):
        raise ConfigurationError(
            "bad_period", "write it as 2026, 2026-05 or 2026-05-01..2026-05-31", field="--period"
        ) from None
    return Scope(begin=_midnight(first), end=_midnight(after))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
