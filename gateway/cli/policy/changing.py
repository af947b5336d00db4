"""`xinqiao policy propose | rebase | approve | publish | withdraw | rollback | deny`: changing the policy."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from gateway.cli.output import Json, print_json
from gateway.cli.policy.connection import URL, Connection, Token, Url, Why, base_of, files_in

DraftId = Annotated[str, typer.Argument(help="The draft's id.")]
Base = Annotated[
    int | None, typer.Option(help="The version that it was made from, if version.yaml does not say; else the latest.")
]
Again = Annotated[str | None, typer.Option("--draft", help="The draft of your own to replace; left out: a new one.")]

_DRAFT: Final = "id base digest author agency why createdAt restores changed approvals { by agency digest at }"
_VERSION: Final = "number digest publishedAt by why restores emergency approvals { by agency digest at }"


def propose(  # noqa: PLR0913 - the options of a command
    directory: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="A directory of policy files.")],
    *,
    why: Why,
    base: Base = None,
    draft: Again = None,
    url: Url = URL,
    token: Token = None,
    json: Json = False,
) -> None:
    """Save a directory's policy files as a draft."""
    document = f"""mutation ($files: [PolicyFileInput!]!, $why: String!, $base: Int, $draft: ID) {{
        made: propose(files: $files, why: $why, base: $base, draft: $draft) {{ {_DRAFT} }} }}"""
    made_from = base or base_of(directory)
    variables = {"files": files_in(directory), "why": why, "base": made_from, "draft": draft}
    _tell_draft(Connection(url, token).ask(document, variables)["made"], json=json)


def import_workbook(  # noqa: PLR0913 - the options of a command
    workbook: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="An edited workbook (xlsx).")],
    *,
    why: Why,
    base: Base = None,
    draft: Again = None,
    url: Url = URL,
    token: Token = None,
    json: Json = False,
) -> None:
    """Save an edited workbook as a draft."""
    document = f"""mutation ($content: String!, $why: String!, $base: Int, $draft: ID) {{
        made: proposeWorkbook(content: $content, why: $why, base: $base, draft: $draft) {{ {_DRAFT} }} }}"""
    content = base64.b64encode(workbook.read_bytes()).decode()
    variables = {"content": content, "why": why, "base": base, "draft": draft}
    _tell_draft(Connection(url, token).ask(document, variables)["made"], json=json)


def rebase(draft: DraftId, *, url: Url = URL, token: Token = None, json: Json = False) -> None:
    """Make an outdated draft's changes on the latest version."""
    document = f"mutation ($draft: ID!) {{ made: rebase(draft: $draft) {{ {_DRAFT} }} }}"
    _tell_draft(Connection(url, token).ask(document, {"draft": draft})["made"], json=json)


def rollback(
    version: Annotated[int, typer.Argument(help="The number of the version to go back to.")],
    *,
    why: Why,
    url: Url = URL,
    token: Token = None,
    json: Json = False,
) -> None:
    """Make a draft that publishes an old version's files again."""
    document = f"""mutation ($version: Int!, $why: String!) {{
        made: rollBack(version: $version, why: $why) {{ {_DRAFT} }} }}"""
    _tell_draft(Connection(url, token).ask(document, {"version": version, "why": why})["made"], json=json)


def approve(
    draft: DraftId,
    digest: Annotated[str, typer.Argument(help="The digest of what you have read, as `policy show` prints it.")],
    *,
    url: Url = URL,
    token: Token = None,
    json: Json = False,
) -> None:
    """Stand for a draft that another wrote, as it has this digest."""
    document = f"""mutation ($draft: ID!, $digest: String!) {{
        made: approve(draft: $draft, digest: $digest) {{ {_DRAFT} }} }}"""
    _tell_draft(Connection(url, token).ask(document, {"draft": draft, "digest": digest})["made"], json=json)


def publish(draft: DraftId, *, url: Url = URL, token: Token = None, json: Json = False) -> None:
    """Make an approved draft the next version."""
    document = f"mutation ($draft: ID!) {{ made: publish(draft: $draft) {{ {_VERSION} }} }}"
    _tell_version(Connection(url, token).ask(document, {"draft": draft})["made"], json=json)


def withdraw(draft: DraftId, *, url: Url = URL, token: Token = None, json: Json = False) -> None:
    """Remove a draft."""
    document = f"mutation ($draft: ID!) {{ made: withdraw(draft: $draft) {{ {_DRAFT} }} }}"
    made = Connection(url, token).ask(document, {"draft": draft})["made"]
    if json:
        print_json(made)
    else:
        typer.echo(f"Draft {made['id']} is withdrawn.")


def deny(  # noqa: PLR0913 - the options of a command
    rule: Annotated[typer.FileText, typer.Argument(help="One rule that denies, as in a rule file; - reads it.")],
    *,
    why: Why,
    of: Annotated[str, typer.Option(help="The agency whose rule file it goes into.")] = "nation",
    url: Url = URL,
    token: Token = None,
    json: Json = False,
) -> None:
    """Deny something at once, alone: an emergency."""
    document = f"""mutation ($agency: String!, $rule: String!, $why: String!) {{
        made: emergencyDeny(agency: $agency, rule: $rule, why: $why) {{ {_VERSION} }} }}"""
    variables = {"agency": of, "rule": rule.read(), "why": why}
    _tell_version(Connection(url, token).ask(document, variables)["made"], json=json)


def _tell_draft(made: dict[str, Any], *, json: bool) -> None:
    if json:
        print_json(made)
        return
    typer.echo(f"Draft {made['id']}, on version {made['base']}, by {made['author']}: {made['why']}")
    typer.echo(f"It changes {', '.join(made['changed']) or 'nothing'}.")
    typer.echo(f"Digest {made['digest']}")
    approved = [f"{one['by']} ({one['agency'] or 'the centre'})" for one in made["approvals"]]
    typer.echo(f"Approved by {', '.join(approved)}." if approved else "Nobody has approved it as it is.")


def _tell_version(made: dict[str, Any], *, json: bool) -> None:
    if json:
        print_json(made)
        return
    flag = " (EMERGENCY: by one person alone)" if made["emergency"] else ""
    typer.echo(f"Version {made['number']} is published{flag}: {made['why']}")
