"""The command line, `xinqiao`, and its commands.

Exit status: 0 done; 1 the answer, the manifests or the policies have errors, or what changes would break something; 2
the command was not understood, or something that it needs is missing.
"""

from __future__ import annotations

import typer

from gateway.cli.lazy import lazy_group

_NAMES = (
    "serve",
    "demo",
    "agencies",
    "query",
    "plan",
    "check",
    "doctor",
    "diff",
    "connector",
    "sdl",
    "policy",
    "consent",
    "api-key",
    "audit",
    "receipt",
)

app = typer.Typer(
    name="xinqiao",
    cls=lazy_group({name: "gateway.cli.{0}:{0}".format(name.replace("-", "_")) for name in _NAMES}),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def xinqiao() -> None:
    """信桥 Xinqiao: answers about a company's credit, out of the agencies' own systems."""
