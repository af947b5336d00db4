"""`xinqiao policy ...`: tune who sees what, and know what a change does before it happens."""

from __future__ import annotations

from typing import Final

import typer

from gateway.cli.lazy import lazy_group

_MODULES: Final = {
    "reading": ("versions", "drafts", "show", "pull", "export"),
    "analysing": ("lint", "test", "diff", "simulate", "why", "suggest"),
    "changing": ("propose", "import", "rebase", "approve", "publish", "withdraw", "rollback", "deny"),
    "keeping": ("init", "backup", "restore"),
}
_FUNCTIONS: Final = {"test": "run_tests", "import": "import_workbook"}
"""The functions that are not named as their commands are: those names are taken."""

policy: Final = typer.Typer(
    name="policy",
    cls=lazy_group(
        {
            name: f"gateway.cli.policy.{module}:{_FUNCTIONS.get(name, name)}"
            for module, names in _MODULES.items()
            for name in names
        }
    ),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@policy.callback()
def group() -> None:
    """Who sees what: read it, change it, and know what a change does."""
