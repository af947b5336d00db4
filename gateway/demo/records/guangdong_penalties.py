"""Guangdong's penalties: pinyin initials, eight-digit dates, ten thousands of yuan, numbers for codes."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final

from gateway.demo.nation import Population
from gateway.demo.records.dirt import NO_TEXT, full_width, written_code
from gateway.demo.records.penalties import Penalty, Told, impose
from gateway.demo.vocabulary import GUANGDONG

_TOLD: Final = (
    Told("everything", 100, "serious"),
    Told("holder", 300, "serious"),
    Told("repaired", 150, "general", repaired_after=95),
    Told("lower_case", 70, "general"),
    Told("full_width", 80, "general"),
    Told("unreadable", 50, "general"),
    Told("unreadable", 55, "serious"),
    Told("cross_held_b", 110, "serious"),
    *(Told("many_penalties", 10 + 4 * number, "serious") for number in range(230)),
)
_KINDS: Final = {"warning": "1", "fine": "2", "confiscation": "3", "suspension": "5"}
_SEVERITIES: Final = {"minor": "01", "general": "02", "serious": "03"}
_NO_DATE: Final = "99990909"


def write(population: Population, directory: Path) -> None:
    """Writes `xzcf.json`, a list of the province's penalties."""
    rows = [_row(population, penalty) for penalty in impose(population, "44", GUANGDONG, _TOLD, start=70_000)]
    wide = full_width(population.showcase["full_width"].code)
    first_unreadable = next(row for row in rows if row["xydm"] == population.showcase["unreadable"].code)
    first_unreadable["cfjdrq"] = "20251399"
    for row in rows:
        if row["xydm"] == wide:
            row.update(cfjdrq=full_width(row["cfjdrq"]), fkje=full_width(row["fkje"]))
    (directory / "xzcf.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")


def _row(population: Population, penalty: Penalty) -> dict[str, str]:
    return {
        "lsh": f"{penalty.number:010d}",
        "xydm": written_code(population, penalty.company),
        "qymc": penalty.company.name,
        "jdswh": penalty.document_number,
        "cfjdrq": _eight(penalty.decided),
        "cfjg": penalty.authority,
        "cflb": _KINDS[penalty.kind],
        "qzcd": _SEVERITIES[penalty.severity],
        "wfss": penalty.facts,
        "cfyj": penalty.legal_basis,
        "fkje": _ten_thousands(penalty.amount),
        "msje": _ten_thousands(penalty.confiscated) if penalty.confiscated else NO_TEXT,
        "zrr": penalty.responsible.name,
        "zrrzjhm": penalty.responsible.identity_number,
        "jbr": penalty.informant.name,
        "xfrq": _eight(penalty.repaired),
        "gsqsrq": _eight(penalty.decided),
        "gsjzrq": _eight(penalty.published_until),
        "yybz": "1" if penalty.disputed else "0",
    }


def _eight(day: date | None) -> str:
    return _NO_DATE if day is None else f"{day:%Y%m%d}"


def _ten_thousands(yuan: int) -> str:
    return str(Decimal(yuan) / 10_000)
