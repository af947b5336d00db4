"""Xinqiao as it is served, over the upstream: `xinqiao serve`, with everything that a request has in earnest.

A signed token, a policy decided for each company, masks, statuses, provenance, publicity, and an audit line that is
durable before the answer leaves.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.contender import Question, Running
from benchmarks.large_policy import demonstration_policy
from benchmarks.upstream import Answer, needed
from benchmarks.workload import AGENCIES, CODE_COLUMN, Agency, Field, Kind, rest_answers
from gateway.demo.people import CALLERS, key_set, mint, new_key
from gateway.demo.people import ISSUER as TOKEN_ISSUER
from schema.records import catalogue

UPSTREAM: Final = "BENCHMARK_UPSTREAM"
"""The variable by which the manifests know the upstream's address."""

PURPOSE: Final = "credit.underwriting"
CONCURRENCY: Final = 64
BATCH: Final = 1_000
ENDING_SECONDS: Final = 30
_SERVE: Final = ("serve", "--json", "--port", "0")
_PROGRAM: Final = ("-c", "from gateway.cli import app; app()")

RESTRICTED: Final = {"Registration.legalRepresentative": "MASKED", "EnvironmentCredit.score": "WITHHELD"}
MASKED: Final = {"Registration.legalRepresentative": "虚**"}
"""How the demonstration's policy lets a bank see what is not open, without the company's consent."""

PLAIN: Final = ("status",)
ENVELOPES: Final[Mapping[str, tuple[str, ...]]] = {
    "Registration": ("status", "access"),
    "Penalty": ("status", "sources"),
    "EnvironmentCredit": ("status", "access"),
}
"""What is asked of an answer beside its records, by record type."""

SELECTED: Final = {
    "sources": " { agency { id } status }",
    "access": " { coordinate decision agency { id } }",
    "CODE": " { code }",
    "MONEY": " { amount currency }",
}
LEAVES: Final = {"sources": 2, "access": 3, "MONEY": 2}


@dataclass(frozen=True)
class Supplied:
    """An agency as it supplies: what, about companies of which divisions (none: all), by calls of so many companies."""

    agency: Agency
    divisions: tuple[str, ...] = ()

    def asked(self, code: str) -> bool:
        """Whether it is asked about the company: where it is registered in one of the divisions."""
        return not self.divisions or code[2:].startswith(self.divisions)

    def manifest(self, time_to_live: int, *, coalesce: bool) -> str:
        """Its manifest."""
        agency = self.agency
        fields = "\n".join(f"      {one.name}: {_mapping(one.column, one.kind)}" for one in agency.fields)
        divisions = ", ".join(f'"{division}"' for division in self.divisions)
        coverage = f"    coverage: {{registered: true, divisions: [{divisions}]}}\n" if divisions else ""
        return (
            f"agency: {agency.id}\n"
            f"name: {{en: {agency.id}, zh: {agency.id}}}\n"
            "kind: rest\n"
            f'connection: {{url: "${{{UPSTREAM}}}"}}\n'
            f"concurrency: {CONCURRENCY}\n"
            "datasets:\n"
            f"  - record: {agency.record}\n"
            f"    key: {CODE_COLUMN}\n"
            f"    batch: {BATCH}\n"
            "    missingMeans: none\n"
            "    idempotent: true\n"
            f"    coalesce: {str(coalesce).lower()}\n"
            f"    timeToLive: {time_to_live}\n"
            f"{coverage}"
            f"    request: {{method: POST, path: /{agency.id}, keys: {{in: body, name: {CODE_COLUMN}, style: list}}}}\n"
            "    response: {rows: lb}\n"
            f"    fields:\n{fields}\n"
        )


More = Callable[[Path, dict[str, str], dict[str, str]], None]
"""Sets more: may write files into the gateway's folder, and changes the variables of its settings and what headers
requests have.
"""


def _mapping(column: str, kind: Kind) -> str:
    return f"{{path: {column}, unit: 元}}" if kind is Kind.MONEY else column


SIX: Final = tuple(Supplied(agency) for agency in AGENCIES)


