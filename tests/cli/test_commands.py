"""What the command line answers, in words and in exit codes, as a real process that writes to no terminal."""

from __future__ import annotations

import json
import re

import pytest

from tests.cli.conftest import Day, Office

_COMMANDS = (
    "seal", "export", "verify", "trace", "check", "intake", "promise", "up", "keys", "ledger", "sandbox", "demo", "withdraw",
    "find", "erase", "retention", "collect", "admit", "dispatch", "plan", "balance", "quarantine", "readmit", "replay",
    "withdrawals",
)  # fmt: skip
_RUSSIAN = re.compile("[а-яё]", re.IGNORECASE)


def test_help_names_every_command(bare: Office) -> None:
    told = bare.run("--help")
    assert told.code == 0
    assert not [command for command in _COMMANDS if not re.search(rf"^\W*{command}\b", told.out, re.MULTILINE)]


# -- before anything is made --------------------------------------------------------------------------------------------------


def test_without_a_ledger_one_is_told_what_to_run(bare: Office) -> None:
    told = bare.run("balance")
    assert (told.code, told.out) == (2, "")
    assert "leadgate ledger upgrade" in told.err


def test_without_keys_one_is_told_what_to_run(bare: Office) -> None:
    told = bare.run("keys", "show")
    assert told.code == 2
    assert "leadgate keys init" in told.err


def test_nobody_looks_into_an_empty_ledger_beside_the_real_one(bare: Office) -> None:
    postgres = bare.folder / ".leadgate" / "postgres"
    postgres.mkdir(parents=True)
    try:
        for words in (("balance",), ("ledger", "upgrade")):
            told = bare.run(*words)
            assert told.code == 2
            assert "LEADGATE_DATABASE_URL" in told.err
    finally:
        postgres.rmdir()


def test_a_missing_connection_is_named_with_its_variable(bare: Office) -> None:
    told = bare.run("check")
    assert told.code == 1
    assert "AIRFLOW_CONN_LEADGATE_LADA_CRM" in told.out
    assert "AIRFLOW_CONN_LEADGATE_S7_CRM" in told.out, "each destination is looked at"


def test_a_missing_configuration_is_named(bare: Office) -> None:
    told = bare.run("--config", "nowhere.yaml", "balance")
    assert told.code == 2
    assert "nowhere.yaml" in told.err


def test_an_unknown_language_is_refused_with_the_known_ones(bare: Office) -> None:
    assert bare.run("balance", "--lang", "de").code == 2
    told = bare.run("balance", LEADGATE_LANG="de")
    assert told.code == 2
    assert "LEADGATE_LANG" in told.err


# -- a day's work -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("report", ["balance", "quarantine", "plan", "promise", "retention", "verify"])
def test_each_report_speaks_both_languages_and_json(day: Day, report: str) -> None:
    english, russian = day.office.run(report), day.office.run(report, LEADGATE_LANG="ru")
    assert (english.code, russian.code) == (0, 0)
    assert not _RUSSIAN.search(english.out)
    assert _RUSSIAN.search(russian.out)
    assert "\x1b" not in english.out, "no colours where nobody sees them"
    assert "…" not in english.out + russian.out, "nothing is cut"
    told = day.office.run(report, "--json")
    assert told.code == 0
    assert not _RUSSIAN.search(json.dumps(told.document(), ensure_ascii=False)), "JSON speaks words of code"


def test_the_balance_adds_up(day: Day) -> None:
    told = day.office.run("balance", "--lang", "ru")
    assert "получено 6 = допущено 3 + на разбор 2 + отказано 1" in told.out
    assert "Баланс сходится." in told.out
    document = day.office.run("balance", "--json").document()
    assert (document["received"], document["closes"]) == (6, True)
    assert document["deliveries"] == {"lada_call_center": {"accepted": 3}, "lada_crm": {"accepted": 3}}


def test_quarantine_says_which_row_and_who_mends_it(day: Day) -> None:
    told = day.office.run("quarantine", "--lang", "ru")
    assert re.search(r":4 .* invalid_field +phone ", told.out)
    assert "Модератор: исправьте поле" in told.out
    assert "unknown_notice (неизвестный текст согласия), 1" in told.out
    listed = day.office.run("quarantine", "--json").document()
    assert [finding["reason"] for each in listed for finding in each["findings"]] == ["invalid_field", "unknown_notice"]
    refused = day.office.run("quarantine", "--refused")
    assert "country_not_served" in refused.out


