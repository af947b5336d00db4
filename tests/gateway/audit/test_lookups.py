"""Who looked at a company, out of the log, as a source like any agency's."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Asker, FetchRequest, Outcome
from connectors.errors import ManifestInvalid
from connectors.kinds import GROUP, kinds
from connectors.manifest_file import load_manifests
from connectors.settings import SupplySettings
from connectors.supply import open_supply
from gateway.assembly import record_shapes
from gateway.audit import kind
from gateway.audit.database import DatabaseSink
from gateway.audit.files import FileSink, Rotation, part_file
from gateway.audit.log import AuditLog
from schema.credit_code import CreditCode
from schema.records import catalogue

ONE, OTHER, THIRD = (
    CreditCode.parse(code) for code in ("91330100TEXT00025M", "91330200TEXT00041G", "91440300TEXT000170")
)
DOCUMENTED = Path("docs/audit.md").read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
"""The manifest that the documentation shows."""
NOW = dt.datetime.now(dt.UTC)


@pytest.fixture(autouse=True)
def _kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The kind is found by its entry point, also where the project was installed before it had one."""
    kinds.cache_clear()
    if "audit-log" not in kinds().usable:
        about = tmp_path / "site" / "audit_log_kind-1.0.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: audit_log_kind\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[{GROUP}]\naudit-log = gateway.audit.kind:KIND\n")
        monkeypatch.syspath_prepend(str(about.parent))
    kinds.cache_clear()
    yield
    kinds.cache_clear()


def look(*companies: str, days: int = 1, purpose: str | None = "credit.underwriting", **more: Any) -> dict[str, Any]:
    return {
        "at": NOW - dt.timedelta(days=days),
        "organisation": "first-bank",
        "purpose": purpose,
        "outcome": "ANSWERED",
        "companies": companies,
        "classes": [{"bases": ["consent"], "companies": len(companies), "decisions": []}],
        **more,
    }


LOOKS = (
    look(ONE),
    look(ONE, OTHER),
    look(
        ONE,
        OTHER,
        classes=[
            {"codes": [ONE], "bases": [], "companies": 1, "decisions": []},
            {"codes": [OTHER], "bases": ["consent"], "companies": 1, "decisions": []},
        ],
    ),
    look(ONE, days=400),
    look(ONE, purpose="supervision.tax", organisation="tax-bureau-zhejiang"),
    look(ONE, outcome="REFUSED"),
    {"at": NOW, "outcome": "READ", "sought": {"company": ONE}},
)


async def looks_at(tmp_path: Path, log: str, *codes: CreditCode, manifest: str = DOCUMENTED) -> Any:
    (tmp_path / "manifests").mkdir(exist_ok=True)
    (tmp_path / "manifests" / "access-log.yaml").write_text(manifest)
    shapes = record_shapes(catalogue())
    supply = await open_supply(
        tuple(load_manifests(tmp_path / "manifests", shapes).values()),
        shapes,
        SupplySettings({"AUDIT_LOG": log}, cached_rows=0),
    )
    columns = frozenset({"lookedOn", "organisation", "purpose", "basis", "requests"})
    seconds = asyncio.get_running_loop().time() + 20
    request = FetchRequest("access-log/Lookup", codes, columns, {}, "", seconds, Asker("company", None, "r"))
    try:
        return await supply.fetch(request)
    finally:
        await supply.close()


@pytest.fixture(params=["file", "database"])
async def log(request: pytest.FixtureRequest, tmp_path: Path, make_database: Callable[[str], str]) -> str:
    """Where the looks are, those of two workers."""
    where = str(tmp_path / "audit.jsonl")
    if request.param == "database":
        where = make_database(f"lookups_{abs(hash(request.node.name))}").replace("postgresql:", "postgresql+asyncpg:")
    for part, records in (("-1", LOOKS[:2]), ("-2", LOOKS[2:])):
        sink = (
            DatabaseSink(where, f"xinqiao{part}", durable=False)
            if request.param == "database"
            else FileSink(part_file(Path(where), part), f"xinqiao{part}", Rotation(1_000, 1e9))
        )
        async with AuditLog(sink) as written:
            for record in records:
                await written.append(record)
    return where


async def test_looks_are_counted_by_day_organisation_purpose_and_the_basis_that_held_for_the_company(
    log: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind, "READ_BYTES", 100)  # less than a line
    found = await looks_at(tmp_path, log, ONE, OTHER, THIRD)
    day = (NOW - dt.timedelta(days=1)).astimezone(dt.timezone(dt.timedelta(hours=8))).date()

    def rows(code: CreditCode) -> set[tuple[Any, ...]]:
        names = ("lookedOn", "organisation", "purpose", "basis", "requests")
        return {tuple(row[name] for name in names) for row in found[code].rows}

    assert rows(ONE) == {
        (day, "first-bank", "credit.underwriting", "consent", 2),
        (day, "first-bank", "credit.underwriting", None, 1),
        (day, "tax-bureau-zhejiang", "supervision.tax", "consent", 1),
    }
    assert rows(OTHER) == {(day, "first-bank", "credit.underwriting", "consent", 2)}
    assert (found[THIRD].outcome, rows(THIRD)) == (Outcome.ANSWERED, set())


async def test_looks_for_purposes_that_are_not_told_are_left_out(log: str, tmp_path: Path) -> None:
    told = DOCUMENTED.replace("    days: 365\n", "    days: 365\n    purposes: [supervision.tax]\n")
    found = await looks_at(tmp_path, log, ONE, manifest=told)
    assert [row["purpose"] for row in found[ONE].rows] == ["supervision.tax"]


async def test_a_log_that_cannot_be_read_is_an_agency_that_is_down(tmp_path: Path) -> None:
    found = await looks_at(tmp_path, "postgresql+asyncpg://nobody@127.0.0.1:9/none", ONE)
    assert found[ONE].outcome is Outcome.FAILED


async def test_a_manifest_whose_key_is_none_of_the_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestInvalid, match="company"):
        await looks_at(tmp_path, "x", ONE, manifest=DOCUMENTED.replace("key: company", "key: code"))
