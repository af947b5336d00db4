"""`xinqiao connector ...`: an agency's system, from nothing to a manifest that is known to be good."""

from __future__ import annotations

from typing import Final

import typer

from gateway.cli.lazy import lazy_group

connector: Final = typer.Typer(
    name="connector",
    cls=lazy_group(
        {
            "new": "gateway.cli.connector.new:new",
            "check": "gateway.cli.connector.check:check",
            "probe": "gateway.cli.connector.probe:probe",
            "test": "gateway.cli.connector.test:run_tests",
        }
    ),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@connector.callback()
def group() -> None:
    """Expose an agency's system: draft its manifest, check it, try it on the system, and test it there."""
