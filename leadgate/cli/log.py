"""Commands for the log beyond the ledger: what others see of it, who vouches for it, and the proof of a single entry."""

from __future__ import annotations

import re
import signal
import tempfile
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from consent.audit import checkpoint as checkpoints
from consent.audit.findings import Report
from consent.audit.policy import Policy
from consent.audit.verify import verify
from leadgate.cli.evidence import report_document
from leadgate.cli.root import Actor, Json, Lang, app, screen
from leadgate.cli.root import ledger_house as house
from leadgate.log_phrases import status_lines
from leadgate.pipeline.mirror import mirror
from leadgate.rendering import counts_line, report_lines
from schemas.errors import ConfigurationError
from schemas.vocabulary import Language

#: Exit code of a log that does not verify.
_NOT_VERIFIED = 4

log = typer.Typer(
    help=(
        "The log as others see it: published tiles, witnesses, proofs.\n\n"
        "Sealing publishes by itself. Any web server may serve the folder (leadgate.yaml, `log.publish_to`); with its address,"
        " the public keys and the policy anybody can audit it with tools that are not ours (C2SP tlog-tiles)."
    ),
    no_args_is_help=True,
)
app.add_typer(log, name="log", rich_help_panel="Evidence")

Yes = Annotated[bool, typer.Option("--yes", help="Do it; without this it is only said what would be done.")]
_DAYS = re.compile(r"([0-9]{1,5})d")


@log.command("status")
def log_status(lang: Lang = Language.EN, *, as_json: Json = False) -> None:
    """Show how large the log is, what waits, what is published, and who cosigned it when. Exit 1 if the quorum is missing."""
    with house() as opened:
        status = opened.logbook.status()
    if as_json:
        screen.document(status.as_dict())
    else:
        screen.lines(status_lines(status, lang))
    if not status.quorum or status.alarms:
        raise typer.Exit(1)


@log.command("publish")
def log_publish(
    *,
    whole: Annotated[
        bool, typer.Option("--whole", help="Write every file again from the ledger, whatever stands there.")
    ] = False,
) -> None:
    """Bring the published folder up to the newest checkpoint. Sealing does it; this repairs a folder that was damaged."""
    with house() as opened, screen.working("publishing ..."):
        done = opened.logbook.publish(whole=whole)
        gathered = opened.logbook.cosign()
        if gathered.asked:
            done = opened.logbook.publish()
    screen.out.print(counts_line("published", done.as_dict()))
    if gathered.witnesses:
        screen.out.print(counts_line("cosigned", gathered.as_dict()))


@log.command("follow")
def log_follow() -> None:
    """Seal, publish and ask the witnesses within seconds of every entry, until Ctrl-C. `leadgate up` runs this beside Airflow.

    The DAG leadgate_seal does the same every minute; both at once are harmless. Ends with exit code 4 if a person must look.
    """
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    with house() as opened:
        screen.err.print("following the log; Ctrl-C ends it")
        opened.logbook.follow(over.wait)


@log.command("audit")
def log_audit(
    place: Annotated[
        str | None,
        typer.Argument(help="A folder, or the address of a web server; the folder that is published here if none is named."),
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="A C2SP tlog-policy file: keys, witnesses, quorum. Get it by another way than the log.")
    ] = None,
    trusted: Annotated[Path | None, typer.Option(help="A checkpoint you kept from an earlier audit.")] = None,
    minimum: Annotated[int, typer.Option(help="The first entry that must still be there; earlier ones may be pruned.")] = 0,
    lang: Lang = Language.EN,
    *,
    as_json: Json = False,
) -> None:
    """Audit a published log as a stranger would: every entry, every tile, signatures, quorum. Exit 4 if anything is wrong.

    With a place and a policy it needs no ledger, no key and no leadgate.yaml.
    """
    with screen.working("auditing ..."):
        report = _live() if place is None else _elsewhere(place, policy, trusted, minimum)
    if as_json:
        screen.document(report_document(report))
    else:
        screen.lines(report_lines(report, lang))
    if not report.ok:
        raise typer.Exit(_NOT_VERIFIED)


def _live() -> Report:
    with house() as opened:
        return opened.logbook.audit()


