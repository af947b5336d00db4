from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element

import pytest
from defusedxml.ElementTree import fromstring

from benchmarks.charts import svg
from benchmarks.report import section_text, write
from benchmarks.sampler import ROOT, stage_of
from benchmarks.tables import FULL, Bars, Curves, Section, Series, Table, number

CURVES = Curves("growth", "Growth & more", "companies", "ms", [Series("a < b", [(1, 0.5), (1_000, 200)])])
BARS = Bars("bars", "Bars", "ms", [("one", 1.0), ("none", 0.0)])
SECTION = Section("It", "How.", [Table(("", "ms"), [("one", "1.5")])], [CURVES, BARS], ["wrk is not installed."])


def texts(drawn: str) -> set[str]:
    root: Element = fromstring(drawn)
    return {element.text or "" for element in root.iter()}


def test_the_report_has_every_table_chart_and_what_was_left_out(tmp_path: Path) -> None:
    write(tmp_path / "report.md", [SECTION], Table(("", ""), [("processor", "made up")], "Machine"), FULL, 60)
    text = (tmp_path / "report.md").read_text()
    assert "| one | 1.5 |" in text
    assert "| processor | made up |" in text
    assert "Left out: wrk is not installed." in text
    assert "![Growth & more](growth.svg)" in text
    assert {path.name for path in tmp_path.glob("*.svg")} == {"growth.svg", "bars.svg"}


def test_in_short_a_section_is_its_tables() -> None:
    assert section_text(SECTION).splitlines() == [
        *("## It", "", "|  | ms |", "| --- | ---: |", "| one | 1.5 |", "", "Left out: wrk is not installed.")
    ]


def test_a_chart_names_its_axes_and_series() -> None:
    assert {"Growth & more", "companies", "ms", "a < b", "1,000"} <= texts(svg(CURVES))
    assert {"Bars", "one", "none", "1.00"} <= texts(svg(BARS))


@pytest.mark.parametrize("logarithmic", [True, False])
def test_curves_stay_within_their_axes(logarithmic) -> None:
    curves = Curves("c", "c", "x", "y", [Series("s", [(3, 0.07), (41, 17), (999, 23)])], logarithmic=logarithmic)
    points = [line for line in fromstring(svg(curves)).iter() if line.tag.endswith("circle")]
    assert len(points) == 3
    assert all(70 <= float(one.get("cx")) <= 520 and 44 <= float(one.get("cy")) <= 368 for one in points)


@pytest.mark.parametrize(
    ("value", "written"),
    [(0, "0"), (0.01234, "0.0123"), (1.5, "1.50"), (12.34, "12.3"), (9_540.2, "9,540"), (-0.5, "-0.500")],
)
def test_a_figure_keeps_three_digits(value: float, written: str) -> None:
    assert number(value) == written


@pytest.mark.parametrize(
    ("file", "stage"),
    [
        (f"{ROOT}/connectors/mapping.py", "map rows"),
        (f"{ROOT}/connectors/anything.py", "call agencies"),
        (f"{ROOT}/connectors/turns.py", None),
        (f"{ROOT}/gateway/pipeline.py", "from stage to stage"),
        (f"{ROOT}/gateway/receipt.py", "audit"),
        (f"{ROOT}/policies/publicity.py", "join"),
        (f"{ROOT}/.venv/lib/python3/site-packages/graphql/validation/validate.py", "validate"),
        ("/usr/lib/python3/json/decoder.py", "decode"),
        ("/usr/lib/python3/asyncio/tasks.py", None),
    ],
)
def test_a_function_counts_for_the_stage_that_names_its_module_most_closely(file: str, stage: str | None) -> None:
    assert stage_of(file) == stage
