"""Zhejiang's penalties: English camel case, ISO dates, yuan, words for codes."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Final

from gateway.demo.nation import Population
from gateway.demo.records.penalties import Penalty, Told, impose
from gateway.demo.vocabulary import ZHEJIANG

_TOLD: Final = (
    Told("everything", 40, "serious"),
    Told("everything", 30, "minor"),
    Told("holder", 200, "general"),
    Told("over_age", 700, "general"),
    Told("fined_elsewhere", 60, "general"),
    Told("disputed", 45, "general", disputed=True),
    Told("duplicate", 90, "serious"),
    Told("no_dates", 20, "serious"),
    Told("cross_held_a", 120, "serious"),
)
_KINDS: Final = {"warning": "WARN", "fine": "FINE", "confiscation": "CONFISCATE", "suspension": "SUSPEND"}


def write(population: Population, directory: Path) -> None:
    """Writes `penalties.json`, a list of the province's penalties."""
    rows = [_row(penalty) for penalty in impose(population, "33", ZHEJIANG, _TOLD, start=1)]
    twice = population.showcase["duplicate"].code
    rows += [row for row in rows if row["creditCode"] == twice]
    undated = population.showcase["no_dates"].code
    rows = [
        row | {"repairDate": "9999-9-9", "legalBasis": "暂无"} if row["creditCode"] == undated else row for row in rows
    ]
    (directory / "penalties.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")


def _row(penalty: Penalty) -> dict[str, object]:
    return {
        "id": f"ZJ{penalty.number:08d}",
        "creditCode": penalty.company.code,
        "companyName": penalty.company.name,
        "decisionNo": penalty.document_number,
        "penaltyDate": penalty.decided.isoformat(),
        "organ": penalty.authority,
        "penaltyType": _KINDS[penalty.kind],
        "severity": penalty.severity.upper(),
        "facts": penalty.facts,
        "legalBasis": penalty.legal_basis,
        "fineYuan": penalty.amount,
        "confiscatedYuan": penalty.confiscated,
        "responsiblePerson": penalty.responsible.name,
        "responsiblePersonId": penalty.responsible.identity_number,
        "informantName": penalty.informant.name,
        "repairDate": _or_null(penalty.repaired),
        "publicityStart": penalty.decided.isoformat(),
        "publicityEnd": penalty.published_until.isoformat(),
        "objection": penalty.disputed,
        "detailUrl": f"https://penalties.zhejiang.invalid/detail/ZJ{penalty.number:08d}",
    }


def _or_null(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
