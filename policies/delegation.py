"""Who may change which policy files.

A central administrator may change all. An agency's may change the rules, and their tests, on the data of its own agency
and of those below it in the tree, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from policies.errors import BeyondDelegation, NotAnAdministrator, PolicyInvalid
from policies.load import PolicyFiles
from policies.located import Findings, Located, read
from policies.rule import NATION
from policies.tree import Tree
from policies.vocabulary import read_trees

ADMINISTRATOR: Final = "policy.admin"
"""The role that keeps policies."""

_FOLDERS: Final = ("rules", "tests")


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who acts on the policy. `agency` is the one that it administers, None for a central administrator."""

    subject: str
    organisation: str
    agency: str | None
    roles: frozenset[str]


def check_administrator(actor: Actor, agencies: Tree) -> None:
    """Raises `NotAnAdministrator` unless the actor keeps policies, for an agency of the tree or centrally."""
    if ADMINISTRATOR not in actor.roles or not actor.subject.strip():
        raise NotAnAdministrator(f"changing the policy needs the role `{ADMINISTRATOR}`")
    if actor.agency is not None and actor.agency not in agencies:
        raise NotAnAdministrator(
            f"`{actor.agency}` is no agency of the policy's tree; a central administrator adds it to trees.yaml"
        )


def check_reach(agency: str | None, names: Iterable[str], agencies: Tree) -> None:
    """Raises `BeyondDelegation`, which names the files, where an administrator of this agency may not change them."""
    beyond = [name for name in names if not reaches(agency, name, agencies)]
    if beyond:
        raise BeyondDelegation(
            f"the administrator of `{agency}` may change rules/ and tests/ of that agency and of those below it, not "
            f"{', '.join(beyond)}; a central administrator, or one of the agency in question, may"
        )


def reaches(agency: str | None, name: str, agencies: Tree) -> bool:
    """Whether an administrator of this agency (None: a central one) may change the file of this name."""
    if agency is None:
        return True
    folder, _, file = name.partition("/")
    owner = file.removesuffix(".yaml")
    # The nation's rules are on everybody's data, even where an agency has that name.
    return folder in _FOLDERS and owner != NATION and agencies.covers(agency, owner)


def agency_tree(files: PolicyFiles) -> Tree:
    """The tree of agencies in a policy's files. Raises `PolicyInvalid` where it cannot be read whole."""
    findings = Findings("trees.yaml")
    document = read(files.get(findings.file), findings) or Located({}, 1)
    agencies = read_trees(document, (), findings).agencies
    if findings.found:
        raise PolicyInvalid(findings.found)
    return agencies
