"""Gateways from npm that join subgraphs. They neither authorise nor map: the subgraphs serve the graph's own fields."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.contender import Question, Running
from benchmarks.peers import graph, subgraphs
from benchmarks.peers.install import HERE, node_modules
from benchmarks.peers.serving import PeerFailedError, free_port, served
from benchmarks.upstream import Answer, MissingProgramError, needed
from benchmarks.workload import AGENCIES

GRAFBASE: Final = "@grafbase/cli-x86_64-unknown-linux-musl"


@dataclass(frozen=True)
class Federated:
    """A peer from npm.

    `command` gives what to run, of npm's folder, the folder with the subgraphs' schemas (`*.graphql`), their address
    and the port to listen on.
    """

    product: str
    package: str
    mode: str
    command: Callable[[Path, Path, str, int], Sequence[str | Path]]
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The product with its version and mode."""
        manifest = json.loads((HERE / "package.json").read_text())
        versions = manifest["dependencies"] | manifest["optionalDependencies"]
        return f"{self.product} {versions[self.package]}{self.mode}"

    @property
    def answers(self) -> Sequence[Answer]:
        """The subgraphs'."""
        return tuple(subgraphs.answers())

    @contextmanager
    def start(self, upstream: str, core: int) -> Iterator[Running]:
        """See `Contender.start`. Raises `PeerFailedError` where it does not come to answer."""
        packages, port = node_modules(), free_port()
        with TemporaryDirectory(prefix="peer-") as made:
            folder, address = Path(made), upstream + subgraphs.PATH
            for agency in AGENCIES:
                (folder / f"{agency.id}.graphql").write_text(subgraphs.sdl(agency))
            command = self.command(packages, folder, address, port)
            with served(command, self.environment, port=port, core=core, folder=folder, headers={}) as running:
                yield running

    def question(self, companies: int) -> Question:  # noqa: ARG002 - the same for any number
        """The peers' question."""
        return graph.question()

    def expected(self, codes: Sequence[str]) -> object:
        """The peers' answer."""
        return graph.expected(codes)


def _hive(*options: str) -> Callable[[Path, Path, str, int], Sequence[str | Path]]:
    def command(packages: Path, folder: Path, address: str, port: int) -> Sequence[str | Path]:
        program = packages / "@graphql-hive/gateway/dist/bin.js"
        listen = ("--host", "127.0.0.1", "--port", str(port), "--fork", "1", *options)
        return [needed("node", "nodejs"), program, "supergraph", _supergraph(folder, address), *listen]

    return command


def _apollo(_: Path, folder: Path, address: str, port: int) -> Sequence[str | Path]:
    return [needed("node", "nodejs"), HERE / "apollo.mjs", _supergraph(folder, address), str(port)]


def _grafbase(packages: Path, folder: Path, address: str, port: int) -> Sequence[str | Path]:
    program = packages / GRAFBASE / "grafbase"
    if not program.exists():
        raise MissingProgramError("Grafbase is on npm for Linux on x86-64 only")
    settings = folder / "grafbase.toml"
    settings.write_text(
        "\n".join(
            f'[subgraphs.{agency.id}]\nurl = "{address}/{agency.id}"\nschema_path = "{agency.id}.graphql"'
            for agency in AGENCIES
        )
    )
    program.chmod(0o755)
    return [program, "dev", "--config", settings, "--listen-address", f"127.0.0.1:{port}"]


def _supergraph(folder: Path, address: str) -> Path:
    """The file of the subgraphs' supergraph. Raises `PeerFailedError` where they do not compose."""
    command: list[str | Path] = [needed("node", "nodejs"), HERE / "compose.mjs", folder, address]
    composed = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - our own
    if composed.returncode:
        raise PeerFailedError(composed.stderr)
    return folder / "supergraph.graphql"


_PRODUCTION: Final = {"NODE_ENV": "production", "LOG_LEVEL": "warn"}

FEDERATED: Final = (
    Federated("Grafbase", GRAFBASE, ", development server", _grafbase, {"TOKIO_WORKER_THREADS": "1"}),
    Federated("Hive Gateway", "@graphql-hive/gateway", "", _hive(), _PRODUCTION),
    Federated("Hive Gateway", "@graphql-hive/gateway", ", JIT", _hive("--jit"), _PRODUCTION),
    Federated(
        "Hive Gateway",
        "@graphql-hive/gateway",
        ", router-runtime",
        _hive("--hive-router-runtime"),
        _PRODUCTION,
    ),
    Federated("Apollo Gateway", "@apollo/gateway", "", _apollo, _PRODUCTION),
)
