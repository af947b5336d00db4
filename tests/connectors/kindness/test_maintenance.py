from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from connectors.kindness.declared import Treatment, Window
from connectors.kindness.maintenance import Maintenance

CHINA = "Asia/Shanghai"


def at(moment: str, zone: str = CHINA) -> float:
    return datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo(zone)).timestamp()


def is_under_way(window: dict[str, object], moment: str, zone: str = CHINA) -> bool:
    return Maintenance([Window.model_validate(window)], zone).is_under_way(at(moment, zone))


@pytest.mark.parametrize(
    ("window", "within", "without"),
    [
        ({"from": "01:00", "to": "03:30"}, ["2026-11-27 01:00", "2026-11-28 03:29:59"], ["00:59:59", "03:30"]),
        ({"from": "23:00", "to": "02:00"}, ["2026-11-27 23:00", "2026-11-27 01:59"], ["22:59", "02:00"]),
        # 2026-11-27 is a Friday.
        ({"days": ["fri"], "from": "01:00", "to": "03:00"}, ["2026-11-27 02:00"], ["2026-11-26 02:00"]),
        (
            {"days": ["fri"], "from": "23:00", "to": "02:00"},
            ["2026-11-27 23:30", "2026-11-28 01:30"],
            ["2026-11-27 01:30", "2026-11-28 23:30"],
        ),
        ({"from": "00:00", "to": "00:00", "days": ["sat", "sun"]}, ["2026-11-28 00:00", "2026-11-29 23:59"], ["12:00"]),
        (
            {"from": "2026-11-27 22:00", "to": "2026-11-29T06:00"},
            ["2026-11-27 22:00", "2026-11-29 05:59"],
            ["2026-11-27 21:59", "2026-11-29 06:00"],
        ),
    ],
)
def test_a_window_is_open_from_its_first_minute_until_the_one_that_ends_it(
    window: dict[str, object], within: list[str], without: list[str]
) -> None:
    for moment in within:
        assert is_under_way(window, moment), moment
    for moment in without:
        assert not is_under_way(window, moment if " " in moment else f"2026-11-27 {moment}"), moment


def test_times_are_of_the_agencys_zone_by_its_clock_in_summer_too() -> None:
    window = {"from": "02:00", "to": "04:00"}
    for day in ("2026-01-15", "2026-07-15"):
        assert is_under_way(window, f"{day} 03:00", "Europe/Berlin")
        assert not is_under_way(window, f"{day} 01:59", "Europe/Berlin")


def test_it_begins_and_ends_while_it_is_being_asked() -> None:
    maintenance = Maintenance([Window.model_validate({"from": "01:00", "to": "01:02"})], CHINA)
    seconds = range(0, 240, 15)
    open_at = [second for second in seconds if maintenance.is_under_way(at("2026-11-27 00:59") + second)]
    assert open_at == list(range(60, 180, 15))


@pytest.mark.parametrize(
    "window",
    [
        {"from": "1:00", "to": "03:00"},
        {"from": "01:00", "to": "24:00"},
        {"from": "01:00:30", "to": "03:00"},
        {"from": "01:00", "to": "2026-11-27 03:00"},
        {"from": "2026-11-27 03:00", "to": "2026-11-27 03:00"},
        {"from": "2026-11-31 03:00", "to": "2026-12-27 03:00"},
        {"from": "2026-11-27 03:00", "to": "2026-11-28 03:00", "days": ["mon"]},
        {"from": "01:00", "to": "03:00", "days": ["monday"]},
    ],
)
def test_what_is_no_window_is_refused(window: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Window.model_validate(window)


@pytest.mark.parametrize("zone", ["China", "Asia/Nowhere", "../../etc/passwd", ""])
def test_a_zone_that_nobody_knows_is_refused(zone: str) -> None:
    with pytest.raises(ValidationError, match="no time zone"):
        Treatment(zone=zone)
