"""What a consent's scope may name: tiers, `Type`, `Type.field` and `Type.*`."""

from __future__ import annotations

from collections.abc import Iterable

from policies.errors import ConsentScopeInvalid
from policies.vocabulary import near
from schema.catalogue import Catalogue, Tier


def check_scope(scope: Iterable[str], catalogue: Catalogue) -> None:
    """Raises `ConsentScopeInvalid` with every name that means nothing, each with the nearest that does. A name of
    tier SEALED means nothing either: such fields are opened one by one.
    """
    options = {
        *(tier for tier in Tier if tier is not Tier.SEALED),
        *(coordinate for coordinate, _ in catalogue.tiers()),
        *(f"{record}.*" for record in catalogue.records),
    }
    mistakes = [_mistake(name, options) for name in scope if name not in options]
    if mistakes:
        raise ConsentScopeInvalid("; ".join(mistakes))


def _mistake(name: str, options: Iterable[str]) -> str:
    if name == Tier.SEALED:
        return f"`{name}` opens nothing: name each sealed field"
    hint = near(name, options) or "a scope names tiers, Type, Type.field or Type.*"
    return f"unknown scope `{name}` ({hint})"
