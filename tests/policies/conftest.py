from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from policies.load import PolicyFiles, load_policy, read_directory
from policies.policy import Policy
from schema.catalogue import Catalogue, FieldSpec, RecordType, Tier
from schema.values import Kind

AGENCIES = ("tax", "registry", "zhejiang")

TREES = """\
roles:
  bank: any
  bank.officer: bank
  inspector: any
  clerk: any
purposes:
  credit: any
  credit.underwriting: credit
  supervision: any
agencies:
  nation: any
  tax: nation
  registry: nation
  market: nation
  zhejiang: market
"""

ORGANISATIONS = """\
organisations:
  banks:
    name: Banks
    name_zh: 银行
    roles: []
    purposes: []
  first-bank:
    name: First Bank
    name_zh: 第一银行
    parent: banks
    roles: [bank.officer, clerk]
    purposes: [credit]
  bureau:
    name: Bureau
    name_zh: 局
    division: "33"
    roles: [inspector]
    purposes: [supervision]
"""

VERSION = """\
number: 7
published_at: 2026-11-01T09:00:00+08:00
by: tests
why: to test
"""


def _field(name: str, kind: Kind, tier: Tier, mask: str | None = None) -> FieldSpec:
    return FieldSpec(name, kind, tier, name, name, mask)


def _record(name: str, tier: Tier, *fields: FieldSpec) -> RecordType:
    every = (*fields, _field("objection", Kind.BOOLEAN, Tier.PUBLIC))
    by_name = {field.name: field for field in every}
    return RecordType(
        name,
        name.lower(),
        f"{name}Answer",
        single=False,
        tier=tier,
        fields=by_name,
        ordered_by=None,
        filters={},
        description=name,
        description_zh=name,
    )


CATALOGUE = Catalogue(
    {
        record.name: record
        for record in (
            _record(
                "Penalty",
                Tier.PUBLIC,
                _field("facts", Kind.TEXT, Tier.PUBLIC),
                _field("amount", Kind.MONEY, Tier.PUBLIC),
                _field("person", Kind.TEXT, Tier.PUBLIC, "partial"),
                _field("personId", Kind.TEXT, Tier.RESTRICTED, "last4"),
                _field("informant", Kind.TEXT, Tier.SEALED),
            ),
            _record(
                "TaxPayment",
                Tier.AUTHORISED,
                _field("year", Kind.INTEGER, Tier.AUTHORISED),
                _field("revenue", Kind.MONEY, Tier.AUTHORISED, "bucket"),
                _field("paid", Kind.MONEY, Tier.RESTRICTED, "bucket"),
                _field("officer", Kind.TEXT, Tier.RESTRICTED, "partial"),
            ),
        )
    }
)


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return CATALOGUE


@pytest.fixture(scope="session")
def cells() -> Mapping[str, frozenset[str]]:
    penalty, payment = (
        frozenset(coordinate for coordinate, _ in CATALOGUE.tiers() if coordinate.split(".")[0] == name)
        for name in ("Penalty", "TaxPayment")
    )
    return {"tax": payment, "zhejiang": penalty}


def policy_files(rules: str = "rules: []\n", **files: str) -> PolicyFiles:
    """The files of a policy: `files` by path, with "__" for "/"; the rest is the small policy above."""
    contents = {
        "version": VERSION,
        "trees": TREES,
        "organisations": ORGANISATIONS,
        "rules__nation": rules,
    } | files
    return {f"{name.replace('__', '/')}.yaml": content.encode() for name, content in contents.items()}


@pytest.fixture
def write_policy(tmp_path: Path) -> Callable[..., Path]:
    """Writes a directory of `policy_files`."""

    def write(rules: str = "rules: []\n", **files: str) -> Path:
        for name, content in policy_files(rules, **files).items():
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        return tmp_path

    return write


@pytest.fixture
def policy_of(write_policy: Callable[..., Path]) -> Callable[..., Policy]:
    """The policy of these rules."""

    def load(rules: str, **files: str) -> Policy:
        return load_policy(read_directory(write_policy(rules, **files)), CATALOGUE, AGENCIES)

    return load
