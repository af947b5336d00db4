"""The environment office's yearly credit evaluations: English, colours for grades, and moments in UTC for dates.

Midnight in China is 16:00 of the day before in UTC: who cuts the moment after ten characters is a day early.
"""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Final

from gateway.demo.chance import happens, stream
from gateway.demo.nation import Company, Population

_EVALUATED: Final = (
    "everything",
    "holder",
    "clean",
    "over_age",
    "many_penalties",
    "lower_case",
    "full_width",
    "no_dates",
    "cross_held_a",
    "cross_held_b",
)
_A_DAY: Final = timedelta(days=1)
_COLOURS: Final = ("GREEN", "BLUE", "YELLOW", "RED", "BLACK")


def write(population: Population, directory: Path) -> None:
    """Writes `evaluations.json`: the moment of the data (`updatedAt`) and the enterprises with their evaluations."""
    draw, last = stream(population.seed, "environment"), population.last_rated_year
    evaluated = [*population.cast(*_EVALUATED), *(each for each in population.ordinary if happens(draw, 30))]
    office = {
        "updatedAt": f"{population.today - _A_DAY}T18:00:00+08:00",
        "enterprises": [
            {
                "uscc": company.code,
                "name": company.name,
                "evaluations": [_evaluation(population, draw, company, last - back) for back in range(2)],
            }
            for company in evaluated
        ],
    }
    (directory / "evaluations.json").write_text(json.dumps(office, ensure_ascii=False), encoding="utf-8")


def _evaluation(population: Population, draw: Random, company: Company, year: int) -> dict[str, object]:
    evaluated = date(year + 1, 6, draw.randint(1, 30))
    undated = company is population.showcase["no_dates"]
    return {
        "id": f"ENV-{year}-{company.organisation_code}",
        "evaluationYear": year,
        "colour": draw.choices(_COLOURS, (30, 45, 15, 8, 2))[0],
        "evaluatedAt": "1900-01-01T00:00:00+08:00" if undated else f"{evaluated - _A_DAY}T16:00:00Z",
        "bureau": {"name": f"{company.division.city}生态环境局（演示）", "region": company.division.code[:4]},
        "score": round(draw.uniform(40, 100), 1),
        "complaintCount": None if undated else draw.choice((0, 0, 0, 1, 2, 5, 12)),
        "underObjection": False,
    }
