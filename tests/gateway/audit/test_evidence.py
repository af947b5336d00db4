"""What is read from an audit log about what is really asked."""

from __future__ import annotations

import datetime as dt
import os
import pickle
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.audit.evidence import log_files, read_evidence
from policies.analysis.shapes import Evidence
from policies.decision import Basis, CallerClass
from policies.policy import Act

AT = dt.datetime(2026, 11, 1, 9, 0, tzinfo=dt.UTC)
LONG_AGO = AT - dt.timedelta(days=365)
OFFICER = CallerClass(frozenset({"bank.officer"}), "first-bank", "credit")
CONSENTED = CallerClass(
    OFFICER.roles, OFFICER.organisation, OFFICER.purpose, frozenset({Basis.CONSENT}), frozenset({"AUTHORISED"})
)


def decided(coordinate: str, rule: str | None = "public-data", act: str = "read") -> dict[str, Any]:
    return {
        "agency": "tax",
        "act": act,
        "coordinate": coordinate,
        "decision": "CLEAR" if rule else "WITHHELD",
        "mask": None,
        "rule": rule,
    }


def class_of(caller: CallerClass, *decisions: dict[str, Any], companies: int = 1) -> dict[str, Any]:
    return {
        "bases": sorted(caller.bases),
        "scope": sorted(caller.consent_scope),
        "companies": companies,
        "decisions": list(decisions),
    }


def answered(*classes: dict[str, Any], minutes: int = 0, **more: Any) -> bytes:
    record = {
        "at": AT + dt.timedelta(minutes=minutes),
        "requestId": "r",
        "subject": "officer",
        "organisation": "first-bank",
        "company": None,
        "roles": ["bank.officer"],
        "purpose": "credit",
        "outcome": "ANSWERED",
        "classes": list(classes),
        **more,
    }
    return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


ROWS = class_of(OFFICER, decided("TaxArrears"), decided("TaxArrears.balance", None), companies=3)


def written(path: Path, *lines: bytes) -> Path:
    path.write_bytes(b"".join(lines))
    return path


def read(path: Path, since: dt.datetime = LONG_AGO) -> Evidence:
    return read_evidence([path], since)


def test_requests_alike_are_counted_together_whatever_was_decided(tmp_path: Path) -> None:
    opened = class_of(OFFICER, decided("TaxArrears"), decided("TaxArrears.balance", "bank-arrears"), companies=2)
    lines = [answered(ROWS), answered(ROWS, minutes=5), answered(opened, minutes=9)]
    (shape,) = read(written(tmp_path / "a", *lines)).shapes
    (asked,) = shape.asked
    assert (asked.caller, asked.coordinates) == (
        OFFICER,
        frozenset({("tax", "TaxArrears"), ("tax", "TaxArrears.balance")}),
    )
    assert (shape.requests, shape.companies, asked.companies) == (3, 8, 8)
    assert (shape.first, shape.last) == (AT, AT + dt.timedelta(minutes=9))


def test_the_classes_of_one_request_stay_together_and_places_of_one_class_are_one(tmp_path: Path) -> None:
    line = answered(ROWS, class_of(CONSENTED, decided("TaxArrears")), class_of(OFFICER, decided("TaxPayment")))
    (shape,) = read(written(tmp_path / "a", line)).shapes
    assert {(one.caller, len(one.coordinates), one.companies) for one in shape.asked} == {
        (OFFICER, 3, 4),
        (CONSENTED, 1, 1),
    }


def test_how_often_a_rule_decided_is_told_by_class_and_coordinate(tmp_path: Path) -> None:
    expired = class_of(OFFICER, decided("TaxArrears"), decided("TaxArrears", "old", "read_expired"))
    uses = read(written(tmp_path / "a", answered(ROWS), answered(expired, minutes=5))).uses
    assert {(use.rule, use.act, use.coordinate, use.requests, use.last) for use in uses} == {
        ("public-data", Act.READ, "TaxArrears", 2, AT + dt.timedelta(minutes=5)),
        ("old", Act.READ_EXPIRED, "TaxArrears", 1, AT + dt.timedelta(minutes=5)),
    }
    assert {(use.caller, use.agency) for use in uses} == {(OFFICER, "tax")}


