from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Literal

import orjson
import pytest
import structlog

from gateway.logs import REQUEST_ID, configure_logging, outline


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def lines(text: str) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in text.splitlines()]


def test_ours_and_the_libraries_records_are_json_lines_of_one_form(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "info")
    named = REQUEST_ID.set("r1")
    structlog.stdlib.get_logger("gateway.x").info("ours", agency="tax")
    logging.getLogger("uvicorn.error").warning("theirs %s", 1)
    REQUEST_ID.reset(named)
    structlog.stdlib.get_logger("gateway.x").info("of no request")
    logging.getLogger("uvicorn.error").debug("too small")
    ours, theirs, other = lines(capsys.readouterr().err)
    assert {**ours, "timestamp": ""} == {
        "event": "ours", "agency": "tax", "request_id": "r1", "level": "info", "logger": "gateway.x", "timestamp": "",
    }  # fmt: skip
    assert (theirs["event"], theirs["level"], theirs["request_id"]) == ("theirs 1", "warning", "r1")
    assert "request_id" not in other


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
