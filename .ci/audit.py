"""Looks every locked dependency up among the known advisories, by pip-audit, and says honestly what came of it.

pip-audit alone ends well where it could look up nothing (it lists what it skipped; tried on 2.10). Here there are three
outcomes: clean (exit status 0), found (1), and not audited (3), which is never taken for clean. With
`--where-reachable` what was not audited is said, and ends with 0: for machines that reach a package registry alone.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

CLEAN: Final = 0
FOUND: Final = 1
NOT_AUDITED: Final = 3

_HERE: Final = Path(__file__).parent
_OPTIONS: Final = ("--format", "json", "--progress-spinner", "off", "--disable-pip", "--require-hashes")
_SECONDS: Final = 600


@dataclass(frozen=True)
class Outcome:
    """What auditing came to, in lines to be read. `packages` is how many were looked up."""

    status: int
    packages: int
    lines: tuple[str, ...]


def judge(
    reports: Mapping[str, Mapping[str, Any] | None], exceptions: Sequence[Mapping[str, Any]], today: dt.date
) -> Outcome:
    """What pip-audit's reports come to, by lock file; None where there was none."""
    dependencies = [one for report in reports.values() if report for one in report["dependencies"]]
    audited = [one for one in dependencies if "skip_reason" not in one]
    if not audited:
        return Outcome(NOT_AUDITED, 0, ("NOT AUDITED: no advisory service could be reached; nothing was looked up",))
    mistakes = [f"{lock}: pip-audit gave no report" for lock, report in reports.items() if report is None]
    mistakes += [f"{one['name']}: could not be looked up" for one in dependencies if "skip_reason" in one]
    met: set[str] = set()
    for one in audited:
        for advisory in one["vulns"]:
            names = {advisory["id"], *advisory.get("aliases", ())}
            excused = {e["id"] for e in exceptions if e["id"] in names and e["package"] == one["name"]}
            met |= excused
            if not excused:
                mended = ", ".join(advisory.get("fix_versions", ())) or "no version yet"
                mistakes.append(f"{one['name']} {one['version']}: {advisory['id']}, mended by {mended}")
    mistakes += _exceptions(exceptions, met, today)
    return Outcome(FOUND if mistakes else CLEAN, len(audited), tuple(dict.fromkeys(mistakes)))


def _exceptions(exceptions: Sequence[Mapping[str, Any]], met: set[str], today: dt.date) -> Iterator[str]:
    for one in exceptions:
        if one["until"] <= today:
            yield f"{one['package']}: the exception for {one['id']} ended on {one['until']}"
        elif one["id"] not in met:
            yield f"{one['package']}: the exception for {one['id']} is for nothing that was found; remove it"


def read_exceptions(path: Path) -> list[Mapping[str, Any]]:
    """The exceptions in a file. Raises `ValueError` where one lacks its reason or its end."""
    found = tomllib.loads(path.read_text()).get("exception", [])
    for one in found:
        if not (one.keys() == {"id", "package", "reason", "until"} and one["reason"] and type(one["until"]) is dt.date):
            raise ValueError(f"{path}: an exception has id, package, reason and until (a day), and nothing else")
    return list(found)


def report_of(tool: str, lock: Path) -> Mapping[str, Any] | None:
    """What pip-audit reports of a lock file; None where it ended without a report."""
    run = subprocess.run(  # noqa: S603 - the tool beside this file
        [tool, *_OPTIONS, "--requirement", str(lock)], capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    try:
        report = json.loads(run.stdout)
    except ValueError:
        return None
    return report if isinstance(report, dict) else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Audits lock files, prints what came of it, and gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("locks", nargs="+", type=Path, help="files of requirements with hashes")
    parser.add_argument("--tool", required=True, help="pip-audit, as it is installed")
    parser.add_argument("--exceptions", type=Path, default=_HERE / "audit.toml")
    parser.add_argument("--where-reachable", action="store_true", help="do not fail where no service can be reached")
    given = parser.parse_args(arguments)
    today = dt.datetime.now(dt.UTC).date()
    reports = {str(lock): report_of(given.tool, lock) for lock in given.locks}
    outcome = judge(reports, read_exceptions(given.exceptions), today)
    if outcome.status == CLEAN:
        print(f"{outcome.packages} packages looked up, none with a known advisory")
    for line in outcome.lines:
        print(line, file=sys.stderr)
    return CLEAN if outcome.status == NOT_AUDITED and given.where_reachable else outcome.status


if __name__ == "__main__":
    sys.exit(main())