def test_refusals_and_acts_of_administration_show_only_how_far_the_log_reaches(tmp_path: Path) -> None:
    refused = {"at": AT - dt.timedelta(days=1), "requestId": "r", "roles": [], "outcome": "REFUSED", "code": "X"}
    act = {"at": AT + dt.timedelta(days=1), "act": "approve", "draft": "d", "by": {"subject": "a"}}
    lines = [orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in (refused, act)]
    evidence = read(written(tmp_path / "a", lines[0], answered(ROWS), lines[1]))
    assert (evidence.begins, evidence.ends) == (AT - dt.timedelta(days=1), AT + dt.timedelta(days=1))
    assert ([shape.requests for shape in evidence.shapes], evidence.unread) == ([1], 0)


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    evidence = read(written(tmp_path / "a", answered(ROWS), answered(ROWS)[:-40]))
    assert ([shape.requests for shape in evidence.shapes], evidence.unread) == ([1], 0)


@pytest.mark.parametrize(
    "line",
    [
        b"not json\n",
        b"\n",
        b"null\n",
        b"[1]\n",
        b'{"outcome":"ANSWERED"}\n',
        b'{"at":"yesterday","outcome":"ANSWERED"}\n',
        b'{"at":"2026-11-01T09:00:00","outcome":"ANSWERED"}\n',
        b'{"at":"2026-11-01T09:00:00Z","outcome":"ANSWERED"}\n',
        answered({"decisions": "of an earlier format"}),
        answered(ROWS, roles=None),
        answered({**ROWS, "bases": ["blood"]}),
        answered({**ROWS, "companies": "many"}),
        answered({**ROWS, "decisions": [{**decided("TaxArrears"), "rule": ["a"]}]}),
        b"\xff\xfe\n",
    ],
)
def test_a_line_that_cannot_be_read_is_counted_and_spoils_nothing(tmp_path: Path, line: bytes) -> None:
    evidence = read(written(tmp_path / "a", answered(ROWS), line, answered(ROWS)))
    assert ([shape.requests for shape in evidence.shapes], evidence.unread) == ([2], 1)


def test_only_what_was_asked_since_the_moment_counts_and_an_older_line_shows_that_none_is_missing(
    tmp_path: Path,
) -> None:
    path = written(tmp_path / "a", answered(ROWS), answered(ROWS, minutes=30), answered(ROWS, minutes=40))
    since = AT + dt.timedelta(minutes=20)
    evidence = read(path, since)
    assert ([shape.requests for shape in evidence.shapes], evidence.begins) == ([2], since)
    assert evidence.ends == AT + dt.timedelta(minutes=40)


def test_an_empty_log_is_evidence_of_nothing(tmp_path: Path) -> None:
    assert read(written(tmp_path / "a")) == Evidence((), (), None, None)


def test_evidence_crosses_processes_and_does_not_grow_with_the_log(tmp_path: Path) -> None:
    one, many = (read(written(tmp_path / str(times), *[answered(ROWS)] * times)) for times in (1, 1000))
    assert pickle.loads(pickle.dumps(many)) == many  # noqa: S301  # made here
    assert len(pickle.dumps(many)) < len(pickle.dumps(one)) + 20


def test_rotated_logs_are_read_as_far_back_as_the_moment_and_one_further(tmp_path: Path) -> None:
    for days, name in enumerate(
        ["audit.jsonl", "audit.jsonl.1", "audit.jsonl-20261030", "audit.jsonl.3", "audit.jsonl.gz", "other"]
    ):
        path = written(tmp_path / name, b"")
        moment = (AT - dt.timedelta(days=days)).timestamp()
        os.utime(path, (moment, moment))
    names = [path.name for path in log_files(tmp_path / "audit.jsonl", AT - dt.timedelta(days=1, hours=1))]
    assert names == ["audit.jsonl-20261030", "audit.jsonl.1", "audit.jsonl"]
    assert log_files(tmp_path / "nothing" / "audit.jsonl", AT) == ()


def test_the_logs_of_all_workers_are_read_each_as_far_back_as_the_moment_and_one_further(tmp_path: Path) -> None:
    for days, name in enumerate(
        ["audit-2.jsonl", "audit-1.jsonl", "audit-1.jsonl.1", "audit-1.jsonl.2", "audit-12.jsonl", "audit-x.jsonl"]
    ):
        path = written(tmp_path / name, b"")
        moment = (AT - dt.timedelta(days=days)).timestamp()
        os.utime(path, (moment, moment))
    names = [path.name for path in log_files(tmp_path / "audit.jsonl", AT - dt.timedelta(days=1, hours=1))]
    assert names == ["audit-12.jsonl", "audit-1.jsonl.1", "audit-1.jsonl", "audit-2.jsonl"]
