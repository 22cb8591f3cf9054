"""When a person may be called: by their own clock if their zone is known, else when it suits every zone they may be in."""

from __future__ import annotations

from datetime import UTC, datetime, time

import pytest

from consent.calling import window_text
from schemas.fields.zones import zones_of_phone
from schemas.policy import CallingWindow

WINTER, SUMMER = datetime(2026, 1, 15, 12, tzinfo=UTC), datetime(2026, 7, 15, 12, tzinfo=UTC)
DAY = CallingWindow(begin=time(9), end=time(21))
MINSK = CallingWindow(begin=time(9), end=time(21), zone="Europe/Minsk")


@pytest.mark.parametrize(
    ("window", "zones", "text"),
    [
        (DAY, ["Europe/Samara"], "09:00-21:00 Europe/Samara"),
        (DAY, ["Europe/Kaliningrad", "Asia/Kamchatka"], "07:00-09:00 UTC"),
        (DAY, ["America/New_York", "Pacific/Honolulu"], "19:00-02:00 UTC"),
        (DAY, ["Pacific/Kiritimati", "Pacific/Pago_Pago"], None),  # 25 hours apart
        (DAY, [], None),
        (MINSK, [], "09:00-21:00 Europe/Minsk"),
        (MINSK, ["Europe/Samara"], "09:00-21:00 Europe/Samara"),
        (DAY, ["Europe/Samara", "Nowhere/Atlantis"], "09:00-21:00 Europe/Samara"),
        (CallingWindow(begin=time(9, 30), end=time(18)), ["Asia/Kolkata", "Asia/Tokyo"], "04:00-09:00 UTC"),
    ],
)
def test_the_hours_that_suit(window: CallingWindow, zones: list[str], text: str | None) -> None:
    assert window_text(window, zones, now=WINTER) == text


def test_summer_time_moves_the_shared_hours() -> None:
    zones = ["Europe/Berlin", "Europe/London"]
    assert window_text(DAY, zones, now=WINTER) == "09:00-20:00 UTC"
    assert window_text(DAY, zones, now=SUMMER) == "08:00-19:00 UTC"


def test_a_number_names_the_zones_it_may_be_in() -> None:
    assert zones_of_phone("+12125550100") == ("America/New_York",)
    assert {"Europe/Moscow", "Asia/Vladivostok"} <= set(zones_of_phone("+79000000001")), "a mobile number may be anywhere"
    assert zones_of_phone("") == ()
    assert window_text(DAY, zones_of_phone("+79000000001"), now=WINTER) == "07:00-09:00 UTC"
