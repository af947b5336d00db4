"""casbin, and nothing else: rows and trees in, the deciding row out. The only module that imports it.

An enforcer holds the rows of one question at a time, put into it just before; it is never reloaded, saved or watched
(casbin's ways of doing so lose rows or open fields for a moment).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from casbin import Enforcer  # type: ignore[import-untyped]

from policies.errors import CasbinConflictError
from policies.policy import Act, Row

Link = tuple[str, str]
"""A child and its parent in one of the five trees."""

_MODEL: Final = (Path(__file__).parent / "model.conf").read_text("utf-8")


def check_distribution() -> None:
    """Raises `CasbinConflictError` where the distribution `casbin` (abandoned at 1.43) is installed: it and `pycasbin`
    put different files into the same module, and whichever came last decides.
    """
    try:
        found = metadata.version("casbin")
    except metadata.PackageNotFoundError:
        return
    raise CasbinConflictError(
        f"the distribution casbin {found} is installed beside pycasbin, and both provide the module `casbin`: "
        "uninstall both, then install pycasbin alone"
    )


check_distribution()


@dataclass(frozen=True, slots=True)
class Request:
    """One question to casbin, in the order of `r` in `model.conf`."""

    role: str
    organisation: str
    agency: str
    coordinate: str
    act: Act
    purpose: str
    basis: str


@dataclass(frozen=True, slots=True)
class Links:
    """The five trees as casbin takes them: g, g2, g3, g4, g5."""

    roles: Collection[Link]
    tiers: Collection[Link]
    organisations: Collection[Link]
    purposes: Collection[Link]
    agencies: Collection[Link]

    def by_definition(self) -> Mapping[str, Collection[Link]]:
        """The links by the name of their role definition."""
        return {
            "g": self.roles,
            "g2": self.tiers,
            "g3": self.organisations,
            "g4": self.purposes,
            "g5": self.agencies,
        }


class Decider:
    """A casbin enforcer over fixed trees. Not for several threads."""

    def __init__(self, links: Links) -> None:
        self._enforcer = Enforcer(Enforcer.new_model(text=_MODEL))
        self._enforcer.add_function("fieldMatch", field_match)
        model = self._enforcer.get_model()
        for definition, pairs in links.by_definition().items():
            model.add_policies("g", definition, [list(pair) for pair in pairs])
        self._enforcer.build_role_links()

    def decide(self, rows: Iterable[Row], request: Request) -> Row | None:
        """The one of these rows that decides, None where none matches (which denies)."""
        by_priority = {str(row.priority): row for row in rows}
        if not by_priority:
            return None
        model = self._enforcer.get_model()
        assertion = model["p"]["p"]
        assertion.policy, assertion.policy_map = [], {}
        model.add_policies("p", "p", [row.values() for row in by_priority.values()])
        # casbin keeps the order of insertion until it is told to sort.
        model.sort_policies_by_priority()
        _, explanation = self._enforcer.enforce_ex(
            request.role,
            request.organisation,
            request.agency,
            request.coordinate,
            str(request.act),
            request.purpose,
            request.basis,
        )
        return by_priority[explanation[0]] if explanation else None


def field_match(coordinate: str, pattern: str) -> bool:
    """Whether `Type.field` falls under `Type.*`. No other pattern matches anything, and `Type` alone never does."""
    record, dot, field = pattern.partition(".")
    return bool(record) and dot == "." and field == "*" and coordinate.startswith(f"{record}.")
