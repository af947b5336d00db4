"""What was asked of a running gateway, read back from its audit and replayed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from gateway.audit.evidence import read_evidence
from gateway.audit.files import FileSink, Rotation
from gateway.audit.log import AuditLog
from policies.analysis.simulate import simulate
from policies.analysis.suggest import Finding, Standing, suggest
from policies.analysis.written import rule_text
from policies.decision import CallerClass, Effect
from policies.load import load_policy, placed_rules, read_directory
from schema.records import catalogue

ROOT = Path(__file__).parents[3]
QUERY = """query ($codes: [CreditCode!]!) { enterprises(codes: $codes) {
    taxArrears { records { balance { amount } } }
    penalties { records { facts responsiblePerson objection } } } }"""
NOW = dt.datetime.now(dt.UTC)
DENY = "\n  - {id: no-arrears, deny: TaxArrears.balance, of: tax, to: bank, for: any, given: any, note: x}\n"


async def test_the_recorded_requests_of_banks_and_regulators_tell_what_a_deny_would_change(
    make_world, codes, principals, tmp_path
) -> None:
    world, changed = make_world(), make_world(more_rules=DENY)
    await world.ask(QUERY, purpose="credit.underwriting", codes=[codes.hangzhou, codes.shenzhen])
    await world.ask(QUERY, codes=[codes.hangzhou])
    await world.ask(QUERY, principals.regulator, purpose="supervision.inspection", codes=[codes.hangzhou])
    await world.ask("{ nothing", codes=[])
    path = tmp_path / "audit.jsonl"
    async with AuditLog(FileSink(path, "x", Rotation(1 << 30, 86_400))) as log:
        for line in world.audit.lines:
            await log.append(line)
    evidence = read_evidence([path], NOW - dt.timedelta(days=1))
    assert (sum(shape.requests for shape in evidence.shapes), evidence.unread) == (3, 0)

    before, after = (one.gateway.editions.current.policy for one in (world, changed))
    cells = {"tax": frozenset({"TaxArrears", "TaxArrears.balance"})}
    simulation = simulate(before, after, cells, evidence.shapes)
    assert [(one.caller, one.cell[2], one.before.mask, one.after.effect) for one in simulation.changes] == [
        (
            CallerClass(principals.bank.roles, "first-bank", "credit.underwriting"),
            "TaxArrears.balance",
            "bucket",
            Effect.WITHHELD,
        )
    ]
    (change,) = simulation.changes
    assert (change.requests, change.companies, simulation.requests, simulation.changed) == (1, 2, 3, 1)


async def test_the_demonstrations_rules_are_cut_to_what_a_bank_really_asked_and_it_gets_the_same(
    make_world, codes, tmp_path
) -> None:
    world = make_world()
    await world.ask(QUERY, purpose="credit.underwriting", codes=[codes.hangzhou])
    path = tmp_path / "audit.jsonl"
    async with AuditLog(FileSink(path, "x", Rotation(1 << 30, 86_400))) as log:
        for line in world.audit.lines:
            await log.append(line)
    evidence = read_evidence([path], NOW - dt.timedelta(days=90))
    policy = world.gateway.editions.current.policy
    placed = placed_rules(read_directory(ROOT / "policies"), policy, catalogue())
    cells = {
        agency: frozenset(policy.tiers) for agency in ("registry", "tax", "zhejiang-penalties", "guangdong-penalties")
    }
    standing = Standing(placed, policy, catalogue(), cells)
    found = {one.placed.rule.id: one for one in suggest(standing, evidence, NOW + dt.timedelta(days=2), 30)}
    public = found["public-data"]
    assert (public.finding, public.requests, public.days) == (Finding.WIDER_THAN_USE, 1, 1)
    # Its roles stay: other rules show to others fields of the records that this one opens.
    assert [(rule.objects, rule.agencies, rule.roles, rule.organisations, rule.bases) for rule in public.rules] == [
        (("PUBLIC",), ("tax", "market-regulation"), ("any",), ("first-bank",), ("none",))
    ]
    assert found["company-sees-itself-exactly"].finding is Finding.NOT_SEEN
    assert [(rule.roles, rule.purposes, rule.mask) for rule in found["bank-arrears-in-buckets"].rules] == [
        (("bank.officer",), ("credit.underwriting",), "bucket")
    ]

    texts = "".join(one.text for one in found.values())
    files = {**read_directory(ROOT / "policies"), "rules/tax.yaml": b"rules: []\n", "rules/market-regulation.yaml": b""}
    kept = (rule_text(one.rule) for one in placed if one.rule.id not in found)
    files["rules/nation.yaml"] = "".join(("rules:\n", texts, *kept)).encode()
    after = load_policy(files, catalogue(), policy.agencies)
    assert simulate(policy, after, cells, evidence.shapes).changes == ()


async def test_where_a_request_is_of_several_classes_its_record_tells_which_company_was_of_which(
    make_world, codes, principals
) -> None:
    world = make_world()
    query = "query ($codes: [CreditCode!]!) { enterprises(codes: $codes) { penalties { status } } }"
    asked = [codes.hangzhou, codes.shenzhen]
    await world.ask(query, principals.regulator, purpose="supervision.inspection", codes=asked)
    await world.ask(query, principals.regulator, purpose="supervision.inspection", codes=asked[:1])
    several, one = (line["classes"] for line in world.audit.lines)
    assert {(tuple(part["bases"]), tuple(part["codes"])) for part in several} == {
        (("jurisdiction",), (codes.hangzhou,)),
        ((), (codes.shenzhen,)),
    }
    assert [part.get("codes") for part in one] == [None]
