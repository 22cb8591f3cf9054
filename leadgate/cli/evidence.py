"""Commands for the compliance officer and the auditor: what happened, and the proof of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from consent.audit import trace as tracing
from consent.audit.checkpoint import verify as verify_checkpoint
from consent.audit.findings import Report
from consent.audit.note import VerifierKey
from consent.audit.verify import verify as verify_export
from leadgate.cli.root import Lang, app, house, language, screen
from leadgate.rendering import counts_line
from schemas.errors import ConfigurationError
from schemas.vocabulary import Language

#: Exit code of a log that does not verify.
_NOT_VERIFIED = 4


@app.command(rich_help_panel="Evidence")
def seal() -> None:
    """Give pending log entries their place and sign a checkpoint."""
    with house() as opened:
        screen.out.print(counts_line("sealed", opened.seal().as_dict()))


@app.command(rich_help_panel="Evidence")
def export(target: Annotated[Path, typer.Argument(help="A folder that does not exist yet.")]) -> None:
    """Write the audit export for an auditor: every leaf, checkpoint and record digest; no personal data."""
    with house() as opened:
        done = opened.export(target)
        screen.out.print(f"{done.leaves} leaves, {done.checkpoints} checkpoints, {done.records} records", markup=False)


@app.command(rich_help_panel="Evidence")
def verify(
    folder: Annotated[
        Path | None, typer.Argument(help="An audit export; the live ledger is exported first if none is named.")
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(help="Public key of the log, or a file that holds it. Get it from the operator by another way."),
    ] = None,
    trusted: Annotated[Path | None, typer.Option(help="A checkpoint you kept from an earlier audit.")] = None,
) -> None:
    """Verify the log with a public key: signatures, every leaf, every record. Needs no database when a folder is named.

    Exit 0 only if nothing at all was found; otherwise each finding names its place, and the exit code is 4.
    """
    if folder is None:
        with house() as opened:
            report = opened.verify()
    else:
        if not key:
            raise ConfigurationError("no_key", "an export is verified with the log's public key", field="--key")
        keys = [VerifierKey.parse(_line(each)) for each in key]
        kept = verify_checkpoint(trusted.read_text(encoding="utf-8"), keys) if trusted else None
        report = verify_export(folder, keys, trusted=kept, now=datetime.now(UTC))
    _print(report)
    if not report.ok:
        raise typer.Exit(_NOT_VERIFIED)


@app.command(rich_help_panel="Evidence")
def trace(lead: Annotated[str, typer.Argument(help="Id of a lead.")], lang: Lang = "en") -> None:
    """Tell one lead's walk from the log: when, decided how, under which consent, sent where, which fields. Never who it was."""
    with house() as opened:
        leaves = opened.leaves_of(lead)
        if not leaves:
            raise ConfigurationError("unknown_lead", "the log knows no such lead", field="LEAD")
        screen.out.print(tracing.render(leaves, language=Language(language(lang))), markup=False)


def _line(word: str) -> str:
    """A key as given, or the line of the file it names."""
    path = Path(word)
    return path.read_text(encoding="utf-8").strip() if path.is_file() else word


def _print(report: Report) -> None:
    out = screen.out
    if report.checkpoint is not None:
        out.print(
            f"log {report.origin}: checkpoint of {report.checkpoint.size} leaves, root {report.checkpoint.root.hex()}",
            markup=False,
        )
    out.print(
        f"{report.leaves} leaves read, {report.sealed} under the signature, {report.leads} leads ({report.erased} erased),"
        f" {report.deliveries} deliveries, {report.consents} consents compared",
        markup=False,
    )
    for finding in report.findings:
        out.print(f"FOUND {finding.code}: {finding}", markup=False)
    if report.unlisted:
        out.print(f"and {report.unlisted} more of the same kinds")
    out.print("[bold green]verified: nothing was found[/]" if report.ok else "[bold red]NOT verified[/]", markup=True)
