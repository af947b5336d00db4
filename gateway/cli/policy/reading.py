"""`xinqiao policy versions | drafts | show | pull | export`: what there is."""

from __future__ import annotations

import base64
from difflib import unified_diff
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from gateway.cli.output import Json, counted, failing_plainly, plain, print_json, print_table
from gateway.cli.policy.connection import LATEST, URL, Connection, Here, Policy, Token, Url, reference
from policies.load import read_directory
from policies.store.model import VERSION_FILE

_APPROVALS: Final = "approvals { by agency digest at }"
_VERSION: Final = f"number digest publishedAt by why restores emergency {_APPROVALS}"
_DRAFT: Final = f"id base digest author agency why createdAt restores changed {_APPROVALS}"
_FILES: Final = "files { name content }"


def versions(
    *,
    first: Annotated[int, typer.Option(min=1, help="At most this many, the newest first.")] = 20,
    url: Url = URL,
    token: Token = None,
    json: Json = False,
) -> None:
    """List the published versions, and say which is in force."""
    document = f"query ($first: Int!) {{ inForce versions(first: $first) {{ {_VERSION} }} }}"
    data = Connection(url, token).ask(document, {"first": first})
    if json:
        print_json(data)
        return
    rows = [
        (
            str(one["number"]),
            one["publishedAt"][:16],
            one["by"],
            ", ".join(approval["by"] for approval in one["approvals"])
            or ("nobody: EMERGENCY" if one["emergency"] else "-"),
            f"{one['why']}" + (f" (as version {one['restores']})" if one["restores"] else ""),
        )
        for one in data["versions"]
    ]
    print_table(f"In force here: {data['inForce']}", ("version", "published", "by", "approved by", "why"), rows)


def drafts(*, url: Url = URL, token: Token = None, json: Json = False) -> None:
    """List the drafts."""
    data = Connection(url, token).ask(f"{{ drafts {{ {_DRAFT} }} }}", {})
    if json:
        print_json(data)
        return
    rows = [
        (
            one["id"],
            str(one["base"]),
            one["author"],
            ", ".join(approval["by"] for approval in one["approvals"]) or "-",
            ", ".join(one["changed"]),
            one["why"],
        )
        for one in data["drafts"]
    ]
    print_table(counted(len(rows), "draft"), ("draft", "on version", "by", "approved by", "changes", "why"), rows)


def show(
    draft: Annotated[str, typer.Argument(help="The draft's id.")],
    *,
    url: Url = URL,
    token: Token = None,
    json: Json = False,
) -> None:
    """Show a draft: who, why, its digest, and each line that it changes."""
    connection = Connection(url, token)
    made = connection.ask(f"query ($id: ID!) {{ draft(id: $id) {{ {_DRAFT} {_FILES} }} }}", {"id": draft})["draft"]
    base = connection.ask(
        f"query ($number: Int!) {{ version(number: $number) {{ {_FILES} }} }}", {"number": made["base"]}
    )
    if json:
        print_json(made)
        return
    typer.echo(f"Draft {made['id']}, on version {made['base']}, by {made['author']}: {made['why']}")
    typer.echo(f"Digest {made['digest']}\n")
    before, after = _texts(base["version"]["files"]), _texts(made["files"])
    for name in made["changed"]:
        old, new = (texts.get(name, "").splitlines(keepends=True) for texts in (before, after))
        typer.echo(plain("".join(unified_diff(old, new, f"version {made['base']}: {name}", f"draft: {name}", n=1))))


def pull(
    directory: Annotated[Path, typer.Argument(help="Where to write the files; made where it is missing.")],
    *,
    policy: Annotated[str, typer.Option("--from", help="A version's number, `latest`, or a draft.")] = LATEST,
    url: Url = URL,
    token: Token = None,
) -> None:
    """Write a policy's files into a directory, to edit them there."""
    connection = Connection(url, token)
    given = reference(policy) or {"version": None}
    files = {}
    if "draft" in given:
        document = f"query ($id: ID!) {{ draft(id: $id) {{ base {_FILES} }} }}"
        draft = connection.ask(document, {"id": given["draft"]})["draft"]
        files, given = _texts(draft["files"]), {"version": draft["base"]}
    document = f"query ($number: Int) {{ version(number: $number) {{ number {_FILES} }} }}"
    version = connection.ask(document, {"number": given["version"]})["version"]
    base = _texts(version["files"])
    # version.yaml says what the files were made from, to whoever proposes them.
    written = files | {VERSION_FILE: base[VERSION_FILE]} if files else base
    with failing_plainly():
        for file, text in written.items():
            path = directory / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        others = sorted(read_directory(directory).keys() - written.keys())
    typer.echo(f"{directory} holds the {len(written)} files, on version {version['number']}.")
    if others:
        typer.echo(
            f"It also holds {', '.join(others)}, which the policy has not; remove what you do not mean to propose.",
            err=True,
        )


def export(
    workbook: Annotated[Path, typer.Argument(dir_okay=False, help="Where to write the workbook (xlsx).")],
    *,
    policy: Policy = LATEST,
    here: Here = False,
    url: Url = URL,
    token: Token = None,
) -> None:
    """Write a policy as a workbook (xlsx), to edit it in a spreadsheet program."""
    document = "query ($policy: PolicyReference) { workbook(policy: $policy) }"
    data = Connection(url, token, here).ask(document, {"policy": reference(policy)})
    with failing_plainly():
        workbook.write_bytes(base64.b64decode(data["workbook"]))
    typer.echo(f"{workbook} is written.")


def _texts(files: list[dict[str, Any]]) -> dict[str, str]:
    return {file["name"]: file["content"] for file in files}
