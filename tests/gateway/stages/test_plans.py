"""Golden plans: for each `plans/*.graphql`, whose first line names the caller, the plan in `plans/*.json`.

After a change that is meant, write them anew: `GOLDEN=write make test`.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from connectors.contract import Coverage, KeyKind
from gateway.limits import Limits
from gateway.stages.arguments import slices
from gateway.stages.explain import explain
from gateway.stages.lookup import finders
from gateway.stages.plan import companies_at
from gateway.stages.roots import root_companies
from policies.decision import Basis, CallerClass

PLANS = Path(__file__).parent / "plans"
COMPANIES = 100


def made(world, path: Path) -> bytes:
    text = path.read_text()
    caller, *said = text.splitlines()[0].removeprefix("# ").split()
    role, organisation = caller.split("@")
    bases = frozenset(Basis(word) for word in said if word in {basis.value for basis in Basis})
    purpose = next((word for word in said if "." in word), None)
    who = CallerClass(
        frozenset({role}), organisation, purpose, bases, frozenset({"AUTHORISED", "RESTRICTED"} if bases else ())
    )
    edition = world.gateway.editions.current
    opened = asyncio.run(edition.tables.openable(who.roles, who.organisation))
    view = edition.provision.views.view(opened, frozenset())
    operation, variables = asyncio.run(edition.provision.documents.read(view, text, None, {"codes": []}))
    wanted = slices(operation, variables, Limits())
    plan, beyond = (
        edition.preparer.prepare(operation, wanted, asyncio.run(edition.tables.table(one))).plan
        for one in (who, replace(who, bases=frozenset(), consent_scope=frozenset()))
    )
    asked = asyncio.run(root_companies(operation, variables, Limits())).asked
    roots = {enterprise: COMPANIES for one in asked for enterprise in one.root.enterprises}
    companies = companies_at(roots, wanted, Limits().companies)
    table = asyncio.run(edition.tables.table(replace(who, bases=frozenset(), consent_scope=frozenset())))
    lookups = {
        one.root.selection.key: finders(one.lookup, world.supply.datasets.values(), table)
        for one in asked
        if one.lookup
    }
    document = explain(plan, beyond, companies, lookups)
    return orjson.dumps({**document, "policy": "any"}, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.graphql")), ids=lambda path: path.stem)
def test_the_plan_is_the_golden_one(make_world, datasets, path: Path) -> None:
    one_a_call = {
        **datasets.all,
        "tax/TaxArrears": datasets.one("tax/TaxArrears", batch=1),
        "zhejiang-penalties/Penalty": datasets.one("zhejiang-penalties/Penalty", batch=30, coverage=Coverage()),
    }
    lookups = {
        id_: datasets.one(id_, key=key, fields=frozenset({"creditCode", "registrationNumber", "name"}))
        for id_, key in (
            ("registry/LegacyIdentifiers", KeyKind.CREDIT_CODE),
            ("registry/CompanyByRegistrationNumber", KeyKind.REGISTRATION_NUMBER),
            ("registry/CompanySearch", KeyKind.NAME),
        )
    }
    by_number = {"court/JudgmentDefault": datasets.one("court/JudgmentDefault", key=KeyKind.REGISTRATION_NUMBER)}
    plan = made(make_world(datasets=one_a_call | by_number | lookups), path)
    golden = path.with_suffix(".json")
    if os.environ.get("GOLDEN") == "write":
        golden.write_bytes(plan)
    assert plan.decode() == golden.read_text()
