from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import asyncssh
import pytest

from connectors.contract import FailureCode
from connectors.drops import sftp
from connectors.errors import ConnectionNotConfigured, ManifestInvalid
from connectors.kinds import file
from connectors.manifest_file import load_manifest
from connectors.reach import Reach
from connectors.settings import SupplySettings
from connectors.supply import AgencySupply, open_supply
from tests.connectors.support import CODES, LOOPBACK, SHAPES, ask

pytestmark = pytest.mark.usefixtures("indexed_here")

MANIFEST = """
    agency: customs
    name: {en: Customs, zh: 海关}
    kind: file
    connection:
      path: "${DIRECTORY}"
      sftp: {url: "${ADDRESS}", hostKey: "${HOST_KEY}", password: "${PASSWORD}"}
    datasets:
      - record: Registration
        file: customs_*.csv
        marker: .ok
        key: code
        missingMeans: none
        fields: {name: name}
"""
HOST_KEY = asyncssh.generate_private_key("ssh-ed25519")
CLIENT_KEY = asyncssh.generate_private_key("ssh-ed25519")


class Server(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:  # noqa: ARG002
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("xinqiao", "a-secret")

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == "xinqiao" and key == CLIENT_KEY.convert_to_public()


class Files(asyncssh.SFTPServer):
    """The files of one directory, and nothing else."""

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], root: Path) -> None:
        super().__init__(channel, chroot=os.fsencode(root))