def test_readmit_and_replay_show_before_they_do(day: Day) -> None:
    told = day.office.run("readmit", "--reason", "unknown_notice")
    assert (told.code, told.out) == (0, "1 would go back; --yes does it\n")
    told = day.office.run("replay")
    assert (told.code, told.out) == (0, "0 would be replayed; --yes does it\n")


def test_replay_of_a_destination_that_is_none_is_refused(day: Day) -> None:
    told = day.office.run("replay", "--destination", "lada_calls", "--yes")
    assert told.code == 2
    assert "unknown_destination [--destination]" in told.err
    assert "lada_crm" in told.err, "those that are known are named"


@pytest.mark.parametrize("command", [("replay",), ("keys", "rotate"), ("evidence", "--period", "2026")])
def test_a_name_is_no_staff_reference(day: Day, command: tuple[str, ...]) -> None:
    told = day.office.run(*command, "--actor", "Мария Петрова")
    assert told.code == 2, "the operator mends it; it is no damage of the log"
    assert "bad_actor [--actor]" in told.err
    assert "Петрова" not in told.err


def test_from_a_phone_to_the_walk_of_a_lead(day: Day) -> None:
    phone = str(day.good[0].document["phone"])
    told = day.office.run("find", "--brand", "lada", typed=f"{phone}\n")
    assert told.code == 0
    assert phone not in told.out + told.err
    (found,) = day.office.run("find", "--brand", "lada", "--json", typed=f"{phone}\n").document()
    assert found["person"] in told.out
    (lead,) = found["leads"]
    walk = day.office.run("trace", lead, "--lang", "ru")
    assert walk.code == 0
    assert re.search(r"текст согласия lada-contact версии \d, дано \d{4}-\d\d-\d\dT[\d:]+Z", walk.out)
    assert "Передано получателю lada_call_center и принято с целью callback" in walk.out
    events = [each["leaf"]["event"] for each in day.office.run("trace", lead, "--json").document()]
    assert day.office.run("trace", day.office.recorded(lead), "--lang", "ru").out == walk.out, "known by the recipient's record"
    assert events == ["submission.received", "lead.admitted", "delivery.accepted", "delivery.accepted"]


def test_what_nobody_knows_is_said(day: Day) -> None:
    told = day.office.run("find", "--brand", "lada", "--lang", "ru", typed="+7 900 000-99-99\n")
    assert (told.code, told.out) == (1, "")
    assert "никто не известен" in told.err
    assert day.office.run("trace", "nobody").code == 2
    assert day.office.run("erase", "--actor", "officer-1", "--person", "nobody").code == 2
    told = day.office.run("find", "--brand", "lado", typed="+7 900 000-99-99\n")
    assert told.code == 2
    assert "lada, s7" in told.err
    told = day.office.run("find", "--brand", "lada", "--lang", "ru", typed="neither-nor\n")
    assert told.code == 2
    assert "не номер телефона" in told.err
    assert "neither-nor" not in told.err


def test_a_withdrawal_shows_first_and_stands_in_the_walk(day: Day) -> None:
    phone = f"{day.good[1].document['phone']}\n"
    (found,) = day.office.run("find", "--brand", "lada", "--json", typed=phone).document()
    words = ("withdraw", "--brand", "lada", "--actor", "officer-1")
    told = day.office.run(*words, "--lang", "ru", typed=phone)
    assert told.code == 0
    assert "lada_crm, crm_followup: прекратить использование, затем уничтожить" in told.out
    assert "Пока ничего не записано" in told.out
    shown = day.office.run(*words, "--json", typed=phone).document()
    assert (shown["recorded"], shown["persons"]) == (False, [found["person"]])
    assert shown["tells"][0] == {"destination": "lada_call_center", "purpose": "callback", "asks": ["suppress", "erase"]}
    assert day.office.run("withdrawals", "show", found["person"]).code == 2, "shown, not done"
    done = day.office.run(*words, "--json", "--yes", typed=phone).document()
    assert done["recipients"] == ["lada_call_center", "lada_crm"]
    walk = day.office.run("trace", found["leads"][0])
    assert "Consent withdrawn" in walk.out
    assert "must be told: lada_call_center, lada_crm" in walk.out


