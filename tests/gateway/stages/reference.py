"""What the gateway should answer, worked out plainly: company by company, answer by answer, row by row.

Slow, and by other code than the stages: graphql-core resolves every field of an operation out of the values here, which
come from the rows, the decision tables and the contract alone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from hashlib import blake2b
from typing import Any

from graphql import FieldNode, GraphQLResolveInfo, InlineFragmentNode, SelectionNode, SelectionSetNode

from connectors.contract import Dataset, FailureCode, Outcome, Row
from gateway import cursor
from gateway.messages import Principal
from policies.decision import Decision, DecisionTable
from policies.masks import MaskContext, apply_mask
from policies.publicity import Publicity, Standing
from schema.catalogue import Catalogue, RecordType, Tier
from schema.code_labels import authority, category
from schema.credit_code import CreditCode
from schema.values import Code, Count, DateSpan, Money


@dataclass(frozen=True)
class Reference:
    """One caller's view of some rows. `tables` are its decisions, by company."""

    catalogue: Catalogue
    datasets: Mapping[str, Dataset]
    agencies: Mapping[str, Any]
    rows: Mapping[tuple[str, str], tuple[Row, ...]]
    failing: Mapping[str, FailureCode]
    outcomes: Mapping[tuple[str, str], Outcome]
    tables: Mapping[str, DecisionTable]
    publicity: Publicity
    today: dt.date
    principal: Principal
    purpose: str | None
    mask_key: bytes
    cursor_key: bytes
    as_of: dt.datetime

    def enterprise(self, text: str) -> dict[str, Any]:
        code = CreditCode.parse(text)
        told = {
            "authority": _value(authority(code)),
            "category": _value(category(code)),
            "division": code.division,
            "divisionKnown": code.division_known,
            "organisationCode": code.organisation_code,
            "checkDigitValid": code.check_digit_valid,
        }
        answers = {record.field: partial(self._answer, code, record) for record in self.catalogue.records.values()}
        return {"creditCode": text, "identity": told, **answers}

    def _answer(
        self,
        code: CreditCode,
        record: RecordType,
        info: GraphQLResolveInfo,
        first: int = 1,
        after: str | None = None,
        **filters: dt.date | None,
    ) -> dict[str, Any]:
        bounds = {name: day for name, day in filters.items() if day is not None}
        selected = {field for records in _below(info) for field in records if field in record.fields}
        wanted = selected | {record.filters[name][0] for name in bounds}
        table, sources, access, found = self.tables[code.text], [], [], []
        over: dict[str, list[Any]] = {}
        for dataset in sorted(self.datasets.values(), key=lambda one: one.id):
            if dataset.record != record.name:
                continue
            current = self._decisions(table.at, dataset, record, wanted)
            expired = self._decisions(table.at_expired, dataset, record, wanted)
            access += self._access(dataset, record, current)
            if self._hidden(dataset, record, current, bounds):
                covered = dataset.coverage.may_know(code)
                sources.append(self._source(dataset, "WITHHELD" if covered else "NOT_ASKED"))
                continue
            shown, status = self._shown(code, record, dataset, current=current, expired=expired, bounds=bounds)
            found += [(key, row, decisions, dataset) for row, decisions, key in shown]
            over[dataset.id] = [expired, list(self._access(dataset, record, expired))]
            sources.append(status)
        found.sort(key=lambda one: one[0].key())
        rest = [one for one in found if after is None or one[0].key() > cursor.decode(after).key()]
        page = rest[:first]
        worth = _worth({source["status"] for source in sources})
        for decisions, entries in over.values():
            if any(one[2] is decisions for one in page):
                access += entries
        records = [self._record(record, *one[1:]) for one in page] if page or worth == "COMPLETE" else None
        return {
            "status": worth,
            "sources": sources,
            "access": [dict(entry) for entry in access],
            "record": records[0] if records else None,
            "records": records,
            "hasMore": None if records is None else len(rest) > first,
            "endCursor": cursor.encode(page[-1][0]) if page else None,
        }

    def _decisions(self, decide: Any, dataset: Dataset, record: RecordType, fields: set[str]) -> dict[str, Decision]:
        """By field; the rows' under an empty name, and that of the date that sorts under a star."""
        decided = {field: decide(dataset.agency, f"{record.name}.{field}") for field in sorted(fields & dataset.fields)}
        ordering = {}
        if record.ordered_by in dataset.fields:
            ordering = {"*": decide(dataset.agency, f"{record.name}.{record.ordered_by}")}
        return {"": decide(dataset.agency, record.name), **decided, **ordering}

    def _hidden(
        self, dataset: Dataset, record: RecordType, decisions: Mapping[str, Decision], bounds: Mapping[str, dt.date]
    ) -> bool:
        filtering = {record.filters[name][0] for name in bounds} & dataset.fields
        return decisions[""].effect == "WITHHELD" or any(decisions[field].effect != "CLEAR" for field in filtering)

    def _access(
        self, dataset: Dataset, record: RecordType, decisions: Mapping[str, Decision]
    ) -> Iterator[tuple[tuple[str, Any], ...]]:
        agency = ("agency", self._agency(dataset.agency))
        for field, decision in decisions.items():
            withheld_rows = decisions[""].effect == "WITHHELD"
            if (
                field == "*"
                or decision.effect == "CLEAR"
                or (withheld_rows and field)
                or (not field and not withheld_rows)
            ):
                continue
            if field and record.fields[field].tier is Tier.SEALED and decision.effect == "WITHHELD":
                continue
            coordinate = ("coordinate", f"{record.name}.{field}" if field else record.name)
            reason = str(decision.reason) if decision.reason else None
            yield coordinate, ("decision", str(decision.effect)), ("mask", decision.mask), ("reason", reason), agency

    def _shown(  # noqa: PLR0913 - all that decides
        self,
        code: CreditCode,
        record: RecordType,
        dataset: Dataset,
        *,
        current: Any,
        expired: Any,
        bounds: Any,
    ) -> tuple[list[tuple[Row, Any, cursor.Position]], dict[str, Any]]:
        """The rows that may be shown, by which decisions, and where they stand; and how the dataset fared."""
        if not dataset.coverage.may_know(code):
            return [], self._source(dataset, "NOT_ASKED")
        if dataset.id in self.failing:
            failure = {"code": str(self.failing[dataset.id]), "retryable": True}
            return [], self._source(dataset, "FAILED") | {"failure": failure}
        status = str(self.outcomes.get((dataset.id, code.text), Outcome.ANSWERED))
        shown: list[tuple[Row, Any, cursor.Position]] = []
        for row in self.rows.get((dataset.id, code.text), ()):
            standing = self.publicity.standing(record, row, self.today)
            decisions = expired if standing is Standing.OVER else current
            if standing is Standing.NOT_YET or self._hidden(dataset, record, decisions, bounds):
                continue
            passes = [
                _within(row.get(record.filters[name][0]), record.filters[name][1], day) for name, day in bounds.items()
            ]
            if standing is Standing.UNREADABLE or (None in passes and False not in passes[: passes.index(None)]):
                status = "INCOMPLETE" if status == "ANSWERED" else status
            elif all(passes):
                shown.append((row, decisions, self._position(code, record, dataset, decisions, row)))
        return shown, self._source(dataset, status) | {
            "asOf": self.as_of.isoformat(),
            "notOlderThan": self.as_of.isoformat(),
        }

    def _position(
        self, code: CreditCode, record: RecordType, dataset: Dataset, decisions: Any, row: Row
    ) -> cursor.Position:
        date = self._seen(record, record.ordered_by or "", row, decisions.get("*"))
        audience = f"{self.principal.organisation}\0{self.purpose or ''}"
        told = "\0".join((audience, dataset.id, code.text, str(row["recordId"]))).encode()
        digest = blake2b(told, key=self.cursor_key, digest_size=8).hexdigest()
        return cursor.Position(date if isinstance(date, dt.date) else None, dataset.agency, digest)

    def _record(self, record: RecordType, row: Row, decisions: Any, dataset: Dataset) -> dict[str, Any]:
        written = {field: self._field(record, field, row, decisions.get(field)) for field in record.fields}
        return {**written, "source": {"agency": self._agency(dataset.agency), "asOf": self.as_of.isoformat()}}

    def _field(self, record: RecordType, field: str, row: Row, decision: Decision | None) -> Any:
        value = self._seen(record, field, row, decision)
        if value is not None and decision is not None and record.fields[field].link:
            # Only followed where it is selected: links go round in circles.
            clear = decision.effect == "CLEAR" and isinstance(value, str)
            return (lambda _info: self.enterprise(value)) if clear else None
        return _value(value)

    def _seen(self, record: RecordType, field: str, row: Row, decision: Decision | None) -> Any:
        """The value as the caller may see it."""
        value = row.get(field)
        if decision is None or decision.effect == "WITHHELD" or value is None:
            return None
        if decision.effect == "MASKED":
            coordinate = f"{record.name}.{field}"
            context = MaskContext(self.principal.organisation, self.purpose, coordinate, self.mask_key)
            return apply_mask(decision.mask or "", value, context)
        return value

    def _source(self, dataset: Dataset, status: str) -> dict[str, Any]:
        return {"agency": self._agency(dataset.agency), "status": status}

    def _agency(self, id_: str) -> Any:
        profile = self.agencies[id_]
        return {"id": id_, "name": profile.name, "nameZh": profile.name_zh, "records": list(profile.records)}


