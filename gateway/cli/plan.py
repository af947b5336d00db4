"""`xinqiao plan`: what a query would ask of whom, before it asks."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Annotated, Any

import orjson
import typer
from graphql import ListTypeNode, NonNullTypeNode, OperationDefinitionNode, print_ast

from gateway.assembly import Installation, policy_files, read_installation
from gateway.cli.output import FAILED, Json, failing_plainly, print_json, print_table
from gateway.editions.editions import Loaded
from gateway.editions.views import Views
from gateway.limits import Limits
from gateway.settings import load_settings
from gateway.stages.arguments import slices
from gateway.stages.document import Documents, parse_document
from gateway.stages.explain import explain
from gateway.stages.lookup import finders
from gateway.stages.plan import Plan, companies_at
from gateway.stages.prepare import Preparer
from gateway.stages.refusals import RequestRefused
from gateway.stages.roots import root_companies
from policies.analysis.caller import named_caller
from policies.compile import compile_table, openable
from policies.decision import Basis, CallerClass


def plan(  # noqa: PLR0913 - the options of a command
    file: Annotated[typer.FileText, typer.Argument(help="The GraphQL operation; - reads standard input.")],
    *,
    caller: Annotated[str, typer.Option("--as", help="The role, or role@organisation: bank.officer@first-bank.")],
    purpose: Annotated[str | None, typer.Option(help="Why: a purpose such as credit.underwriting.")] = None,
    basis: Annotated[
        list[Basis] | None, typer.Option(help="A legal basis that holds for the companies; may be repeated.")
    ] = None,
    variables: Annotated[
        str, typer.Option(help="The operation's variables, a JSON object. Credit codes may be left out.")
    ] = "{}",
    companies: Annotated[
        int | None,
        typer.Option(min=1, help="How many companies each root asks for; by default those of the variables."),
    ] = None,
    json: Json = False,
) -> None:
    """Print the plan of a query: fetches, columns, decisions and estimated calls. Nothing is asked of any agency.

    The bases are taken to hold for the companies asked about, and for none that links lead to.
    """
    with failing_plainly():
        settings = load_settings()
        installation = read_installation(settings)
        loaded = installation.load(asyncio.run(policy_files(settings.policies)))
        who = named_caller(loaded.policy, caller, purpose, basis or ())
        try:
            text, values = file.read(), orjson.loads(variables)
            document = _explain(installation, loaded, settings.limits.operation(), who, text, values, companies)
        except orjson.JSONDecodeError as error:
            raise typer.BadParameter(f"is not JSON: {error}", param_hint="--variables") from None
        except RequestRefused as refused:
            for shown in refused.formatted():
                typer.echo(f"{refused.code}: {shown['message']}", err=True)
            raise typer.Exit(FAILED) from None
    if json:
        print_json(document)
    else:
        _show(document, f"{caller.partition('@')[0]} of {who.organisation}")


def _explain(  # noqa: PLR0913, PLR0917 - all that a plan depends on
    installation: Installation,
    loaded: Loaded,
    limits: Limits,
    who: CallerClass,
    text: str,
    values: dict[str, Any],
    companies: int | None,
) -> dict[str, Any]:
    opened = openable(loaded.policy, installation.cells, who.roles, who.organisation)
    view = Views(installation.contract).view(opened, loaded.policy.unreleased)
    documents = Documents(installation.catalogue, limits)
    operation, coerced = asyncio.run(documents.read(view, text, None, {**_placeholders(text), **values}))
    wanted = slices(operation, coerced, limits)
    preparer = Preparer(installation.datasets, installation.agencies, loaded.publicity)

    def made(caller_class: CallerClass) -> Plan:
        table = compile_table(loaded.policy, installation.cells, caller_class)
        return preparer.prepare(operation, wanted, table).plan

    beyond = replace(who, bases=frozenset[Basis](), consent_scope=frozenset[str]())
    asked = asyncio.run(root_companies(operation, coerced, limits)).asked
    roots = {
        enterprise: companies or len(set(one.codes) - {None}) or (one.lookup.first if one.lookup else 1)
        for one in asked
        for enterprise in one.root.enterprises
    }
    nobody = compile_table(loaded.policy, installation.cells, beyond)
    lookups = {
        one.root.selection.key: finders(one.lookup, installation.datasets.values(), nobody)
        for one in asked
        if one.lookup
    }
    return explain(made(who), made(beyond), companies_at(roots, wanted, limits.companies), lookups)


def _placeholders(text: str) -> dict[str, Any]:
    """A value for each variable that holds credit codes, for when none is given. Raises `SyntaxInvalid`."""
    values: dict[str, Any] = {}
    for node in parse_document(text).definitions:
        for variable in node.variable_definitions or () if isinstance(node, OperationDefinitionNode) else ():
            required = variable.type.type if isinstance(variable.type, NonNullTypeNode) else variable.type
            if print_ast(required).strip("[]!") == "CreditCode":
                values[variable.variable.name.value] = [] if isinstance(required, ListTypeNode) else ""
    return values


def _show(document: dict[str, Any], caller: str) -> None:
    typer.echo(f"As {caller}, under policy {document['policy']}: at most {document['calls']} calls.\n")
    for place in document["places"]:
        print_table(
            f"{place['path']} (level {place['level']}, at most {place['companies']} companies)",
            ("dataset", "calls", "a call", "columns", "control"),
            [
                (
                    fetch["dataset"],
                    str(fetch["calls"]),
                    str(fetch["companiesPerCall"]),
                    " ".join(fetch["columns"]),
                    " ".join(fetch["control"]),
                )
                for fetch in place["fetches"]
            ],
        )
        if place["notAsked"]:
            typer.echo(f"Not asked, withheld: {', '.join(place['notAsked'])}\n")
        cut = [decision for decision in place["decisions"] if decision["decision"] != "CLEAR"]
        if cut:
            parts = ("coordinate", "agency", "decision", "mask", "rule", "reason")
            print_table("not clear", parts, [[str(decision[part] or "") for part in parts] for decision in cut])
