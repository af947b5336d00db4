"""What was tried against the loader, and must neither crash it nor open anything."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.compile import compile_table
from policies.decision import Basis, CallerClass, Decision, Effect
from policies.errors import PolicyInvalid, PublicityInvalid
from policies.load import PolicyFiles, load_policy, read_directory
from policies.masks import REDACT
from policies.policy import Policy
from policies.publicity import load_publicity
from policies.tree import ROOT, Tree
from schema.catalogue import Tier
from schema.records import catalogue

FILES = read_directory(Path(__file__).parents[2] / "policies")
AGENCIES = ("registry", "court", "tax", "customs", "environment", "zhejiang-penalties", "guangdong-penalties")
RULE = "id: x, allow: Penalty.amount, of: any, to: bank, for: credit, given: any, note: n"
CHAIN = "".join(f"  r{level}: r{level + 1}\n" for level in range(3_000)) + "  r3000: any\n"
LAUGHS = "a: &a [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1 or str()}'] * 9)}]\n" for n in range(1, 30))
FIELDS = [f"{record.name}.{name}" for record in catalogue().records.values() for name in record.fields]
MANY = f"[{', '.join(name for name in FIELDS if not name.endswith('.objection'))}]"
WIDE = RULE.replace("Penalty.amount", MANY).replace("of: any", f"of: [{', '.join(AGENCIES)}]")
WIDE = WIDE.replace("given: any", "given: [none, consent, self, jurisdiction], act: any")


@pytest.mark.parametrize(
    ("name", "before", "after", "code"),
    [
        ("rules/nation.yaml", "", f"\n  - {{{RULE}, masked: []}}\n", "NOT_A_TEXT"),
        ("rules/nation.yaml", "", f"\n  - {{{RULE}, masked: [bucket, redact]}}\n", "NOT_A_TEXT"),
        ("rules/nation.yaml", "", "\n  - " + "[" * 2_000 + "]" * 2_000 + "\n", "NOT_YAML"),
        ("rules/nation.yaml", "", "\n  - " + "[" * 100_000 + "]" * 100_000 + "\n", "NOT_YAML"),
        ("rules/nation.yaml", "", "\n  - " + "{a: " * 100_000 + "\n", "NOT_YAML"),
        ("rules/nation.yaml", "", "\n  - " + "- " * 100_000 + "\n", "NOT_YAML"),
        ("rules/nation.yaml", "", "\n  - ? " + "[" * 100_000 + "\n", "NOT_YAML"),
        ("rules/nation.yaml", "", f"\n  - {{{RULE.replace('to: bank', 'to: [bank, bank]')}}}\n", "DUPLICATE_NAME"),
        ("rules/nation.yaml", "", f"\n  - {{{WIDE}, at: [first-bank, second-bank, company]}}\n", "TOO_WIDE"),
        ("rules/nation.yaml", "", f"\n{LAUGHS}", "ANCHOR"),
        ("rules/nation.yaml", "", '\n  - "\\UFFFFFFFF"\n', "NOT_YAML"),
        ("rules/nation.yaml", "", "\n  - \t\0", "NOT_YAML"),
        ("rules/nation.yaml", "", f"\n  - {{{RULE}, at: {'x' * 1_000_000}}}\n", "TOO_LONG"),
        ("organisations.yaml", 'division: "33"', 'division: "３３"', "BAD_DIVISION"),
        ("version.yaml", "why: ", 'why: "\\0"\nsaid: ', "ODD_CHARACTER"),
        ("version.yaml", "number: 1", "number: " + "1" * 5_000, "BAD_NUMBER"),
        ("trees.yaml", "roles:\n", f"roles:\n{CHAIN}", "TOO_DEEP"),
    ],
    ids=[
        "a mask of nothing",
        "two masks",
        "deep nesting",
        "endless lists",
        "endless mappings",
        "endless dashes",
        "endless keys",
        "a name twice",
        "a product of long lists",
        "a billion laughs",
        "an escape beyond Unicode",
        "a tab and NUL",
        "an endless line",
        "digits of another script",
        "an escaped NUL",
        "an endless number",
        "an endless chain",
    ],
)
def test_it_is_a_finding(name: str, before: str, after: str, code: str) -> None:
    text = FILES[name].decode()
    changed = text.replace(before, after, 1) if before else text + after
    with pytest.raises(PolicyInvalid) as caught:
        load_policy({**FILES, name: changed.encode()}, catalogue(), AGENCIES)
    assert code in {finding.code for finding in caught.value.findings}
    assert all(len(finding.message) < 500 for finding in caught.value.findings)


def test_a_rule_until_the_last_day_of_the_calendar_holds_for_ever() -> None:
    files = {
        **FILES,
        "rules/nation.yaml": FILES["rules/nation.yaml"] + f"\n  - {{{RULE}, until: 9999-12-31}}\n".encode(),
    }
    policy = load_policy(files, catalogue(), AGENCIES)
    assert policy.next_change is None
    assert any(row.rule == "x" for row in policy.rows)


def outcome(files: PolicyFiles) -> Policy | PolicyInvalid | PublicityInvalid:
    """The policy in these files, or how it is refused; any other exception fails the test."""
    try:
        policy = load_policy(files, catalogue(), AGENCIES)
        load_publicity(files, catalogue())
    except (PolicyInvalid, PublicityInvalid) as refused:
        return refused
    return policy


ODD = [
    "\t",
    "\0",
    "\u2028",
    "：",
    "，",
    "\ufeff",
    "&a ",
    "*a",
    "!!null ",
    "!x ",
    "<<: ",
    "? ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "'",
]
ODD += [
    '"',
    "|",
    ">",
    "%",
    "#",
    "---\n",
    "...\n",
    "~",
    "null",
    "true",
    "1e999",
    "9" * 400,
    "0x7f",
    "é",
    "\u202e",
    "any",
    "*",
]
ODD += ["\n", "  ", ": ", ", ", "allow: ", "deny: ", "masked: ", "SEALED", "Penalty.*", "Penalty.informant"]
TREES_OF_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["any", "bank"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["rules", "id", "allow", "to", "roles", "organisations", "x"]), inner)
    ),
    max_leaves=20,
).map(lambda value: json.dumps(value).encode())


@st.composite
def changed(draw: st.DrawFn, content: bytes) -> bytes:
    """The content with a few of its stretches cut out, doubled or replaced, most of them within one line."""
    text = content.decode()
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 30)))
        piece = draw(st.sampled_from(["", text[start:end] * 2, *ODD]) | st.text(max_size=3))
        text = text[:start] + piece + text[end:]
    return text.encode(errors="surrogatepass")


CONTENTS = {name: st.binary(max_size=200) | TREES_OF_VALUES | changed(content) for name, content in FILES.items()}


@cache
def plain(content: bytes, key: str, kind: type[Any]) -> Any:
    """What stands under a key of the document, as YAML's base schema has it: texts, lists and mappings. Nothing where
    nothing is written (`null`, which the base schema knows not, is nothing too).
    """
    document = yaml.load(content.decode(), yaml.BaseLoader)  # noqa: S506 - texts, lists and mappings alone
    found = document.get(key) if isinstance(document, dict) else None
    return found if isinstance(found, kind) else kind()


def listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def plain_rows(files: PolicyFiles) -> set[tuple[str, ...]]:
    """What the rules that hold today say, combination by combination, but for their order."""
    rows: set[tuple[str, ...]] = set()
    today = date.today().isoformat()  # noqa: DTZ011  # no rule of the demonstration ends today
    for name in files:
        for rule in plain(files[name], "rules", list) if name.startswith("rules/") else ():
            if not rule.get("from", today) <= today <= rule.get("until", today):
                continue
            effect = "deny" if "deny" in rule else "allow"
            acts = [rule.get("act", "read")]
            columns = [
                listed(rule["of"]),
                listed(rule["to"]),
                ["*" if one == ROOT else one for one in listed(rule.get("at", ROOT))],
                listed(rule[effect]),
                ["read", "read_expired"] if acts == [ROOT] else listed(rule.get("act", "read")),
                ["*" if one == ROOT else one for one in listed(rule["for"])],
                ["-" if one == ROOT else one for one in listed(rule["given"])],
            ]
            rows |= {(rule["id"], *columns, effect, rule.get("masked", "")) for columns in product(*columns)}
    return rows


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(FILES)).flatmap(lambda name: CONTENTS[name].map(lambda content: (name, content))))
def test_whatever_a_file_holds_it_is_refused_with_its_place_or_means_what_it_plainly_says(
    change: tuple[str, bytes],
) -> None:
    name, content = change
    files = {**FILES, name: content}
    found = outcome(files)
    if isinstance(found, Policy):
        assert {tuple(row.values()[1:]) for row in found.rows} == plain_rows(files)
        assert dict(found.roles.parents) == plain(files["trees.yaml"], "roles", dict)
        organisations = plain(files["organisations.yaml"], "organisations", dict)
        assert {id_: (one.roles, one.division) for id_, one in found.organisations.items()} == {
            id_: (frozenset(listed(one["roles"])), one.get("division")) for id_, one in organisations.items()
        }
    else:
        assert any(one in str(found) for one in files)
        assert str(found).encode()


CELLS = {
    "tax": frozenset({"TaxArrears", "TaxArrears.balance", "TaxPayment", "TaxPayment.revenue", "TaxPayment.officer"}),
    "registry": frozenset({"Registration", "Registration.telephone", "Registration.paidInCapital", "Shareholder"}),
    "zhejiang-penalties": frozenset({"Penalty", "Penalty.amount", "Penalty.responsiblePersonId", "Penalty.informant"}),
}
CELLS = {agency: names & {*FIELDS, *catalogue().records} for agency, names in CELLS.items()}
CALLERS = [
    CallerClass(frozenset({role}), organisation, purpose, frozenset(bases), frozenset(map(str, Tier)))
    for role, organisation, purpose, bases in (
        ("anonymous", "public", None, ()),
        ("bank.officer", "first-bank", "credit.underwriting", ()),
        ("bank.officer", "second-bank", "credit.monitoring", (Basis.CONSENT,)),
        ("regulator.provincial", "zhejiang-regulator", "supervision.inspection", (Basis.JURISDICTION,)),
        ("tax.inspector", "tax-bureau-zhejiang", "supervision.tax", (Basis.JURISDICTION,)),
        ("company", "company", "self.review", (Basis.SELF,)),
        ("policy.admin", "policy-office", "policy.administration", ()),
    )
]
NAMES = [
    ROOT,
    "none",
    "consent",
    "self",
    "jurisdiction",
    "bank",
    "anonymous",
    "company",
    "credit",
    "supervision",
    "tax",
]
NAMES += [
    "registry",
    "nation",
    *Tier,
    "Penalty",
    "Penalty.*",
    "TaxPayment.*",
    "Penalty.informant",
    "TaxArrears.balance",
]
SPOILT = [
    "{}s",
    "{} ",
    " {}",
    "{}.*",
    "*",
    "-",
    "",
    "~",
    "!!null {}",
    "'{}'",
    "Ａ{}",
    "{}\u200b",
    "[{}]",
    "[[{}]]",
    "{{}}",
    "{}: x",
]


def lines_of_columns(text: str) -> Iterator[tuple[int, str, str]]:
    """The lines of a rule file that hold one column of an allow, each with its column and names."""
    for number, line in enumerate(text.splitlines()):
        column, colon, names = line.strip().removeprefix("- ").partition(": ")
        if colon and column in {"allow", "of", "to", "for", "given", "masked"}:
            yield number, column, names


@st.composite
def alterations(draw: st.DrawFn) -> tuple[str, bytes]:
    """A rule file in which one column's text was altered or removed."""
    name = draw(st.sampled_from([name for name in FILES if name.startswith("rules/")]))
    lines = FILES[name].decode().splitlines()
    number, column, names = draw(st.sampled_from(list(lines_of_columns(FILES[name].decode()))))
    cut = draw(st.integers(0, len(names)))
    other = draw(
        st.sampled_from(NAMES)
        | st.sampled_from(SPOILT).map(lambda form: form.replace("{}", names))
        | st.just(names[:cut] + names[cut + 1 :])
    )
    removed = draw(st.integers(0, 9)) == 0
    lines[number] = "" if removed else lines[number].replace(f"{column}: {names}", f"{column}: {other}")
    return name, "\n".join(lines).encode()


