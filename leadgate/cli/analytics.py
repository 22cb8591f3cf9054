"""`leadgate export`: the audit export, and figures in which nobody stands."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from leadgate.cli.root import Actor, Json, Lang, app, screen
from leadgate.cli.root import ledger_house as house
from leadgate.phrases_keys import ANALYTICS_PHRASES
from leadgate.wiring.analytics import export_analytics
from schemas.analytics_schema import LEAST_K
from schemas.vocabulary import Language


class _FolderFirst(TyperGroup):
    """A folder right behind `leadgate export` has always meant the audit export, and goes on to."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        known = not args or args[0] in self.commands or args[0].startswith("-")
        return super().resolve_command(ctx, args if known else ["audit", *args])


export = typer.Typer(
    cls=_FolderFirst,
    help="Write the audit export, or anonymized figures.",
    no_args_is_help=True,
)
app.add_typer(export, name="export", rich_help_panel="Evidence")


@export.command("audit")
def export_audit(target: Annotated[Path, typer.Argument(help="A folder that does not exist yet.")]) -> None:
    """Write the audit export for an auditor: every leaf, checkpoint and record digest; no personal data."""
    with house() as opened, screen.working("exporting ..."):
        done = opened.export(target)
    screen.out.print(f"{done.leaves} leaves, {done.checkpoints} checkpoints, {done.records} records in {target}", markup=False)
    screen.out.print("check it as the auditor will: leadgate verify FOLDER --key PUBLIC_KEY (leadgate keys show)")


@export.command("analytics")
def analytics(
    out: Annotated[
        Path | None, typer.Option(help="The CSV file to write; without it only what would be written is shown.", metavar="FILE")
    ] = None,
    k: Annotated[
        int | None, typer.Option(help="At least so many people share each row; leadgate.yaml's if not said.", min=LEAST_K)
    ] = None,
    l_diversity: Annotated[
        int | None, typer.Option("--l", help="At least so many topics stand in each group of alike rows.", min=1)
    ] = None,
    since: Annotated[datetime | None, typer.Option(help="First day, UTC.", formats=["%Y-%m-%d"])] = None,
    until: Annotated[datetime | None, typer.Option(help="The day after the last one, UTC.", formats=["%Y-%m-%d"])] = None,
    *,
    actor: Actor = "operator",
    lang: Lang = Language.EN,
    as_json: Json = False,
) -> None:
    """Write figures for advertising and planning: one row a person, made coarser until k people share each, the rest left out.

    No id, no contact, no free text; cities only if leadgate.yaml lists them (analytics.places). The file is measured by pycanon
    before it gets its name, and the log keeps method, parameters and counts. Leads under random ids are no such figures.
    """
    with house() as opened, screen.working(ANALYTICS_PHRASES["working"].in_(lang)):
        done = export_analytics(opened, out, k=k, l_diversity=l_diversity, since=_utc(since), until=_utc(until), actor=actor)
    if as_json:
        screen.document(done.as_dict())
        return
    levels = ", ".join(f"{name}: {level}" for name, level in done.levels.items())
    told = done.as_dict() | {"levels": levels}
    screen.lines([ANALYTICS_PHRASES["figures" if out else "would"].in_(lang).format(**told)])
    screen.lines([ANALYTICS_PHRASES["levels"].in_(lang).format(**told)])
    if out:
        screen.lines([ANALYTICS_PHRASES["measured"].in_(lang).format(**told)])


def _utc(day: datetime | None) -> datetime | None:
    return None if day is None else day.replace(tzinfo=UTC)
