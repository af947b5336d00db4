"""Commands that are loaded when they are asked for: loading all that a gateway needs takes seconds, asking one none."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import ClassVar, cast

import typer
from typer.core import TyperCommand, TyperGroup

Command = TyperCommand | TyperGroup


def lazy_group(commands: Mapping[str, str]) -> type[TyperGroup]:
    """A group of these commands, each a `module:name` of a command's function, or of a group."""

    class Group(TyperGroup):
        places: ClassVar = dict(commands)

        def list_commands(self, ctx: object) -> list[str]:  # noqa: ARG002 - typer's signature
            return list(self.places)

        def get_command(self, ctx: object, cmd_name: str) -> Command | None:  # noqa: ARG002
            place = self.places.get(cmd_name)
            return _loaded(cmd_name, place) if place else None

    return Group


def _loaded(name: str, place: str) -> Command:
    module, _, attribute = place.partition(":")
    made = getattr(import_module(module), attribute)
    if not isinstance(made, typer.Typer):
        function, made = made, typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        made.command(name)(function)
    command = cast("Command", typer.main.get_command(made))
    command.name = name
    return command