@cache
def width_by_cell(version: str, caller: CallerClass) -> Mapping[tuple[str, str], int]:
    """How much each cell shows: nothing, `redact`, another mask, all."""

    def width(decision: Decision) -> int:
        if decision.effect is Effect.MASKED:
            return 1 if decision.mask == REDACT else 2
        return 3 if decision.effect is Effect.CLEAR else 0

    table = compile_table(LOADED[version], CELLS, caller)
    return {(agency, name): width(one) for agency, row in table.cells.items() for name, one in row.items()}


BEFORE = load_policy(FILES, catalogue(), AGENCIES)
LOADED = {BEFORE.version: BEFORE}


def names_it(row: tuple[str, ...], policy: Policy, caller: CallerClass, agency: str, coordinate: str) -> bool:
    """Whether a combination that a rule allows names this caller, agency and coordinate, or the coordinate's rows."""

    def within(tree: Tree, name: str | None, given_to: str) -> bool:
        return given_to in {ROOT, "*"} or (name is not None and given_to in tree.lineage(name))

    _, of, to, at, thing, _, purpose, basis, effect, _ = row
    record = coordinate.partition(".")[0]
    covered = {ROOT, coordinate, record, f"{record}.*", policy.tiers[coordinate], policy.tiers[record]}
    return (
        effect == "allow"
        and within(policy.agencies, agency, of)
        and any(within(policy.roles, role, to) for role in caller.roles)
        and within(policy.organisation_tree, caller.organisation, at)
        and thing in covered
        and within(policy.purposes, caller.purpose, purpose)
        and basis in {"-", *(caller.bases or {"none"})}
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(alterations())
def test_an_altered_column_opens_nothing_to_anybody_whom_the_altered_rule_does_not_name(
    alteration: tuple[str, bytes],
) -> None:
    name, content = alteration
    files = {**FILES, name: content}
    after = outcome(files)
    if not isinstance(after, Policy):
        return
    LOADED[after.version] = after
    altered = plain_rows(files) - plain_rows(FILES)
    for caller in CALLERS:
        was, now = (width_by_cell(policy.version, caller) for policy in (BEFORE, after))
        for (agency, coordinate), width in now.items():
            if width > was[agency, coordinate]:
                named = [row for row in altered if names_it(row, after, caller, agency, coordinate)]
                assert named, (caller, agency, coordinate)
