"""`xinqiao policy lint | test | diff | simulate | why | suggest`: what a policy, or a change of one, means."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from gateway.cli.output import FAILED, Json, counted, print_json, print_table
from gateway.cli.policy.connection import (
    LATEST,
    URL,
    Connection,
    Here,
    Policy,
    Token,
    Url,
    reference,
    show_findings,
)
from policies.decision import Basis
from policies.policy import Act

_FINDING: Final = "severity code file line message hint"
_ARROW: Final = {"WIDER": "MORE", "OTHER": "OTHER", "NARROWER": "less"}
"""How a direction is told: what opens data, loudly."""


def lint(policy: Policy, *, here: Here = False, url: Url = URL, token: Token = None, json: Json = False) -> None:
    """Look for mistakes in a policy, and for what is worth a look. Exit status 1 where there are mistakes."""
    document = f"query ($policy: PolicyReference) {{ lint(policy: $policy) {{ {_FINDING} }} }}"
    found = Connection(url, token, here).ask(document, {"policy": reference(policy)})["lint"]
    if json:
        print_json(found)
    elif found:
        show_findings(found)
    else:
        typer.echo("Nothing is wrong, and nothing is worth a look.")
    if any(one["severity"] == "error" for one in found):
        raise typer.Exit(FAILED)


def run_tests(policy: Policy, *, here: Here = False, url: Url = URL, token: Token = None, json: Json = False) -> None:
    """Run a policy's own tests, and say what they reach. Exit status 1 where one fails."""
    document = f"""query ($policy: PolicyReference) {{ runTests(policy: $policy) {{ passed
        outcomes {{ file line roles organisation purpose bases agency coordinate act expected got rule passed }}
        findings {{ {_FINDING} }} testedRules untestedRules outsideValidity roles {{ role asked supplied }} }} }}"""
    report = Connection(url, token, here).ask(document, {"policy": reference(policy)})["runTests"]
    if json:
        print_json(report)
    else:
        _show_report(report)
    if not report["passed"]:
        raise typer.Exit(FAILED)


def _show_report(report: dict[str, Any]) -> None:
    if report["findings"]:
        show_findings(report["findings"])
    failed = [one for one in report["outcomes"] if not one["passed"]]
    if failed:
        rows = [
            (
                f"{one['file']}:{one['line']}",
                f"{' + '.join(one['roles'])}@{one['organisation']}",
                one["purpose"] or "none",
                " + ".join(one["bases"]) or "none",
                f"{one['coordinate']} of {one['agency']}",
                one["expected"],
                f"{one['got']} ({one['rule'] or 'no rule'})",
            )
            for one in failed
        ]
        print_table("Failed", ("where", "who", "for", "given", "what", "expected", "got"), rows)
    typer.echo(f"Of {counted(len(report['outcomes']), 'expectation')}, {len(failed)} failed.")
    rules = report["testedRules"] + len(report["untestedRules"])
    typer.echo(f"{report['testedRules']} of {rules} rules decide something that is tested.")
    if report["untestedRules"]:
        typer.echo(f"Not tested: {', '.join(report['untestedRules'])}.")
    if report["outsideValidity"]:
        typer.echo(f"Not valid today: {', '.join(report['outsideValidity'])}.")
    asked = [(one["role"], f"{one['asked']} of {one['supplied']}") for one in report["roles"]]
    print_table("What the tests ask for", ("role", "coordinates"), asked)