class Agency:
    """An agency's server, which can be stopped and started again at the same address."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "out").mkdir(parents=True)
        self.port = 0
        self.server: Any = None

    async def start(self) -> None:
        self.server = await asyncssh.listen(
            "127.0.0.1",
            self.port,
            server_factory=Server,
            server_host_keys=[HOST_KEY],
            sftp_factory=lambda channel: Files(channel, self.root),
        )
        self.port = self.server.get_port()

    async def stop(self) -> None:
        self.server.close()
        await self.server.wait_closed()

    def drop(self, name: str, value: str, *, marker: bool = True) -> None:
        (self.root / "out" / name).write_text(f"code,name\n{CODES[0]},{value}\n", encoding="utf-8")
        os.utime(self.root / "out" / name, (1_790_000_000 + len(value), 1_790_000_000 + len(value)))
        if marker:
            (self.root / "out" / f"{name}.ok").touch()


@pytest.fixture
async def agency(tmp_path: Path) -> AsyncIterator[Agency]:
    agency = Agency(tmp_path / "root")
    await agency.start()
    yield agency
    await agency.stop()


Open = Callable[..., Awaitable[AgencySupply]]


@pytest.fixture
async def open_it(tmp_path: Path, agency: Agency) -> AsyncIterator[Open]:
    opened: list[AgencySupply] = []

    async def open_it(text: str = MANIFEST, reach: Reach = LOOPBACK, **environment: str) -> AgencySupply:
        path = tmp_path / "manifest.yaml"
        path.write_text(dedent(text), encoding="utf-8")
        given = {
            "DIRECTORY": str(tmp_path / "fetched"),
            "ADDRESS": f"sftp://xinqiao@127.0.0.1:{agency.port}/out",
            "HOST_KEY": HOST_KEY.export_public_key().decode(),
            "PASSWORD": "a-secret",
            "CLIENT_KEY": CLIENT_KEY.export_private_key().decode(),
            **environment,
        }
        settings = SupplySettings(environment=given, reach=reach)
        supply = await open_supply([load_manifest(path, SHAPES)], SHAPES, settings)
        opened.append(supply)
        return supply

    yield open_it
    for supply in opened:
        await supply.close()


async def said(supply: AgencySupply) -> Any:
    answer = (await ask(supply, CODES[:1]))[CODES[0]]
    return answer.failure or [row["name"] for row in answer.rows]


async def said_after_a_look(supply: AgencySupply) -> Any:
    source: Any = supply._lines["customs/Registration"].source
    await source._fetching._look()
    await source.ready()
    return await said(supply)


async def test_the_newest_drop_with_its_marker_is_fetched_and_keeps_its_date(agency: Agency, open_it: Open) -> None:
    agency.drop("customs_1.csv", "first")
    agency.drop("customs_2.csv", "second")
    agency.drop("customs_3.csv", "without marker", marker=False)
    agency.drop("other_9.csv", "other")
    supply = await open_it()
    answer = (await ask(supply, CODES[:1]))[CODES[0]]
    assert answer.rows[0]["name"] == "second"
    assert answer.as_of is not None
    assert answer.as_of.timestamp() == 1_790_000_000 + len("second")


async def test_new_and_replaced_drops_take_over_and_those_that_are_gone_go(
    agency: Agency, open_it: Open, tmp_path: Path
) -> None:
    agency.drop("customs_1.csv", "first")
    supply = await open_it()
    assert await said(supply) == ["first"]
    agency.drop("customs_1.csv", "replaced")
    assert await said_after_a_look(supply) == ["replaced"]
    agency.drop("customs_2.csv", "second")
    assert await said_after_a_look(supply) == ["second"]
    for path in (agency.root / "out").iterdir():
        path.unlink()
    assert await said_after_a_look(supply) == FailureCode.AGENCY_UNAVAILABLE
    assert list((tmp_path / "fetched").iterdir()) == []


async def test_while_the_server_is_down_what_was_fetched_is_answered_from(agency: Agency, open_it: Open) -> None:
    agency.drop("customs_1.csv", "first")
    assert await said(await open_it()) == ["first"]
    await agency.stop()
    later = await open_it()
    assert await said(later) == ["first"]
    await agency.start()
    agency.drop("customs_2.csv", "second")
    assert await said_after_a_look(later) == ["second"]


async def test_a_key_of_ours_opens_the_server_too(agency: Agency, open_it: Open) -> None:
    agency.drop("customs_1.csv", "first")
    text = MANIFEST.replace('password: "${PASSWORD}"', 'privateKey: "${CLIENT_KEY}"')
    assert await said(await open_it(text)) == ["first"]


async def test_a_server_with_another_key_is_not_spoken_to(agency: Agency, open_it: Open) -> None:
    agency.drop("customs_1.csv", "first")
    other = CLIENT_KEY.export_public_key().decode()
    assert await said(await open_it(HOST_KEY=other)) is FailureCode.AGENCY_UNAVAILABLE


async def test_a_wrong_password_is_an_agency_that_is_down(agency: Agency, open_it: Open) -> None:
    agency.drop("customs_1.csv", "first")
    assert await said(await open_it(PASSWORD="wrong")) is FailureCode.AGENCY_UNAVAILABLE


async def test_what_else_lies_in_the_directory_is_left_alone(agency: Agency, open_it: Open, tmp_path: Path) -> None:
    (tmp_path / "fetched").mkdir()
    (tmp_path / "fetched" / "note.txt").touch()
    (tmp_path / "fetched" / "customs_0.csv").touch()
    agency.drop("customs_1.csv", "first")
    assert await said(await open_it()) == ["first"]
    names = {path.name for path in (tmp_path / "fetched").iterdir()}
    assert names == {"note.txt", "customs_1.csv", "customs_1.csv.ok"}


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"ADDRESS": "sftp://127.0.0.1/out"}, "sftp.url"),
        ({"ADDRESS": "sftp://a:secret@127.0.0.1/out"}, "sftp.url"),
        ({"ADDRESS": "https://a@127.0.0.1/out"}, "sftp.url"),
        ({"HOST_KEY": "no key"}, "sftp.hostKey"),
    ],
)
async def test_an_unusable_address_or_key_is_named_without_its_value(
    open_it: Open, environment: dict[str, str], message: str
) -> None:
    with pytest.raises(ConnectionNotConfigured, match=message) as caught:
        await open_it(**environment)
    assert not any(value in str(caught.value) for value in environment.values())


async def test_a_server_that_may_not_be_reached_stops_the_start(open_it: Open) -> None:
    with pytest.raises(ConnectionNotConfigured, match=r"sftp\.url is not an address that may be reached"):
        await open_it(reach=Reach())


async def test_a_servers_name_is_checked_by_what_it_resolves_to(
    agency: Agency, open_it: Open, names: dict[str, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agency.drop("customs_1.csv", "first")
    names["drops.example"] = ["127.0.0.1"]
    address = f"sftp://xinqiao@drops.example:{agency.port}/out"
    assert await said(await open_it(ADDRESS=address)) == ["first"]
    supply = await open_it(reach=Reach(), ADDRESS=address, DIRECTORY=str(tmp_path / "others"))
    assert (await ask(supply, CODES[:1]))[CODES[0]].failure is FailureCode.AGENCY_UNAVAILABLE
    assert "the address is not one that may be reached" in capsys.readouterr().out


async def test_sftp_without_its_library_names_the_extra(open_it: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncssh", None)
    with pytest.raises(ConnectionNotConfigured, match=r"xinqiao\[sftp\]"):
        await open_it()


async def test_a_server_needs_one_credential(open_it: Open) -> None:
    with pytest.raises(ManifestInvalid, match="exactly one of password and privateKey"):
        await open_it(MANIFEST.replace(', password: "${PASSWORD}"', ""))


PARTS = MANIFEST.replace("customs_*.csv", "customs_%Y%m%d_*.csv").replace("marker: .ok", "parts: {count: 2}")
PARTS = PARTS.replace("record: Registration", "record: Penalty").replace("name: name}", "facts: name}")
DONE = PARTS.replace("count: 2", "marker: customs_%Y%m%d.done")


async def test_of_a_drop_that_is_followed_the_file_that_follows_is_fetched_too(
    agency: Agency, open_it: Open, tmp_path: Path
) -> None:
    for name in ("customs_20261101_a.csv", "customs_20261101_b.csv", "customs_20261102_a.csv"):
        agency.drop(name, name, marker=False)
    supply = await open_it(PARTS.replace("count: 2", "followed: true"))
    assert await parts_said(supply) == ["customs_20261101_a.csv", "customs_20261101_b.csv"]
    agency.drop("customs_20261103_a.csv", "third", marker=False)
    assert await parts_said(supply) == ["customs_20261102_a.csv"]
    names = {"customs_20261102_a.csv", "customs_20261103_a.csv"}
    assert {path.name for path in (tmp_path / "fetched").iterdir()} == names


@pytest.mark.parametrize(("text", "marker"), [(PARTS, ""), (DONE, ".done")], ids=["count", "marker"])
async def test_all_parts_of_a_drop_are_fetched_once_they_are_there(
    agency: Agency, open_it: Open, tmp_path: Path, text: str, marker: str
) -> None:
    def mark(day: str) -> None:
        if marker:
            (agency.root / "out" / f"customs_{day}{marker}").touch()

    agency.drop("customs_20261101_a.csv", "first a", marker=False)
    agency.drop("customs_20261101_b.csv", "first b", marker=False)
    mark("20261101")
    agency.drop("customs_20261102_a.csv", "second a", marker=False)
    supply = await open_it(
        text.replace("record: Registration", "record: Penalty").replace("name: name}", "facts: name}")
    )
    assert await parts_said(supply) == ["first a", "first b"]
    agency.drop("customs_20261102_b.csv", "second b", marker=False)
    mark("20261102")
    assert await parts_said(supply) == ["second a", "second b"]
    names = {"customs_20261102_a.csv", "customs_20261102_b.csv", *(["customs_20261102.done"] if marker else [])}
    assert {path.name for path in (tmp_path / "fetched").iterdir()} == names


async def test_nobody_looks_for_a_drop_while_its_parts_are_being_put_in_their_places(
    agency: Agency, open_it: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    supply = await open_it(PARTS)
    fetching = supply._lines["customs/Penalty"].source._fetching
    alone: list[bool] = []

    def watched(do: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *given: (alone.append(fetching.moving.locked()), do(*given))[1]

    monkeypatch.setattr(sftp, "_move_all", watched(sftp._move_all))
    monkeypatch.setattr(file, "newest_drop", watched(file.newest_drop))
    agency.drop("customs_20261101_a.csv", "first a", marker=False)
    agency.drop("customs_20261101_b.csv", "first b", marker=False)
    assert await parts_said(supply) == ["first a", "first b"]
    assert len(alone) > 2
    assert all(alone)


async def parts_said(supply: AgencySupply) -> Any:
    source: Any = supply._lines["customs/Penalty"].source
    await source._fetching._look()
    await source.ready()
    answer = (await ask(supply, CODES[:1]))[CODES[0]]
    return answer.failure or [row["facts"] for row in answer.rows]
