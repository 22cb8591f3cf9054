"""Commands for the compliance officer and the auditor: what happened, and the proof of it."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from consent.audit import trace as tracing
from consent.audit.checkpoint import verify as verify_checkpoint
from consent.audit.findings import Report
from consent.audit.note import VerifierKey
from consent.audit.policy import Policy
from consent.audit.verify import verify as verify_export
from leadgate.cli.root import Json, Lang, app, screen
from leadgate.cli.root import ledger_house as house
from leadgate.rendering import counts_line, report_lines
from schemas.errors import ConfigurationError
from schemas.vocabulary import Language

#: Exit code of a log that does not verify.
_NOT_VERIFIED = 4


@app.command(rich_help_panel="Evidence")
def seal() -> None:
    """Give pending log entries their place and sign a checkpoint."""
    with house() as opened, screen.working("sealing ..."):
        done = opened.seal()
    screen.out.print(counts_line("sealed", done.as_dict()))


@app.command(rich_help_panel="Evidence")
def verify(
    folder: Annotated[
        Path | None,
        typer.Argument(help="An audit export or a published log; the live ledger is exported first if none is named."),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(help="Public key of the log, or a file that holds it. Get it from the operator by another way."),
    ] = None,
    trusted: Annotated[Path | None, typer.Option(help="A checkpoint you kept from an earlier audit.")] = None,
    lang: Lang = Language.EN,
    *,
    policy: Annotated[
        Path | None, typer.Option(help="A C2SP tlog-policy file: the log's keys, witnesses, quorum. Got by another way, too.")
    ] = None,
    minimum: Annotated[
        int, typer.Option(min=0, help="Of a pruned published log: the first entry that must still be there.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Verify the log with a public key: signatures, every leaf, every record. Needs no database when a folder is named.

    Exit 0 only if nothing at all was found; otherwise each finding names its place, and the exit code is 4.
    """
    with screen.working("verifying ..."):
        report = _live() if folder is None else _exported(folder, key or [], trusted, policy=policy, minimum=minimum)
    if as_json:
        screen.document(report_document(report))
    else:
        screen.lines(report_lines(report, lang))
    if not report.ok:
        raise typer.Exit(_NOT_VERIFIED)


def _live() -> Report:
    with house() as opened:
        return opened.verify()


def _exported(folder: Path, key: list[str], trusted: Path | None, *, policy: Path | None, minimum: int) -> Report:
    if not folder.is_dir():
        raise ConfigurationError("no_export", "there is no such folder", field="FOLDER")
    rules = Policy.parse(_read(policy, "--policy")) if policy else None
    keys = [VerifierKey.parse(line) for each in key for line in _line(each).splitlines()]
    keys += rules.log_keys if rules else ()
    if not keys:
        raise ConfigurationError("no_key", "an export is verified with the log's public key", field="--key")
    kept = verify_checkpoint(_read(trusted, "--trusted"), keys) if trusted else None
    return verify_export(folder, keys, trusted=kept, policy=rules, minimum=minimum, now=datetime.now(UTC))


def report_document(report: Report) -> dict[str, object]:
    """What `--json` prints of a verification."""
    point = report.checkpoint
    return {
        "ok": report.ok,
        "origin": report.origin,
        "checkpoint": {"size": point.size, "root": point.root.hex()} if point else None,
        **{name: getattr(report, name) for name in ("leaves", "sealed", "pruned", "witnesses")},
        **{name: getattr(report, name) for name in ("leads", "erased", "deliveries", "consents")},
        "findings": [asdict(each) for each in report.findings],
        "unlisted": report.unlisted,
    }


@app.command(rich_help_panel="Evidence")
def trace(
    lead: Annotated[
        str, typer.Argument(help="Id of a lead, a delivery or a submission, or the external id in a recipient's record.")
    ],
    lang: Lang = Language.EN,
    *,
    as_json: Json = False,
) -> None:
    """Tell one lead's walk from the log: when, decided how, under which consent, sent where, which fields. Never who it was."""
    with house() as opened:
        leaves = opened.leaves_of(lead)
    if not leaves:
        raise ConfigurationError("unknown_lead", "the log knows no such lead", field="LEAD")
    if as_json:
        screen.document([{"index": index, "leaf": json.loads(leaf)} for index, leaf in leaves])
    else:
        screen.out.print(tracing.render(leaves, language=lang), markup=False)


def _line(word: str) -> str:
    """A key as given, or the lines of the file it names."""
    path = Path(word)
    try:
        return _read(path, "--key").strip() if path.is_file() else word
    except OSError:  # an ML-DSA-44 key is longer than any file name may be
        return word


def _read(path: Path, option: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError("unreadable_file", "the file is missing or is no text", field=option) from None