def diff(  # noqa: PLR0913 - the options of a command
    before: Annotated[str, typer.Argument(help="A directory of policy files, a version's number, latest, or a draft.")],
    after: Annotated[str, typer.Argument(help="The same, of the policy to compare with it.")],
    *,
    here: Here = False,
    url: Url = URL,
    token: Token = None,
    json: Json = False,
) -> None:
    """Say who would see more, and who less, under another policy; what opens data comes first."""
    document = """query ($before: PolicyReference, $after: PolicyReference) { diff(before: $before, after: $after) {
        widens publicity organisations { organisation aspect gained lost } changes { direction before after
        act agencies coordinates roles organisations purposes bases cells begins } } }"""
    variables = {"before": reference(before), "after": reference(after)}
    found = Connection(url, token, here).ask(document, variables)["diff"]
    if json:
        print_json(found)
        return
    if found["widens"]:
        typer.echo(f"THIS OPENS DATA OF {', '.join(found['widens'])}; they must approve it.\n")
    if found["changes"]:
        rows = [
            (
                _ARROW[one["direction"]],
                f"{one['before']} -> {one['after']}" + (f" (from {one['begins'][:10]} on)" if one["begins"] else ""),
                _listed(one["coordinates"]) + (" (past its publicity)" if one["act"] == "read_expired" else ""),
                _listed(one["agencies"]),
                _listed(one["roles"]),
                _listed(one["organisations"]),
                _listed(one["purposes"]),
                _listed(one["bases"]),
            )
            for one in found["changes"]
        ]
        columns = ("", "decision", "of what", "of agency", "to role", "at", "for", "given")
        print_table(f"{counted(sum(one['cells'] for one in found['changes']), 'decision')} changed", columns, rows)
    if found["organisations"]:
        changed = [
            (one["organisation"], one["aspect"], ", ".join(one["gained"]), ", ".join(one["lost"]))
            for one in found["organisations"]
        ]
        print_table("Registered otherwise", ("organisation", "what", "gains", "loses"), changed)
    if found["publicity"]:
        typer.echo(f"Publicity periods change ({', '.join(found['publicity'])}): how long records are shown.")
    if not (found["changes"] or found["organisations"] or found["publicity"]):
        typer.echo("No decision changes.")


def simulate(  # noqa: PLR0913 - the options of a command
    after: Annotated[str, typer.Argument(help="A draft, a version's number, or a directory of policy files.")],
    *,
    before: Annotated[str, typer.Option(help="What it is compared with.")] = LATEST,
    days: Annotated[int, typer.Option(min=1, help="The requests of how many days.")] = 30,
    here: Here = False,
    url: Url = URL,
    token: Token = None,
    json: Json = False,
) -> None:
    """Replay the requests that were really made: who would have seen more or less, in how many of them."""
    document = """query ($before: PolicyReference, $after: PolicyReference!, $days: Int!) {
        simulate(before: $before, after: $after, days: $days) { begins ends requests changed unread
        changes { direction roles organisation purpose bases agency coordinate act before after requests companies }
        unreplayed { direction roles organisation purpose reason requests } } }"""
    variables = {"before": reference(before), "after": reference(after), "days": days}
    found = Connection(url, token, here).ask(document, variables)["simulate"]
    if json:
        print_json(found)
    else:
        _show_simulation(found)


def _show_simulation(found: dict[str, Any]) -> None:
    if found["begins"] is None:
        typer.echo("No request was recorded in this time.")
        return
    requests = counted(found["requests"], "request")
    typer.echo(f"Of {requests} since {found['begins'][:16]}, {found['changed']} would get something else.")
    if found["unread"]:
        typer.echo(f"{counted(found['unread'], 'line')} of the audit log could not be read.")
    rows = [
        (
            _ARROW[one["direction"]],
            f"{one['before']} -> {one['after']}",
            f"{one['coordinate']} of {one['agency']}" + (" (past)" if one["act"] == "read_expired" else ""),
            f"{' + '.join(one['roles'])}@{one['organisation']}",
            one["purpose"] or "none",
            " + ".join(one["bases"]) or "none",
            str(one["requests"]),
            str(one["companies"]),
        )
        for one in found["changes"]
    ]
    if rows:
        columns = ("", "decision", "of what", "who", "for", "given", "requests", "companies")
        print_table("What would change", columns, rows)
    rest = [
        (
            one["reason"],
            f"{' + '.join(one['roles'])}@{one['organisation']}",
            one["purpose"] or "none",
            one["direction"],
            str(one["requests"]),
        )
        for one in found["unreplayed"]
    ]
    if rest:
        print_table("Not replayed", ("why", "who", "for", "direction", "requests"), rest)


