"""Requests and clocks from the command line: in both languages, with dry runs, without an identifier on any screen."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Day, Office, Told

ACTOR = ("--actor", "officer-1")


def opened(office: Office, kind: str, *words: str, typed: str) -> str:
    """Open a request; its id."""
    told = office.run("request", "open", "--kind", kind, "--brand", "lada", *ACTOR, "--json", *words, typed=typed)
    assert told.code == 0, told.err
    case: str = told.document()["case"]
    return case


def steps(office: Office, case: str) -> dict[str, str]:
    """Step -> state."""
    return {each["step"]: each["state"] for each in office.run("request", "show", case, "--json").document()["steps"]}


def silent(told: Told, *values: str) -> None:
    for value in values:
        assert value not in told.out + told.err


def test_an_access_request_from_opening_to_closing(day: Day, tmp_path: Path) -> None:
    office, lead = day.office, day.good[0]
    typed = f"{lead.document['phone']}\n"
    said = office.run("request", "open", "--kind", "access", "--brand", "lada", *ACTOR, "--lang", "ru", typed=typed)
    assert said.code == 0, said.err
    silent(said, lead.document["phone"])
    assert "ответить на запрос" in said.out
    assert "152-FZ 20(1)" in said.out
    case = re.search(r"[0-9a-f]{8}-[0-9a-f-]{27}", said.out)
    assert case is not None
    case_id = case.group()

    listed = office.run("request", "list", "--lang", "ru")
    assert case_id in listed.out
    assert "составить ответ с данными" in listed.out

    dry = office.run("request", "step", case_id, *ACTOR)
    assert dry.code == 0, dry.err
    assert "Nothing was done" in dry.out
    assert steps(office, case_id)["report"] == "open"

    target = tmp_path / "answer"
    done = office.run("request", "step", case_id, *ACTOR, "--to", str(target), "--yes")
    assert done.code == 0, done.err
    silent(done, lead.document["given_name"])
    assert (tmp_path / "answer.pdf").stat().st_mode & 0o777 == 0o600
    assert lead.document["given_name"] in (tmp_path / "answer.json").read_text(encoding="utf-8")

    early = office.run("request", "close", case_id, *ACTOR, "--yes")
    assert early.code == 2
    assert "steps_left" in early.err
    assert office.run("request", "step", case_id, *ACTOR, "--reference", "out-2026-1", "--yes").code == 0
    assert office.run("request", "close", case_id, *ACTOR).code == 0
    assert office.run("request", "show", case_id, "--json").document()["state"] == "open", "a dry run closes nothing"
    closed = office.run("request", "close", case_id, *ACTOR, "--yes", "--lang", "ru")
    assert "исполнен" in closed.out
    shown = office.run("request", "show", case_id, "--lang", "ru")
    assert "выполнен" in shown.out
    assert office.run("seal").code == 0
    assert office.run("verify").code == 0


def test_who_is_known_and_who_is_not_is_told_the_same(day: Day) -> None:
    def answer(typed: str) -> str:
        said = day.office.run("request", "open", "--kind", "erasure", "--brand", "lada", *ACTOR, typed=typed)
        assert said.code == 0, said.err
        return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", said.out)

    assert answer(f"{day.good[1].document['phone']}\n") == answer("nobody@example.org\n")


def test_a_right_value_is_typed_unseen_and_checked(day: Day) -> None:
    lead = day.good[2]
    refused = day.office.run(
        "request", "open", "--kind", "rectification", "--brand", "lada", *ACTOR, "--set", "phone",
        typed=f"{lead.document['phone']}\n12\n",
    )  # fmt: skip
    assert refused.code == 2
    silent(refused, "12\n")
    assert "bad_value [phone]" in refused.err
    unknown = day.office.run(
        "request", "open", "--kind", "rectification", "--brand", "lada", *ACTOR, "--set", "moderator",
        typed=f"{lead.document['phone']}\nx\n",
    )  # fmt: skip
    assert "not_correctable" in unknown.err
    case = opened(day.office, "rectification", "--set", "city", typed=f"{lead.document['phone']}\nInventedville\n")
    done = day.office.run("request", "step", case, *ACTOR, "--yes")
    assert done.code == 0, done.err
    silent(done, "Inventedville")
    assert steps(day.office, case)["correct"] == "done"
    assert day.office.run("request", "step", case, *ACTOR).code == 0
    sent = day.office.run("request", "step", case, *ACTOR, "--yes")
    assert sent.code == 0, sent.err
    told = day.office.run("request", "told", case, "lada_call_center", "--how", "telephone", *ACTOR)
    assert told.code == 0, told.err


def test_what_makes_no_sense_is_refused(day: Day) -> None:
    office = day.office
    assert (
        "what_to_set"
        in office.run("request", "open", "--kind", "access", "--brand", "lada", *ACTOR, "--set", "city", typed="x\n").err
    )
    assert "unknown_brand" in office.run("request", "open", "--kind", "access", "--brand", "ladda", *ACTOR, typed="x\n").err
    assert "bad_phone" in office.run("request", "open", "--kind", "access", "--brand", "lada", *ACTOR, typed="x\n").err
    ahead = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    future = office.run(
        "request", "open", "--kind", "access", "--brand", "lada", *ACTOR, "--received-at", ahead, typed="a@example.org\n"
    )
    assert "in_future" in future.err
    assert "unknown_case" in office.run("request", "show", "0199f000-0000-7000-8000-000000000001").err
    naive = office.run(
        "request", "open", "--kind", "access", "--brand", "lada", *ACTOR, "--received-at", "2026-06-01", typed="a@example.org\n"
    )
    assert "bad_moment" in naive.err


@pytest.fixture
def quiet(tmp_path: Path) -> Office:
    """An office where nothing has happened yet."""
    office = Office(tmp_path, {})
    assert office.run("keys", "init").code == 0
    assert office.run("ledger", "upgrade").code == 0
    return office


def test_clocks_are_listed_by_urgency_and_an_overdue_one_is_an_exit_code(quiet: Office) -> None:
    empty = quiet.run("clocks", "--lang", "ru")
    assert (empty.code, "Сроков в работе нет" in empty.out) == (0, True)
    long_ago = (datetime.now(UTC) - timedelta(hours=30)).isoformat()
    started = quiet.run("clock", "start", "--brand", "lada", *ACTOR, "--at", long_ago, "--json").document()
    assert len(started) == 2
    quiet.run("clock", "start", "--brand", "lada", *ACTOR, "--kind", "subject_request")

    told = quiet.run("clocks", "--json")
    assert told.code == 1, "24 hours are over"
    found = told.document()
    assert (found["overdue"], found["open"], found["worst"]) == (1, 3, "overdue")
    assert found["running"][0]["state"] == "overdue"
    assert [each["seconds_left"] for each in found["running"]] == sorted(each["seconds_left"] for each in found["running"])
    shown = quiet.run("clocks", "--lang", "ru")
    assert "ПРОСРОЧЕН" in shown.out
    assert "+0300" in shown.out

    ids = [each["clock"] for each in started]
    assert quiet.run("clock", "met", *ids, *ACTOR).code == 0
    assert quiet.run("clocks", "--json").document()["open"] == 3, "a dry run meets nothing"
    assert quiet.run("clock", "met", *ids, *ACTOR, "--outcome", "rkn-1", "--yes").code == 0
    after = quiet.run("clocks", "--met", "5", "--json")
    assert after.code == 0
    assert sorted(each["state"] for each in after.document()["running"]) == ["met", "met_late", "running"]


def test_a_clock_is_extended_once_and_only_where_the_law_knows_it(quiet: Office) -> None:
    quiet.run("request", "open", "--kind", "access", "--brand", "lada", *ACTOR, typed="nobody@example.org\n")
    (request,) = quiet.run("clocks", "--json").document()["running"]
    words = ("clock", "extend", request["clock"], *ACTOR, "--reason", "volume", "--notice", "out-9")
    assert quiet.run(*words).code == 0
    assert not quiet.run("clocks", "--json").document()["running"][0]["extended"], "a dry run extends nothing"
    assert quiet.run(*words, "--yes").code == 0
    (moved,) = quiet.run("clocks", "--json").document()["running"]
    assert moved["due_at"] == request["latest_at"]
    assert "too_late" in quiet.run(*words, "--yes").err
    assert "not_by_hand" in quiet.run("clock", "met", request["clock"], *ACTOR, "--yes").err
    (notice, _) = quiet.run("clock", "start", "--brand", "lada", *ACTOR, "--json").document()
    assert (
        "no_extension"
        in quiet.run("clock", "extend", notice["clock"], *ACTOR, "--reason", "volume", "--notice", "out-9", "--yes").err
    )
    ahead = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert "in_future" in quiet.run("clock", "start", "--brand", "lada", *ACTOR, "--at", ahead).err
    assert json.loads(quiet.run("request", "list", "--json").out)[0]["kind"] == "access"
