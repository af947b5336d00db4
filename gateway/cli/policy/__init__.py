"""`xinqiao policy ...`: tune who sees what, and know what a change does before it happens."""

from __future__ import annotations

import typer

from gateway.cli.policy.analysing import diff, lint, run_tests, simulate, suggest, why
from gateway.cli.policy.changing import approve, deny, import_, propose, publish, rebase, rollback, withdraw
from gateway.cli.policy.keeping import backup, init, restore
from gateway.cli.policy.reading import drafts, export, pull, show, versions

policy = typer.Typer(
    name="policy", no_args_is_help=True, help="Who sees what: read it, change it, and know what a change does."
)

for command in (
    versions,
    drafts,
    show,
    pull,
    lint,
    diff,
    simulate,
    why,
    suggest,
    propose,
    rebase,
    approve,
    publish,
    withdraw,
    rollback,
    deny,
    export,
    init,
    backup,
    restore,
):
    policy.command()(command)
policy.command("import")(import_)
policy.command("test")(run_tests)
