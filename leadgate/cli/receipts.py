"""Receipts: the person's own copy of a consent, and of its withdrawal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leadgate.cli.root import Actor, Json, Lang, app, screen
from leadgate.cli.root import ledger_house as house
from leadgate.document_phrases import phrase
from leadgate.wiring.documents import Issued
from schemas.vocabulary import Language

receipt = typer.Typer(
    name="receipt",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="The person's copy of a consent or a withdrawal: PDF, HTML and JSON, each with its offline proof.",
)
app.add_typer(receipt, rich_help_panel="People")

To = Annotated[Path, typer.Option("--to", help="Where to write: this name with .pdf, .html, .json and the proofs beside.")]
Paper = Annotated[
    Language | None,
    typer.Option("--paper", help="Language of the receipt; that of the text the person was shown, if not said."),
]
Identity = Annotated[
    bool, typer.Option("--with-identity", help="Print name and contacts of the person; the log keeps that they were opened.")
]
Alone = Annotated[bool, typer.Option("--without-quorum", help="Do without the witnesses' signatures; the receipt says so.")]


@receipt.command()
def consent(
    word: Annotated[str, typer.Argument(help="Id of the consent, or of a lead, delivery or submission.", metavar="CONSENT")],
    to: To,
    actor: Actor,
    paper: Paper = None,
    lang: Lang = Language.EN,
    *,
    with_identity: Identity = False,
    without_quorum: Alone = False,
    as_json: Json = False,
) -> None:
    """What somebody agreed to: with whom, for what, shown which text, how to take it back, and the proof.

    Without `--with-identity` it names the person by a random number only. Files are readable by you alone.
    """
    with house() as opened, screen.working(phrase("receipt_working", lang)):
        opened.seal()
        done = opened.documents.receipt(
            "consent", word, to, actor=actor, language=paper, with_identity=with_identity, alone=without_quorum
        )
    _told(done, lang, as_json=as_json)


@receipt.command()
def withdrawal(
    word: Annotated[str, typer.Argument(help="Id of the withdrawal, or of a person for their latest.", metavar="WITHDRAWAL")],
    to: To,
    actor: Actor,
    paper: Paper = None,
    lang: Lang = Language.EN,
    *,
    with_identity: Identity = False,
    without_quorum: Alone = False,
    as_json: Json = False,
) -> None:
    """What became of a withdrawal: what was stopped, who was told, what each of them answered, and the proof.

    It says how things stand now. Make another one when more recipients have answered.
    """
    with house() as opened, screen.working(phrase("receipt_working", lang)):
        opened.seal()
        done = opened.documents.receipt(
            "withdrawal", word, to, actor=actor, language=paper, with_identity=with_identity, alone=without_quorum
        )
    _told(done, lang, as_json=as_json)


def _told(done: Issued, lang: Language, *, as_json: bool) -> None:
    if as_json:
        screen.document(
            {
                "receipt_id": done.receipt_id,
                "files": [str(each) for each in done.files],
                "sha256": done.sha256,
                "quorum": done.facts.quorum,
                "complete": done.facts.withdrawal.complete if done.facts.withdrawal else None,
            }
        )
        return
    said = [phrase("receipt_written", lang, count=len(done.files)), *(f"  {each}" for each in done.files)]
    if done.facts.withdrawal is not None and not done.facts.withdrawal.complete:
        said.append(phrase("receipt_open", lang))
    if not done.facts.quorum:
        said.append(phrase("receipt_alone", lang))
    if done.facts.iso27560_lacks:
        said.append(phrase("receipt_lacks", lang, places=", ".join(done.facts.iso27560_lacks)))
    screen.lines([*said, phrase("receipt_digest", lang, digest=done.sha256)])