def why(  # noqa: PLR0913 - the options of a command
    caller: Annotated[str, typer.Argument(help="A role, or role@organisation: bank.officer@first-bank.")],
    coordinate: Annotated[str, typer.Argument(help="A field (Penalty.amount), or a record type for its rows.")],
    *,
    purpose: Annotated[str | None, typer.Option("--for", help="The purpose; left out: none.")] = None,
    given: Annotated[list[Basis] | None, typer.Option(help="A basis that holds; may be repeated.")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="What the consent names; left out: everything.")] = None,
    act: Annotated[Act, typer.Option(help="Records in their publicity period, or past it.")] = Act.READ,
    policy: Annotated[str, typer.Option(help="By which policy.")] = LATEST,
    here: Here = False,
    url: Url = URL,
    token: Token = None,
    json: Json = False,
) -> None:
    """Say why somebody sees what it sees of a field: the deciding rule, the runners-up, what would have to change."""
    document = """query ($caller: String!, $coordinate: String!, $purpose: String, $bases: [Basis!], $scope: [String!],
        $act: Act!, $policy: PolicyReference) { why(caller: $caller, coordinate: $coordinate, purpose: $purpose,
        bases: $bases, scope: $scope, act: $act, policy: $policy) { agency coordinate act decision rule byRows
        runnersUp { rule thing gives standing } remedies { purpose basis gives } denial { rules gives }
        nearMisses { rule thing dimension wanted gives } } }"""
    variables = {
        "caller": caller,
        "coordinate": coordinate,
        "purpose": purpose,
        "bases": [basis.name for basis in given or ()],
        "scope": scope,
        "act": act.name,
        "policy": reference(policy),
    }
    found = Connection(url, token, here).ask(document, variables)["why"]
    if json:
        print_json(found)
        return
    for one in found:
        _show_explanation(one)


def _show_explanation(one: dict[str, Any]) -> None:
    rule = f"by the rule {one['rule']}" if one["rule"] else "since no rule allows it"
    rows = ", as the records are" if one["byRows"] else ""
    typer.echo(f"{one['coordinate']} of {one['agency']}: {one['decision']}, {rule}{rows}.")
    for up in one["runnersUp"]:
        typer.echo(f"  also matches: {up['rule']} ({up['thing']}), which would give {up['gives']}: {up['standing']}")
    if one["denial"]:
        typer.echo(f"  without {', '.join(one['denial']['rules'])}: {one['denial']['gives']}")
    for remedy in one["remedies"]:
        wanted = [f"{word} {remedy[key]}" for key, word in (("purpose", "for"), ("basis", "given")) if remedy[key]]
        typer.echo(f"  {' and '.join(wanted)}: {remedy['gives']}")
    for miss in one["nearMisses"]:
        typer.echo(
            f"  {miss['rule']} ({miss['thing']}) would give {miss['gives']}"
            f" if the {miss['dimension']} were {miss['wanted']}"
        )


def suggest(  # noqa: PLR0913 - the options of a command
    policy: Policy = LATEST,
    *,
    days: Annotated[int, typer.Option(min=1, help="The requests of how many days.")] = 90,
    here: Here = False,
    url: Url = URL,
    token: Token = None,
    json: Json = False,
) -> None:
    """Name the grants that nobody used, and narrower rules that would have served."""
    document = """query ($policy: PolicyReference, $days: Int!) { suggest(policy: $policy, days: $days) {
        finding rule file line days requests last instead } }"""
    variables = {"policy": reference(policy), "days": days}
    found = Connection(url, token, here).ask(document, variables)["suggest"]
    if json:
        print_json(found)
        return
    words = {
        "UNUSED": "decided nothing in {days} days; it could go",
        "NOT_SEEN": "decided nothing in the time that the audit log covers (whole days: {days})",
        "WIDER_THAN_USE": "is wider than its use (requests: {requests}); this would have served:",
    }
    for one in found:
        typer.echo(f"{one['file']}:{one['line']}: {one['rule']} {words[one['finding']].format_map(one)}")
        if one["instead"]:
            typer.echo(f"\n{one['instead']}")
    if not found:
        typer.echo("Nothing to suggest: every grant was used whole, or no request was recorded.")


def _listed(names: list[str]) -> str:
    """The names, or the first of many and how many there are."""
    most = 6
    return ", ".join(names) if len(names) <= most else f"{', '.join(names[:most])} and {len(names) - most} more"
