"""The walk in docs/policies.md is what happens: each command is run, and says what stands there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Demonstration
from tests.end_to_end.shell import run

ROOT = Path(__file__).parents[2]
PROMPT = re.compile(r"(\w+)\$ (.*)")
MADE_UP = re.compile(r"\b[0-9a-f]{12}(?:[0-9a-f]{52})?\b")
"""Ids of drafts, and digests: others in each run."""

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")


@dataclass
class Step:
    """A command, who runs it, and what it says."""

    who: str
    command: str
    said: list[str] = field(default_factory=list)


def steps(text: str) -> Iterator[Step]:
    """The steps of the blocks of the walk."""
    walk = text.split("## A walk")[1].split("\n## ", maxsplit=1)[0]
    for block in walk.split("```console\n")[1:]:
        step: Step | None = None
        for line in block.split("```")[0].splitlines():
            if prompted := PROMPT.fullmatch(line):
                if step:
                    yield step
                step = Step(*prompted.groups())
            elif step and "<<'END'" in step.command and not step.command.endswith("\nEND"):
                step.command += f"\n{line}"
            elif step:
                step.said.append(line)
        if step:
            yield step


def plain(lines: list[str]) -> list[str]:
    """The lines that say something, without what differs in each run: moments, and how wide tables are for them."""
    return [re.sub(r"[ ─━]+", " ", MOMENT.sub("now", line)).rstrip() for line in lines if line.strip()]


def renamed(text: str, meant: dict[str, str]) -> str:
    """The text with the ids and digests of this run."""
    return MADE_UP.sub(lambda found: meant.get(found[0], found[0]), text)


def test_each_command_of_the_walk_says_what_stands_there(
    own_demo: Demonstration, tmp_path: Path, clean_variables: pytest.MonkeyPatch
) -> None:
    meant: dict[str, str] = {}
    address = own_demo.said["url"].removesuffix("/graphql")
    clean_variables.chdir(tmp_path)
    clean_variables.setenv("XQ_URL", own_demo.said["url"])
    clean_variables.setenv("XQ_ADMIN_URL", f"{address}/admin/graphql")
    clean_variables.setenv("CONSENT", own_demo.said["consent"])
    clean_variables.setenv("COMPANY", own_demo.showcase)
    walked = list(steps((ROOT / "docs/policies.md").read_text("utf-8")))
    assert len(walked) > 10
    for step in walked:
        clean_variables.setenv("XQ_TOKEN", own_demo.said["tokens"][step.who])
        said = run(renamed(step.command, meant))
        meant |= dict(zip(MADE_UP.findall("\n".join(step.said)), MADE_UP.findall(said), strict=False))
        expected = [renamed(line, meant) for line in step.said]
        assert plain(said.splitlines()) == plain(expected), step.command