def test_what_recipients_answered_is_listed(day: Day) -> None:
    (first,) = day.office.run("withdrawals", "list", "--json").document()
    withdrawal = first["withdrawal_id"]
    assert not first["complete"]
    assert "2 being told" in day.office.run("withdrawals", "list", "--open").out
    told = day.office.run("withdrawals", "tell")
    assert told.code == 0
    assert "lada_crm: suppressed 1, erased 1" in told.out
    shown = day.office.run("withdrawals", "show", withdrawal, "--lang", "ru")
    assert "lada_call_center, callback: уничтожено получателем" in shown.out
    assert "срок, прекратить обработку: выполнен" in shown.out
    assert "срок, уничтожить после отзыва: до" in shown.out, "our own copy is still there"
    document = day.office.run("withdrawals", "show", withdrawal, "--json").document()
    assert {each["state"] for each in document["recipients"]} == {"erased"}
    assert "Every recipient has done" in day.office.run("withdrawals", "list", "--open").out
    assert "Nobody is to be told now" in day.office.run("withdrawals", "tell").out
    assert "Nobody here could be asked" in day.office.run("withdrawals", "retry", withdrawal, "--actor", "x", "--yes").out
    again = day.office.run(
        "withdrawals", "told-by-hand", document["recipients"][0]["delivery_id"], "--actor", "x", "--how", "letter"
    )
    assert again.code == 2, "who has done it needs no telling"


def test_a_withdrawal_of_nobody_is_recorded_with_the_moment_it_was_said(day: Day) -> None:
    words = ("withdraw", "--brand", "lada", "--actor", "officer-1", "--said-at", "2026-03-02")
    shown = day.office.run(*words, typed="+7 900 000-99-98\n")
    assert "check the spelling" in shown.out
    done = day.office.run(*words, "--yes", typed="+7 900 000-99-98\n")
    assert done.code == 0
    assert "check the spelling" in done.out
    (found,) = [each for each in day.office.run("withdrawals", "list", "--json").document() if not each["recipients"]]
    assert found["withdrawn_at"].startswith("2026-03-02 23:59:59")
    assert found["complete"]
    bad = day.office.run("withdraw", "--brand", "lada", "--actor", "o", "--said-at", "yesterday", typed="+7 900 000-99-98\n")
    assert (bad.code, "--said-at" in bad.err) == (2, True)


def test_erasing_shows_first_and_leaves_the_proof(day: Day) -> None:
    phone = f"{day.good[2].document['phone']}\n"
    (found,) = day.office.run("find", "--brand", "lada", "--json", typed=phone).document()
    words = ("erase", "--actor", "officer-1", "--person", found["person"])
    assert "`--yes` does it" in day.office.run(*words).out
    assert day.office.run("find", "--brand", "lada", typed=phone).code == 0, "shown, not done"
    told = day.office.run(*words, "--yes", "--lang", "ru")
    assert told.code == 0
    assert "ключ человека" in told.out
    assert "направляется требование её уничтожить: lada_call_center, lada_crm" in told.out
    assert day.office.run("find", "--brand", "lada", typed=phone).code == 1
    assert "erased before" in day.office.run(*words, "--yes").out
    assert "Уничтожено: ключ разрушен" in day.office.run("trace", found["leads"][0], "--lang", "ru").out


def test_an_auditor_checks_the_export_with_the_public_key_alone(day: Day, bare: Office) -> None:
    assert day.office.run("seal").code == 0
    folder = day.office.folder / "audit"
    assert day.office.run("export", str(folder)).code == 0
    assert day.office.run("export", str(folder)).code != 0, "never overwritten"
    key = day.office.run("keys", "show").out.splitlines()[0]
    told = bare.run("verify", str(folder), "--key", key, "--lang", "ru")
    assert (told.code, "нарушений не найдено" in told.out) == (0, True)
    leaves = folder / "leaves.jsonl"
    leaves.write_text(
        leaves.read_text(encoding="utf-8").replace("lada_crm:crm_followup", "lada_crm:callback_xx", 1), encoding="utf-8"
    )
    told = bare.run("verify", str(folder), "--key", key, "--lang", "ru")
    assert told.code == 4
    assert "НАЙДЕНО leaf_changed: запись журнала" in told.out
    assert told.out.endswith("НЕ подтверждено: остановитесь и сообщите ответственному за журнал\n")
    document = bare.run("verify", str(folder), "--key", key, "--json").document()
    assert not document["ok"]
    assert {"leaf_changed", "file_changed"} <= {each["code"] for each in document["findings"]}
    assert bare.run("verify", str(folder)).code == 2, "no key, no verdict"
    assert bare.run("verify", str(folder / "nowhere"), "--key", key).code == 2


def test_no_answer_so_far_named_anybody(day: Day) -> None:
    said = "".join([*day.office.said, day.office.run("retention").out])
    assert not [value for lead in (*day.good, *day.bad) for value in lead.telling() if value in said]