def _elsewhere(place: str, policy: Path | None, trusted: Path | None, minimum: int) -> Report:
    if policy is None:
        raise ConfigurationError("no_policy", "a log is audited with its keys: give the policy file", field="--policy")
    rules = Policy.parse(_read(policy, "--policy"))
    kept = checkpoints.verify(_read(trusted, "--trusted"), rules.log_keys) if trusted else None
    with tempfile.TemporaryDirectory(prefix="leadgate-audit-") as copy:
        folder = Path(place)
        if "://" in place:
            folder = Path(copy)
            mirror(place, folder, rules.log_keys, minimum=minimum)
        elif not folder.is_dir():
            raise ConfigurationError("no_folder", "there is no such folder", field="PLACE")
        return verify(folder, rules.log_keys, policy=rules, trusted=kept, minimum=minimum, now=datetime.now(UTC))


@log.command("proof")
def log_proof(
    word: Annotated[
        str, typer.Argument(help="Id of a lead, delivery, submission, person or case, or the external id at a recipient.")
    ],
    folder: Annotated[Path, typer.Option("--to", help="Folder to write to; made if missing.", metavar="DIR")] = Path(),
    *,
    alone: Annotated[
        bool, typer.Option("--alone", help="Under the newest checkpoint, even if the quorum of witnesses has not seen it.")
    ] = False,
) -> None:
    """Write the offline proof of each log entry about somebody, for any C2SP tool: `leaf-N.json` and `leaf-N.tlog-proof`."""
    with house() as opened:
        found = opened.logbook.proofs_of(word, alone=alone)
    if not found:
        raise ConfigurationError("unknown_word", "the log has no ordered entry about it; 'leadgate seal' orders", field="WORD")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for each in found:
            (folder / f"leaf-{each.index}.json").write_bytes(each.leaf)
            (folder / each.file_name).write_bytes(each.proof)
    except OSError:
        raise ConfigurationError("not_written", "the folder cannot be written", field="--to") from None
    screen.out.print(f"{len(found)} proofs in {folder}", markup=False)
    if not all(each.quorum for each in found):
        screen.err.print("the quorum of witnesses has not seen this checkpoint: it convinces nobody who does not trust you")


@log.command("prune")
def log_prune(
    before: Annotated[
        str, typer.Option(help="A day (2026-01-31) or an age (365d): entries sealed before it go.", metavar="WHEN")
    ],
    actor: Actor = "officer",
    *,
    yes: Yes = False,
) -> None:
    """Stop publishing old entries and their tiles. The ledger keeps them; every proof of later entries stays possible."""
    with house() as opened:
        done = opened.logbook.prune(before=_moment(before, opened.clock()), actor=actor, apply=yes)
    screen.out.print(counts_line("pruned" if yes else "would prune (--yes does it)", done.as_dict()))


@log.command("recover")
def log_recover(actor: Actor = "officer", *, yes: Yes = False) -> None:
    """After a backup was restored: take back the entries that the ledger lost, from the published folder, proven by its roots.

    Until then nothing is sealed: whatever a shortened log signed would be a second history, and witnesses would refuse it.
    """
    with house() as opened:
        done = opened.logbook.recover(actor=actor, apply=yes)
    screen.out.print(counts_line("recovered" if yes else "would recover (--yes does it)", done.as_dict()))


@log.command("keys")
def log_keys(
    *,
    add_post_quantum: Annotated[
        bool,
        typer.Option("--add-post-quantum", help="First give an older log its ML-DSA-44 key; the old key goes on signing."),
    ] = False,
) -> None:
    """Print the log's public keys, one a line, for witnesses and auditors. Hand them over by another way than the log."""
    from leadgate.wiring.keys import add_log_key  # noqa: PLC0415 - only here

    with house() as opened:
        if add_post_quantum and add_log_key(opened.settings) is None:
            screen.err.print("the log has its ML-DSA-44 key already")
        screen.out.print("".join(f"{key}\n" for key in opened.logbook.keys), end="", markup=False)


@log.command("policy")
def log_policy() -> None:
    """Print the keys, the witnesses and the quorum as a C2SP tlog-policy: the file an auditor's tool is given.

    Hand it over by another way than the log: it says whom an auditor believes.
    """
    with house() as opened:
        screen.out.print(opened.logbook.policy_text(), end="", markup=False)


def _read(path: Path, option: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise ConfigurationError("unreadable_file", "the file is missing or cannot be read", field=option) from None


def _moment(word: str, now: datetime) -> datetime:
    age = _DAYS.fullmatch(word)
    if age is not None:
        return now - timedelta(days=int(age[1]))
    try:
        moment = datetime.fromisoformat(word)
    except ValueError:
        raise ConfigurationError("bad_moment", "write a day as 2026-01-31 or an age as 365d", field="--before") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
