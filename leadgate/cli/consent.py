"""Commands about consents: where they stand, since when, under which text; their records for a regulator. Nothing is opened."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from consent.json_ld import to_json_ld
from consent.standing import Answer
from leadgate.cli.root import Json, Lang, app, screen
from leadgate.cli.root import ledger_house as house
from leadgate.consent_phrases import phrase
from leadgate.pipeline.consents import ConsentBook, Overview
from leadgate.wiring.consents import book_of
from schemas.consent_event import ConsentEvent
from schemas.errors import ConfigurationError
from schemas.vocabulary import Language

consent = typer.Typer(
    help=(
        "Where consents stand, now or at any moment of the past, and their records after ISO/IEC TS 27560.\n\n"
        "A word names a person (as `find` prints it), a lead, or one consent record. Who the person is stands in no answer."
    ),
    no_args_is_help=True,
)
app.add_typer(consent, name="consent", rich_help_panel="Evidence")

At = Annotated[str | None, typer.Option("--at", help="The moment that is asked about (RFC 3339); now if not given.")]
JsonLd = Annotated[bool, typer.Option("--json-ld", help="Records as JSON-LD in the terms of the W3C Data Privacy Vocabulary.")]


@consent.command("show")
def show(
    word: Annotated[str, typer.Argument(help="Id of a person, a lead, or a consent record.", metavar="PERSON|LEAD|CONSENT")],
    at: At = None,
    known_at: Annotated[
        str | None,
        typer.Option("--known-at", help="Only what had been recorded by then: what could be known, not what was so."),
    ] = None,
    lang: Lang = Language.EN,
    *,
    as_json: Json = False,
    json_ld: JsonLd = False,
) -> None:
    """Say where a consent stood, on what that rests, and everything that became of it. Exit 1 if nobody ever had this id.

    With --json or --json-ld: the records themselves.
    """
    with house() as opened:
        book: ConsentBook = book_of(opened)
        moment = _moment(at, opened.clock(), "--at")
        known = None if known_at is None else _moment(known_at, opened.clock(), "--known-at")
        seen = book.overview(word, at=moment, known_at=known)
        if seen is None:
            raise typer.Exit(1)
        records = book.records(word, at=moment) if as_json or json_ld else []
    if json_ld:
        screen.document([to_json_ld(record) for record in records])
    elif as_json:
        screen.document(_document(seen) | {"records": records})
    else:
        screen.lines(_lines(seen, lang))


@consent.command("export")
def export(
    target: Annotated[Path, typer.Argument(help="A file that does not exist yet; one record a line.", metavar="FILE")],
    brand: Annotated[str | None, typer.Option(help="Only this brand.")] = None,
    at: At = None,
    lang: Lang = Language.EN,
    *,
    json_ld: JsonLd = False,
) -> None:
    """Write every consent record there is, for a regulator or another system. It says who agreed only by random ids."""
    with house() as opened, screen.working("exporting ..."):
        moment = _moment(at, opened.clock(), "--at")
        count = book_of(opened).export(target, at=moment, brand=brand, json_ld=json_ld)
    screen.lines([phrase("exported", lang, count=count, file=target)])


def _lines(seen: Overview, lang: Language) -> list[str]:
    lines = [phrase("consent_of", lang, person=seen.person_id, moment=_shown(seen.at))]
    for answer in seen.answers:
        standing, why = phrase(answer.standing.value, lang), phrase(f"why_{answer.why.value}", lang)
        lines.append(phrase("consent_line", lang, purpose=answer.purpose, standing=standing, why=why))
        if answer.notice is not None:
            lines.append(
                phrase(
                    "consent_under",
                    lang,
                    record=answer.consent_id,
                    notice=_notice(answer.notice),
                    policy=answer.policy_version or "-",
                )
            )
        if answer.since is not None:
            until = _shown(answer.until) if answer.until else "-"
            lines.append(phrase("consent_span", lang, since=_shown(answer.since), until=until))
    if seen.agreements:
        lines.append(phrase("records", lang))
    for each in seen.agreements:
        record = each.record
        notice = _notice((record.notice_id, record.notice_version, record.notice_language))
        lines.append(
            phrase(
                "record_line",
                lang,
                record=record.consent_id,
                given=_shown(record.given_at),
                notice=notice,
                purposes=", ".join(record.purposes),
            )
        )
    if seen.events:
        lines.append(phrase("events", lang))
    return [*lines, *(_event_line(event, lang) for event in seen.events)]


def _event_line(event: ConsentEvent, lang: Language) -> str:
    return phrase(
        "event_line",
        lang,
        moment=_shown(event.event_time),
        state=phrase(event.state.value, lang),
        purpose=event.purpose or phrase("all_purposes", lang),
        recorded=_shown(event.recorded_at),
        origin=event.origin.value,
        actor=event.actor,
    )


def _document(seen: Overview) -> dict[str, Any]:
    return {
        "person": seen.person_id,
        "brand": seen.brand,
        "at": _iso(seen.at),
        "standing": [_answer(answer) for answer in seen.answers],
        "events": [
            {
                "state": event.state.value,
                "purpose": event.purpose,
                "consent": event.consent_id,
                "at": _iso(event.event_time),
                "recorded_at": _iso(event.recorded_at),
                "origin": event.origin.value,
                "actor": event.actor,
            }
            for event in seen.events
        ],
    }


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "purpose": answer.purpose,
        "standing": answer.standing.value,
        "why": answer.why.value,
        "consent": answer.consent_id,
        "notice": None if answer.notice is None else _notice(answer.notice),
        "policy_version": answer.policy_version,
        "event": answer.event_id,
        "since": _iso(answer.since),
        "until": _iso(answer.until),
    }


def _notice(key: tuple[str, str, Language]) -> str:
    return f"{key[0]} {key[1]} ({key[2].value})"


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _shown(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def _moment(written: str | None, now: datetime, option: str) -> datetime:
    if written is None:
        return now
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        mend = "must be a moment with its offset, as in 2026-03-01T00:00:00+03:00"
        raise ConfigurationError("bad_moment", mend, field=option)
    return found
