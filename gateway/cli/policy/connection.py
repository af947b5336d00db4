"""How the policy commands ask the administration: a running gateway's or, about files that lie here, their own."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from gateway.cli.http import headers_for, post
from gateway.cli.output import FAILED, counted, failing_plainly, plain, print_table
from policies.load import read_directory
from policies.store.model import VERSION_FILE, authored

LATEST: Final = "latest"
SECONDS: Final = 300.0
"""How long an answer may take: analyses of large policies do."""

Url = Annotated[str, typer.Option(envvar="XQ_ADMIN_URL", help="The administration's address.")]
Token = Annotated[
    str | None, typer.Option(envvar="XQ_TOKEN", help="Who asks: a bearer token of a fresh login.", show_envvar=True)
]
Why = Annotated[str, typer.Option(help="Why the policy is changed, in one line.")]
Policy = Annotated[str, typer.Argument(help="A directory of policy files, a version's number, latest, or a draft.")]

Here = Annotated[
    bool, typer.Option("--here", help="Ask this installation's own settings, not a running gateway, about directories.")
]

URL: Final = "http://127.0.0.1:8000/admin/graphql"


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the administration is, and who asks; `here`: not over HTTP, but by the settings of this installation."""

    url: str
    token: str | None
    here: bool = False

    def ask(self, document: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The data of a GraphQL response. Ends the command, with what is wrong, where there are errors."""
        if self.here:
            # Here alone, for it loads the whole gateway.
            from gateway.admin.local import ask_here  # noqa: PLC0415

            with failing_plainly():
                return _data(asyncio.run(ask_here(document, variables)))
        return _data(
            post(self.url, {"query": document, "variables": dict(variables)}, headers_for(self.token), SECONDS)
        )


def reference(policy: str) -> dict[str, Any] | None:
    """A policy as the administration's schema names it; None for the latest version."""
    if policy == LATEST:
        return None
    if Path(policy).is_dir():
        return {"files": files_in(Path(policy))}
    # The id of a draft may be of digits alone; it is longer than any version's number.
    return {"version": int(policy)} if re.fullmatch(r"[0-9]{1,9}", policy) else {"draft": policy}


def base_of(directory: Path) -> int | None:
    """The version that a directory's files were made from, as their version.yaml says; None where there is none."""
    path = directory / VERSION_FILE
    found = re.search(r"(?m)^number: (\d{1,9})$", path.read_text("utf-8", "replace")) if path.is_file() else None
    return int(found[1]) if found else None


def files_in(directory: Path) -> list[dict[str, str]]:
    """The policy files of a directory, as they are sent."""
    try:
        return [
            {"name": name, "content": content.decode()} for name, content in authored(read_directory(directory)).items()
        ]
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{directory} holds a file that is not UTF-8", param_hint="policy") from None


def _data(answer: Mapping[str, Any]) -> dict[str, Any]:
    for error in answer.get("errors", ()):
        extensions = error.get("extensions", {})
        if findings := extensions.get("findings"):
            show_findings(findings)
        else:
            typer.echo(plain(f"{extensions.get('code', 'ERROR')}: {error['message']}"), err=True)
    if answer.get("errors"):
        raise typer.Exit(FAILED)
    return dict(answer["data"])


def show_findings(findings: list[dict[str, Any]]) -> None:
    """The mistakes in a policy's files, each with its place and its way out."""
    rows = [(f"{one['file']}:{one['line']}", one["code"], one["message"], one.get("hint") or "") for one in findings]
    print_table(counted(len(rows), "finding"), ("where", "code", "what", "way out"), rows)
