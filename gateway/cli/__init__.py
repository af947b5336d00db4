"""The command line: `xinqiao serve | demo | query | plan | check | sdl | policy | consent`.

Exit status: 0 done; 1 the answer, the manifests or the policies have errors; 2 the command was not understood, or
something that it needs is missing.
"""

from __future__ import annotations

import typer

from gateway.cli.check import check
from gateway.cli.consent import consent
from gateway.cli.demo import demo
from gateway.cli.plan import plan
from gateway.cli.policy import policy
from gateway.cli.query import query
from gateway.cli.sdl import sdl
from gateway.cli.serve import serve

app = typer.Typer(
    name="xinqiao",
    help="信桥 Xinqiao: answers about a company's credit, out of the agencies' own systems.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

for command in (serve, demo, query, plan, check, sdl):
    app.command()(command)
for group in (policy, consent):
    app.add_typer(group)