@dataclass(frozen=True)
class Xinqiao:
    """The gateway over agencies.

    `rules` of its policy in all; rows kept for `time_to_live` seconds (0: not at all); `new_texts`: no operation is
    asked twice; `anonymous`: callers have no token; `pinned`: to one core, or else to none; `program` is what
    Python runs; `more` is what is set beside the usual.
    """

    name: str = "Xinqiao"
    supplied: Sequence[Supplied] = SIX
    rules: int = 1_000
    time_to_live: int = 0
    workers: int = 1
    coalesce: bool = True
    new_texts: bool = False
    anonymous: bool = False
    pinned: bool = True
    program: Sequence[str] = _PROGRAM
    more: Sequence[More] = ()

    @property
    def answers(self) -> Sequence[Answer]:
        """What the agencies answer."""
        return tuple(rest_answers([one.agency for one in self.supplied]))

    @contextmanager
    def start(self, upstream: str, core: int) -> Iterator[Running]:
        """Serves over the upstream at this address."""
        with TemporaryDirectory(prefix="xinqiao-") as folder:
            directory = Path(folder)
            settings, headers = self.settings(directory)
            cores = str(core) if self.pinned else f"0-{(os.cpu_count() or 1) - 1}"
            command = [needed("taskset", "util-linux"), "-c", cores, sys.executable, *self.program, *_SERVE]
            environment = {**os.environ, **settings, UPSTREAM: upstream}
            said = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)  # noqa: S603 - our own
            try:
                url = json.loads(said.stdout.readline() if said.stdout else b"")["url"]
                yield Running(said.pid, url, headers)
            finally:
                said.send_signal(signal.SIGINT)
                said.wait(ENDING_SECONDS)

    def settings(self, directory: Path) -> tuple[dict[str, str], dict[str, str]]:
        """Writes manifests and policy into the folder; gives the variables of the gateway's settings, and the headers
        of a bank's requests.
        """
        manifests, policies = directory / "agencies", directory / "policy"
        manifests.mkdir()
        for one in self.supplied:
            (manifests / f"{one.agency.id}.yaml").write_text(one.manifest(self.time_to_live, coalesce=self.coalesce))
        agencies = [one.agency.id for one in self.supplied]
        for name, content in demonstration_policy(catalogue(), agencies, self.rules).items():
            (policies / name).parent.mkdir(parents=True, exist_ok=True)
            (policies / name).write_bytes(content)
        key = new_key()
        variables = {
            "XINQIAO_MANIFESTS": str(manifests),
            "XINQIAO_POLICIES": str(policies),
            "XINQIAO_SECRET": "s" * 32,
            "XINQIAO_ISSUERS": json.dumps([{"id": TOKEN_ISSUER, "jwks": key_set(key)}]),
            "XINQIAO_AUDIT_FILE": str(directory / "audit.jsonl"),
            "XINQIAO_PLAIN_NETWORKS": '["127.0.0.0/8"]',
            "XINQIAO_LOG_LEVEL": "warning",
            "XINQIAO_ANONYMOUS": "public" if self.anonymous else "refuse",
            "XINQIAO_WORKERS": str(self.workers),
            "XINQIAO_DRAIN": "0",
            "XINQIAO_DEADLINE__DEFAULT": "30",
        }
        token = mint(key, CALLERS[0], "", dt.datetime.now(dt.UTC))
        headers = {} if self.anonymous else {"Authorization": f"Bearer {token}", "X-Purpose": PURPOSE}
        for add in self.more:
            add(directory, variables, headers)
        return variables, headers

    def question(self, companies: int) -> Question:
        """All fields of all agencies, for any number of companies."""
        del companies
        return Question(f'{{"query":{json.dumps(self.query)},"variables":{{"codes":[', "]}}")

    @property
    def query(self) -> str:
        """The operation's text; where texts are to be new, `@@` stands for a number of its own."""
        key = "asked_@@: enterprises" if self.new_texts else "enterprises"
        answers = " ".join(_selection(kind) for kind in self._types())
        return f"query ($codes: [CreditCode!]!) {{ {key}(codes: $codes) {{ creditCode {answers} }} }}"

    @property
    def leaves(self) -> int:
        """How many leaf fields the operation selects."""
        return 1 + sum(_leaves(kind) for kind in self._types())

    def expected(self, codes: Sequence[str]) -> object:
        """What a bank must be answered about these companies."""
        key = "asked_0" if self.new_texts else "enterprises"
        answers = [
            {"creditCode": code, **{one.root: self._answer(one, code) for one in self._types()}} for code in codes
        ]
        return {"data": {key: answers}}

    def _types(self) -> Sequence[Agency]:
        """One agency for each type of record."""
        return tuple({one.agency.record: one.agency for one in self.supplied}.values())

    def _answer(self, kind: Agency, code: str) -> Mapping[str, object]:
        of_kind = (one for one in self.supplied if one.agency.record == kind.record)
        suppliers = sorted(of_kind, key=lambda one: one.agency.id)
        records = [
            {field.name: _shown(field, f"{kind.record}.{field.name}", row[field.name]) for field in kind.fields}
            for one in suppliers
            if one.asked(code)
            for row in one.agency.company(code)
        ]
        said = {
            "status": "COMPLETE",
            "sources": [
                {"agency": {"id": one.agency.id}, "status": "ANSWERED" if one.asked(code) else "NOT_ASKED"}
                for one in suppliers
            ],
            "access": [
                {"coordinate": coordinate, "decision": decision, "agency": {"id": one.agency.id}}
                for one in suppliers
                for coordinate, decision in RESTRICTED.items()
                if coordinate.startswith(f"{kind.record}.")
            ],
        }
        shown = {name: said[name] for name in ENVELOPES.get(kind.record, PLAIN)}
        return {**shown, **({"record": records[0]} if kind.single else {"records": records})}


def _selection(kind: Agency) -> str:
    envelope = " ".join(name + SELECTED.get(name, "") for name in ENVELOPES.get(kind.record, PLAIN))
    fields = " ".join(field.name + SELECTED.get(field.kind.name, "") for field in kind.fields)
    return f"{kind.root} {{ {envelope} {'record' if kind.single else 'records'} {{ {fields} }} }}"


def _leaves(kind: Agency) -> int:
    sizes = [LEAVES.get(name, 1) for name in ENVELOPES.get(kind.record, PLAIN)]
    return sum(sizes) + sum(LEAVES.get(field.kind.name, 1) for field in kind.fields)


def _shown(field: Field, coordinate: str, text: str) -> object:
    """What a bank sees of a value that the agency has."""
    if coordinate in RESTRICTED:
        return MASKED.get(coordinate)
    match field.kind:
        case Kind.YEAR:
            return int(text)
        case Kind.CODE:
            return {"code": text}
        case Kind.MONEY:
            return {"amount": text, "currency": "CNY"}
        case _:
            return text
