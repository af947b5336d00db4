from __future__ import annotations

import asyncio
import logging
import warnings
from typing import Literal

import aiosqlite
import orjson
import pytest
import structlog

from gateway.logs import REQUEST_ID, TRACE_ID, configure_logging, outline

pytestmark = pytest.mark.usefixtures("restored_logging")


def lines(text: str) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in text.splitlines()]


def test_ours_and_the_libraries_records_are_json_lines_of_one_form(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "info")
    named, traced = REQUEST_ID.set("r1"), TRACE_ID.set("t1")
    structlog.stdlib.get_logger("gateway.x").info("ours", agency="tax")
    logging.getLogger("uvicorn.error").warning("theirs %s", 1)
    REQUEST_ID.reset(named)
    TRACE_ID.reset(traced)
    structlog.stdlib.get_logger("gateway.x").info("of no request")
    logging.getLogger("uvicorn.error").debug("too small")
    ours, theirs, other = lines(capsys.readouterr().err)
    assert {**ours, "timestamp": ""} == {
        "event": "ours", "agency": "tax", "request_id": "r1", "trace_id": "t1",
        "level": "info", "logger": "gateway.x", "timestamp": "",
    }  # fmt: skip
    assert (theirs["event"], theirs["level"], theirs["request_id"]) == ("theirs 1", "warning", "r1")
    assert other.keys().isdisjoint({"request_id", "trace_id"})


@pytest.mark.parametrize(("level", "expected"), [("debug", ["debug", "info"]), ("info", ["info"]), ("error", [])])
def test_the_level_is_that_of_our_lines(capsys: pytest.CaptureFixture[str], level: str, expected: list[str]) -> None:
    configure_logging("json", level)
    for name in ("gateway.x", "connectors.x"):
        structlog.stdlib.get_logger(name).debug("small")
        structlog.stdlib.get_logger(name).info("larger")
    assert [line["level"] for line in lines(capsys.readouterr().err)] == expected * 2


async def test_a_drivers_statements_stand_in_no_log_whatever_its_level(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "debug")
    async with aiosqlite.connect(":memory:") as database:
        await database.execute("select ?", ("91330106MA00000319",))
    assert "91330106MA00000319" not in capsys.readouterr().err


def test_warnings_are_lines_of_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        configure_logging("json", "info")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    (line,) = lines(capsys.readouterr().err)
    assert (line["logger"], line["level"]) == ("py.warnings", "warning")


@pytest.mark.parametrize("form", ["json", "console"])
def test_an_exception_is_logged_without_its_message(capsys: pytest.CaptureFixture[str], form: str) -> None:
    configure_logging("json" if form == "json" else "console", "info")
    for logger in (structlog.stdlib.get_logger("gateway.x"), logging.getLogger("asyncio")):
        try:
            dict[str, str]()["张三"]
        except KeyError:
            logger.exception("failed")
    shown = capsys.readouterr().err
    assert shown.count("KeyError < ") == 2
    assert "test_logs.py" in shown
    assert "张三" not in shown


async def test_the_outline_names_causes_and_every_exception_of_a_group() -> None:
    async def fails(error: Exception) -> None:
        raise error from OSError("张三")

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fails(KeyError("张三")))
            group.create_task(fails(ValueError("张三")))

    with pytest.raises(ExceptionGroup) as caught:
        await both()
    assert [text.split(" < ")[0] for text in outline(caught.value)] == [
        "ExceptionGroup", "KeyError", "OSError", "ValueError", "OSError",
    ]  # fmt: skip


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_text_forges_a_line_or_moves_the_cursor(form: Literal["json", "console"], capsys) -> None:
    configure_logging(form, "info")
    forged = "x\r\n2026-01-01T00:00:00Z [info] forged\x1b[2J\u2028\x85y"
    structlog.stdlib.get_logger("gateway.x").info("ours", drop=forged)
    structlog.stdlib.get_logger("gateway.x").info(forged)
    logging.getLogger("library").warning("theirs %s", forged)
    written = capsys.readouterr().err
    assert len(written.splitlines()) == 3
    assert written.replace("\n", "").isprintable()
