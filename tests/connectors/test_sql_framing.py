"""A server that is no PostgreSQL does not hold the event loop."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from struct import pack
from textwrap import dedent

from hypothesis import given
from hypothesis import strategies as st

from connectors.kinds.sql.framing import Frames

ROOT = Path(__file__).parents[2]
messages = st.lists(st.tuples(st.integers(1, 255), st.binary(max_size=12)), max_size=8)


def written(sent: list[tuple[int, bytes]]) -> bytes:
    return b"".join(pack("!BI", kind, len(body) + 4) + body for kind, body in sent)


def parts(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


@given(messages, messages, st.lists(st.integers(0, 200), max_size=10))
def test_a_message_without_a_type_is_seen_however_the_stream_is_cut(
    before: list[tuple[int, bytes]], after: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    frames = Frames()
    assert all(frames.are_typed(part) for part in parts(written([*before, *after]), cuts))
    frames = Frames()
    assert not all(frames.are_typed(part) for part in parts(written([*before, (0, b""), *after]), cuts))


ASKING = """
    import asyncio
    from pathlib import Path
    from connectors.manifest_file import load_manifest
    from connectors.settings import SupplySettings
    from connectors.supply import open_supply
    from tests.connectors.support import CODES, LOOPBACK, SHAPES, ask

    async def greet(reader, writer):
        await reader.read(100)
        writer.write(bytes.fromhex("52000000080000000000000000000000"))
        await reader.read()
        writer.close()

    async def main():
        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        address = f"postgresql://u:p@127.0.0.1:{port}/d?ssl=disable"
        supply = await open_supply(
            [load_manifest(Path("court.yaml"), SHAPES)], SHAPES, SupplySettings({"ADDRESS": address}, reach=LOOPBACK)
        )
        print((await ask(supply, CODES[:1]))[CODES[0]].failure)
        await supply.close()

    asyncio.run(main())
"""
MANIFEST = """
    agency: court
    name: {en: Court, zh: 法院}
    kind: sql
    connection: {url: "${ADDRESS}"}
    timeout: 10
    retries: {most: 0}
    datasets:
      - {record: Penalty, table: t, key: c, missingMeans: none, fields: {facts: f}}
"""


def test_a_server_that_sends_none_where_a_message_begins_has_failed(tmp_path: Path) -> None:
    (tmp_path / "court.yaml").write_text(dedent(MANIFEST))
    # In a process of its own, which can be ended where it never comes back.
    asking = subprocess.run(
        [sys.executable, "-c", dedent(ASKING)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (asking.stdout.splitlines()[-1:], asking.returncode) == (["AGENCY_UNAVAILABLE"], 0), asking.stderr
