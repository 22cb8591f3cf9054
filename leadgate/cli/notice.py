"""Commands about notices: what people are shown, in which version, since when. Refused: to change a text that was shown."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from leadgate.cli.root import Actor, Json, Lang, app, screen
from leadgate.cli.root import ledger_house as house
from leadgate.consent_phrases import phrase
from leadgate.rendering import Sheet
from leadgate.settings.editing import block_of
from leadgate.wiring.consent_desk import ConsentDesk, ListedNotice, NewNotice
from schemas.errors import ConfigurationError
from schemas.vocabulary import Language

notice = typer.Typer(
    help=(
        "What people are shown before they agree: versions, languages, purposes, and since when.\n\n"
        "A text that was shown never changes. Publish a new version with `add`; `retire` says from when nobody can agree to an"
        " old one. leadgate.yaml is the list; the ledger and the log remember each notice as it was published, and Leadgate"
        " does not start on one that was rewritten."
    ),
    no_args_is_help=True,
)
app.add_typer(notice, name="notice", rich_help_panel="Evidence")

#: Exit code of a notice that was rewritten: as of a log that does not verify.
_NOT_VERIFIED = 4
Brand = Annotated[str, typer.Option(help="The brand, as in leadgate.yaml.")]
Id = Annotated[str, typer.Option("--id", help="The notice, as consents name it.")]
Version = Annotated[str, typer.Option(help="The version.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it; without this only what would change is shown.")]


@notice.command("add")
def add(
    *,
    brand: Brand,
    notice_id: Id,
    version: Version,
    language: Annotated[Language, typer.Option(help="Language of the text.")],
    purpose: Annotated[list[str], typer.Option(help="A purpose the text names; once for each.")],
    text: Annotated[Path, typer.Option(help="The text, exactly as people see it, in UTF-8.")],
    actor: Actor,
    valid_from: Annotated[
        str | None, typer.Option("--from", help="From when it is shown (RFC 3339); now if not given.")
    ] = None,
    replaces: Annotated[str | None, typer.Option(help="The version that ends when this one begins.")] = None,
    renew_within: Annotated[
        str | None, typer.Option(help="With --requires-renewal: how long older consents stand, as in 14d.")
    ] = None,
    lang: Lang = Language.EN,
    requires_renewal: Annotated[
        bool, typer.Option("--requires-renewal", help="Consents under earlier versions become stale: people are asked anew.")
    ] = False,
    one_purpose: Annotated[bool, typer.Option("--one-purpose", help="The text asks for one purpose and nothing else.")] = False,
    yes: Yes = False,
) -> None:
    """Publish a notice: its text, its lines in leadgate.yaml (comments stay), its entry in the log."""
    with house() as opened:
        new = NewNotice(
            brand=brand,
            notice_id=notice_id,
            version=version,
            language=language,
            purposes=tuple(purpose),
            valid_from=_moment(valid_from, opened.clock(), "--from"),
            text=text,
            replaces=replaces,
            one_purpose=one_purpose,
            requires_renewal=requires_renewal,
            renew_within=renew_within,
        )
        file = opened.settings.path.name
        if not yes:
            keys, kept, _ = ConsentDesk(opened).block(new)
            screen.lines([phrase("would_add", lang, file=file, brand=brand), *block_of(keys)])
            screen.lines([phrase("would_copy", lang, file=kept)])
            return
        ConsentDesk(opened).add(new, actor=actor)
    screen.lines([phrase("notice_added", lang, notice=f"{notice_id} {version} ({language.value})", file=file)])
    screen.lines([phrase("restart", lang)])


@notice.command("retire")
def retire(
    *,
    brand: Brand,
    notice_id: Id,
    version: Version,
    actor: Actor,
    language: Annotated[Language | None, typer.Option(help="Only this language; all of them if none is named.")] = None,
    until: Annotated[str | None, typer.Option(help="From when nobody can agree to it (RFC 3339); now if not given.")] = None,
    lang: Lang = Language.EN,
    yes: Yes = False,
) -> None:
    """End a version: nobody can agree to it any more. Consents that were given before stand."""
    with house() as opened:
        at = _moment(until, opened.clock(), "--until")
        keys = [
            (one.notice_id, one.version, one.language.value)
            for one in ConsentDesk(opened).policy(brand).notices.values()
            if one.notice_id == notice_id and one.version == version and language in (None, one.language)
        ]
        if not keys:
            raise ConfigurationError("unknown_notice", "leadgate.yaml has no such notice; `leadgate notice list` names all")
        names = ", ".join(f"{key[0]} {key[1]} ({key[2]})" for key in keys)
        if not yes:
            screen.lines([phrase("would_retire", lang, moment=_shown(at), names=names)])
            return
        ConsentDesk(opened).retire(brand, keys, at, actor=actor)
    screen.lines([phrase("notice_retired", lang, moment=_shown(at), names=names), phrase("restart", lang)])


@notice.command("list")
def list_(
    brand: Annotated[str | None, typer.Option(help="Only this brand.")] = None,
    lang: Lang = Language.EN,
    *,
    as_json: Json = False,
) -> None:
    """List every notice there is or ever was here."""
    with house() as opened:
        found, now = ConsentDesk(opened).listed(brand), opened.clock()
    if as_json:
        screen.document([_document(one, now) for one in found])
        return
    headings = ("notice", "brand", "version", "language", "purposes", "valid_from", "valid_until", "state")
    sheet = Sheet(*(phrase(name, lang) for name in headings))
    for one in found:
        each = one.notice
        sheet.add(
            each.notice_id,
            one.brand,
            each.version,
            each.language.value,
            ", ".join(sorted(each.purposes)),
            _shown(each.valid_from),
            _shown(each.valid_until) if each.valid_until else "-",
            ", ".join(_states(one, now, lang)),
        )
    screen.out.print(sheet)


@notice.command("show")
def show(
    brand: Brand,
    notice_id: Id,
    version: Version,
    language: Annotated[Language, typer.Option(help="Language of the text.")],
    lang: Lang = Language.EN,
    *,
    as_json: Json = False,
) -> None:
    """Show one notice: its text as people saw it, its digest, and its place in the log."""
    with house() as opened:
        key = (notice_id, version, language)
        one = next((each for each in ConsentDesk(opened).listed(brand) if each.notice.key == key), None)
        if one is None:
            raise ConfigurationError("unknown_notice", "there is no such notice; `leadgate notice list` names all")
        place, now = ConsentDesk(opened).leaf_of(brand, one.notice), opened.clock()
    if as_json:
        screen.document(_document(one, now) | {"text": one.notice.text, "leaf": place})
        return
    each = one.notice
    screen.lines(
        [
            f"{each.notice_id} {each.version} ({each.language.value}), {one.brand}: {', '.join(_states(one, now, lang))}",
            f"{phrase('purposes', lang)}: {', '.join(sorted(each.purposes))}",
            f"{phrase('valid_from', lang)} {_shown(each.valid_from)}"
            + (f" {phrase('valid_until', lang)} {_shown(each.valid_until)}" if each.valid_until else ""),
            f"{phrase('digest', lang)}: {each.text_sha256}",
            f"{phrase('leaf', lang)}: {phrase('pending', lang) if place is None else f'#{place}'}",
            "",
            each.text.rstrip("\n"),
        ]
    )


@notice.command("verify")
def verify(lang: Lang = Language.EN, *, as_json: Json = False) -> None:
    """Compare every notice with what was published: in the file, in the ledger, in the log. Exit 4 names what was rewritten."""
    with house() as opened:
        count, wrong = ConsentDesk(opened).check()
    if as_json:
        screen.document(
            {"compared": count, "rewritten": [{"notice": str(each), "what": each.what, "where": each.where} for each in wrong]}
        )
    else:
        where = {each.where: phrase(f"where_{each.where}", lang) for each in wrong}
        screen.lines(phrase("notice_rewritten", lang, notice=each, where=where[each.where]) for each in wrong)
        if not wrong:
            screen.lines([phrase("notices_as_published", lang, count=count)])
    if wrong:
        raise typer.Exit(_NOT_VERIFIED)


def _states(one: ListedNotice, now: datetime, lang: Language) -> list[str]:
    each = one.notice
    words = [phrase(_state(one, now), lang)]
    if each.renewal_from is not None:
        words.append(phrase("asks_anew", lang, moment=_shown(each.renewal_from)))
    if each.one_purpose:
        words.append(phrase("alone", lang))
    return words if one.in_file else [*words, phrase("gone", lang)]


def _state(one: ListedNotice, now: datetime) -> str:
    if now < one.notice.valid_from:
        return "future"
    return "in_force" if one.notice.valid_until is None or now < one.notice.valid_until else "retired"


def _document(one: ListedNotice, now: datetime) -> dict[str, Any]:
    each = one.notice
    return {
        "brand": one.brand,
        "id": each.notice_id,
        "version": each.version,
        "language": each.language.value,
        "purposes": sorted(each.purposes),
        "valid_from": _iso(each.valid_from),
        "valid_until": _iso(each.valid_until),
        "renewal_from": _iso(each.renewal_from),
        "one_purpose": each.one_purpose,
        "text_sha256": each.text_sha256,
        "published_at": _iso(one.published_at),
        "state": _state(one, now),
        "in_file": one.in_file,
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _shown(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}Z"


def _moment(written: str | None, now: datetime, option: str) -> datetime:
    """A moment as the officer writes it, with its offset; now, to the second, if none is given."""
    if written is None:
        return now.replace(microsecond=0)
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        mend = "must be a moment with its offset, as in 2026-03-01T00:00:00+03:00"
        raise ConfigurationError("bad_moment", mend, field=option)
    return found