def _worth(statuses: set[str]) -> str:
    covering = statuses - {"NOT_ASKED"}
    if covering in ({"WITHHELD"}, {"ANSWERED"}):
        return "WITHHELD" if "WITHHELD" in covering else "COMPLETE"
    return "UNAVAILABLE" if covering <= {"FAILED", "WITHHELD"} else "PARTIAL"


def _within(value: Any, operator: str, day: dt.date) -> bool | None:
    if not isinstance(value, dt.date):
        return None
    return value >= day if operator == ">=" else value <= day


def _value(value: Any) -> Any:
    match value:
        case Money():
            amounts = {"amount": value.amount, "from": value.lower, "to": value.upper}
            return {**{name: _value(amount) for name, amount in amounts.items()}, "currency": value.currency}
        case Count():
            return {"value": value.value, "from": value.lower, "to": value.upper}
        case DateSpan():
            return {"date": _value(value.date), "from": _value(value.start), "to": _value(value.end)}
        case Code():
            return {"code": value.code, "label": value.label}
        case dt.date():
            return value.isoformat()
    return format(value, "f") if isinstance(value, Decimal) else value


def _below(info: GraphQLResolveInfo) -> Iterator[set[str]]:
    """The names of the fields that are selected of the answer's records, below each field that holds them."""
    for node in info.field_nodes:
        for part in _fields(node.selection_set, info):
            if part.name.value in ("record", "records"):
                yield {field.name.value for field in _fields(part.selection_set, info)}


def _fields(selected: SelectionSetNode | None, info: GraphQLResolveInfo) -> Iterator[FieldNode]:
    for node in selected.selections if selected else ():
        if _skipped(node, info):
            continue
        if isinstance(node, FieldNode):
            yield node
        elif isinstance(node, InlineFragmentNode):
            yield from _fields(node.selection_set, info)
        else:
            yield from _fields(info.fragments[node.name.value].selection_set, info)  # type: ignore[attr-defined]


def _skipped(node: SelectionNode, info: GraphQLResolveInfo) -> bool:
    for directive in node.directives or ():
        (argument,) = directive.arguments
        value = argument.value
        held = value.value if hasattr(value, "value") else info.variable_values.coerced[value.name.value]
        if held is (directive.name.value == "skip"):
            return True
    return False
