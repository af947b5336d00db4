"""What the gateway should answer, worked out plainly: company by company, answer by answer, row by row.

Slow, and by other code than the stages: all values here come from the rows, the decision tables and the contract alone.
They are plain dicts and lists, each object with its `__typename`. What depends on how an operation asks is a function
of `where` it is asked and of the arguments. `core.py` has graphql-core read operations out of them, `interpreter.py`
reads them by itself.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from hashlib import blake2b
from typing import Any, NamedTuple

from connectors.contract import CompanyRows, Dataset, FailureCode, Outcome, Row
from gateway.messages import Principal
from gateway.stages import cursor
from policies.decision import Decision, DecisionTable
from policies.errors import PurposeRefused
from policies.masks import MaskContext, apply_mask
from policies.policy import Outline
from policies.publicity import Publicity, Standing
from schema.catalogue import Catalogue, RecordType, Tier
from schema.code_labels import authority, category
from schema.credit_code import CreditCode, CreditCodeError
from schema.query import PAGE
from schema.values import Code, Count, DateSpan, Money

NOTHING_SAID = CompanyRows(Outcome.FAILED, failure=FailureCode.AGENCY_BAD_RESPONSE)
"""What stands for a company of which its agency said nothing."""

INTERFACES = {"Answer": lambda name: name.endswith("Answer"), "_Entity": lambda name: name == "Enterprise"}
"""The abstract types of the contract, and which object types belong to each."""

_FAILED = {
    "AGENCY_TIMEOUT": "did not answer in time",
    "AGENCY_UNAVAILABLE": "cannot be reached",
    "AGENCY_OVERLOADED": "is overloaded",
    "AGENCY_BAD_RESPONSE": "gave an answer that cannot be read",
    "LIMIT": "was not asked, or not to the end: a limit was reached",
}


class Mistake(Exception):
    """What is answered with null and an error."""

    def __init__(self, message: str, extensions: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.extensions = dict(extensions)


class Shown(NamedTuple):
    """A row that is shown: by which decisions, where it stands, and where it is from."""

    row: Row
    decisions: Mapping[str, Decision]
    position: cursor.Position
    dataset: Dataset
    as_of: dt.datetime | None


def _rank(dataset: Dataset) -> tuple[int, str]:
    """Where a dataset stands among the suppliers of its record type."""
    return dataset.precedence, dataset.id


class Failed(NamedTuple):
    """A dataset's failure by which one company's records are null."""

    dataset: Dataset
    code: CreditCode
    failure: FailureCode


@dataclass(frozen=True)
class Reader:
    """How an operation is read. `below` gives, where an answer is asked for, the names of the fields selected of its
    records, once for each field that holds them. `failures` are those met on the way.
    """

    below: Callable[[Any, RecordType], Collection[Collection[str]]]
    failures: list[Failed] = dataclasses.field(default_factory=list)

    def errors(self) -> Iterator[dict[str, Any]]:
        """The errors of the failures: one for each dataset."""
        failed: defaultdict[str, dict[CreditCode, FailureCode]] = defaultdict(dict)
        by_id = {one.dataset.id: one.dataset for one in self.failures}
        for one in self.failures:
            failed[one.dataset.id][one.code] = one.failure
        for id_, companies in failed.items():
            (failure, _), *_ = Counter(companies.values()).most_common()
            number = "1 company" if len(companies) == 1 else f"{len(companies)} companies"
            told = {"code": str(failure), "agency": by_id[id_].agency, "dataset": id_, "companies": len(companies)}
            yield {"message": f"{id_} {_FAILED[failure]}: no records of {number}.", "extensions": told}


@dataclass(frozen=True)
class Reference:
    """One caller's view of what agencies `said`, by dataset and company. `tables` are its decisions by company,
    `unbased` those on a company for which no legal basis holds, and `openable` what could be opened to it.
    """

    catalogue: Catalogue
    datasets: Mapping[str, Dataset]
    agencies: Mapping[str, Any]
    said: Mapping[tuple[str, str], CompanyRows]
    tables: Mapping[str, DecisionTable]
    unbased: DecisionTable
    openable: frozenset[str]
    policy: Outline
    publicity: Publicity
    today: dt.date
    principal: Principal
    purpose: str | None
    mask_key: bytes
    cursor_key: bytes

    def roots(self, reader: Reader) -> dict[str, Any]:
        """The root value of an operation."""
        return {
            "__typename": "Query",
            "enterprise": lambda _where, code: self._company(_code, code, reader),
            "enterprises": lambda _where, codes: [self._company(_code, code, reader) for code in codes],
            "_entities": lambda _where, representations: [
                self._company(_represented, one, reader) for one in representations
            ],
            "agencies": [self._agency(id_) for id_ in self.agencies],
            "me": self._viewer(),
            "__schema": {"__typename": "__Schema", "queryType": {"__typename": "__Type", "name": "Query"}},
            "__type": lambda _where, name: self._type(name),
        }

    def _company(self, read: Callable[[Any], CreditCode], given: object, reader: Reader) -> dict[str, Any] | Mistake:
        try:
            return self.enterprise(read(given), reader)
        except Mistake as mistake:
            return mistake

    def _viewer(self) -> dict[str, Any]:
        return {
            "__typename": "Viewer",
            "subject": self.principal.subject,
            "organisation": self.principal.organisation,
            "roles": sorted(self.principal.roles),
            "purpose": self.purpose,
            "purposes": sorted(self.policy.purposes_of(self.principal.organisation)),
            "access": self._viewer_access,
        }

    def _viewer_access(self, _where: object, purpose: str | None = None) -> list[dict[str, Any]]:
        try:
            if purpose is not None:
                self.policy.check_purpose(self.principal.organisation, purpose)
        except PurposeRefused as refused:
            raise Mistake(str(refused), {"code": "PURPOSE_INVALID"}) from None
        return [
            {
                "__typename": "ViewerAccess",
                "coordinate": coordinate,
                "agency": self._agency(agency),
                "decision": str(decision.effect),
                "mask": decision.mask,
                "reason": str(decision.reason) if decision.reason else None,
            }
            for agency, cells in sorted(self.unbased.cells.items())
            for coordinate, decision in sorted(cells.items())
            if coordinate in self.openable
            and not (self.policy.tiers[coordinate] is Tier.SEALED and decision.effect == "WITHHELD")
        ]

    def _type(self, name: str) -> dict[str, Any] | None:
        """A type as introspection tells of it: without what can never be opened to the caller."""
        open_records = [record for record in self.catalogue.records.values() if record.name in self.openable]
        fields = {"Enterprise": ["creditCode", "identity", *(record.field for record in open_records)]}
        for record in open_records:
            paged = ["record"] if record.single else ["records", "hasMore", "endCursor"]
            fields[record.answer] = ["status", "sources", "access", *paged]
            shown = [field for field in record.fields if f"{record.name}.{field}" in self.openable]
            fields[record.name] = ["source", *shown]
        if name not in fields:
            return None
        return {
            "__typename": "__Type",
            "name": name,
            "kind": "OBJECT",
            "fields": [{"__typename": "__Field", "name": field} for field in fields[name]],
        }

    def enterprise(self, text: str, reader: Reader) -> dict[str, Any]:
        code = CreditCode.parse(text)
        told = {
            "__typename": "CodeIdentity",
            "authority": _value(authority(code)),
            "category": _value(category(code)),
            "division": code.division,
            "divisionKnown": code.division_known,
            "organisationCode": code.organisation_code,
            "checkDigitValid": code.check_digit_valid,
        }
        answers = {
            record.field: partial(self._answer, code, record, reader) for record in self.catalogue.records.values()
        }
        return {"__typename": "Enterprise", "creditCode": text, "identity": told, **answers}

    def _answer(  # noqa: PLR0913 - the answer to what, and the arguments of its field
        self,
        code: CreditCode,
        record: RecordType,
        reader: Reader,
        where: Any,
        *,
        first: int = PAGE,
        after: str | None = None,
        **filters: dt.date | str | None,
    ) -> dict[str, Any]:
        bounds = {name: _day(day) for name, day in filters.items() if day is not None}
        below = reader.below(where, record)
        selected = {field for records in below for field in records if field in record.fields}
        wanted = selected | {record.filters[name][0] for name in bounds}
        table, sources, access, found, failed = self.tables[code], [], [], [], []
        over: dict[str, list[Any]] = {}
        for dataset in sorted(self.datasets.values(), key=_rank):
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
            found += shown
            over[dataset.id] = [expired, list(self._access(dataset, record, expired))]
            sources.append(status)
            if status["status"] == "FAILED":
                failed.append(Failed(dataset, code, self._said(dataset, code).failure))
        found.sort(key=lambda one: (_rank(one.dataset) if record.single else (), one.position.key()))
        rest = [one for one in found if after is None or one.position.key() > cursor.decode(after).key()]
        page = rest[: 1 if record.single else first]
        worth = _worth({source["status"] for source in sources})
        for decisions, entries in over.values():
            if any(one.decisions is decisions for one in page):
                access += entries
        records = [self._record(record, reader, one) for one in page] if page or worth == "COMPLETE" else None
        if below and records is None:
            reader.failures.extend(failed)
        return {
            "__typename": record.answer,
            "status": worth,
            "sources": sources,
            "access": [dict(entry) for entry in access],
            "record": records[0] if records else None,
            "records": records,
            "hasMore": None if records is None else len(rest) > first,
            "endCursor": cursor.encode(page[-1].position) if page else None,
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
            yield (
                ("__typename", "FieldAccess"),
                coordinate,
                ("decision", str(decision.effect)),
                ("mask", decision.mask),
                ("reason", reason),
                agency,
            )

    def _shown(  # noqa: PLR0913 - all that decides
        self,
        code: CreditCode,
        record: RecordType,
        dataset: Dataset,
        *,
        current: Any,
        expired: Any,
        bounds: Any,
    ) -> tuple[list[Shown], dict[str, Any]]:
        """The rows that may be shown, by which decisions, and where they stand; and how the dataset fared."""
        if not dataset.coverage.may_know(code):
            return [], self._source(dataset, "NOT_ASKED")
        said = self._said(dataset, code)
        status = str(said.outcome)
        shown: list[Shown] = []
        for index, row in enumerate(said.rows):
            standing = self.publicity.standing(record, row, self.today, said.unreadable.get(index, ()))
            decisions = expired if standing is Standing.OVER else current
            if standing is Standing.NOT_YET or self._hidden(dataset, record, decisions, bounds):
                continue
            passes = [
                _within(row.get(record.filters[name][0]), record.filters[name][1], day) for name, day in bounds.items()
            ]
            if standing is Standing.UNREADABLE or (None in passes and False not in passes[: passes.index(None)]):
                status = "INCOMPLETE" if status == "ANSWERED" else status
            elif all(passes):
                position = self._position(code, record, dataset, decisions, row)
                shown.append(Shown(row, decisions, position, dataset, said.as_of))
        failure = {"__typename": "Failure", "code": str(said.failure), "retryable": said.retryable}
        return shown, self._source(dataset, status) | {
            "asOf": _value(said.as_of),
            "notOlderThan": _value(said.not_older_than),
            "failure": failure if said.failure else None,
        }

    def _said(self, dataset: Dataset, code: CreditCode) -> CompanyRows:
        return self.said.get((dataset.id, code), NOTHING_SAID)

    def _position(
        self, code: CreditCode, record: RecordType, dataset: Dataset, decisions: Any, row: Row
    ) -> cursor.Position:
        date = self._seen(record, record.ordered_by or "", row, decisions.get("*"))
        audience = f"{self.principal.organisation}\0{self.purpose or ''}"
        told = "\0".join((audience, dataset.id, code, str(row["recordId"]))).encode()
        digest = blake2b(told, key=self.cursor_key, digest_size=8).hexdigest()
        return cursor.Position(date if isinstance(date, dt.date) else None, dataset.agency, digest)

    def _record(self, record: RecordType, reader: Reader, shown: Shown) -> dict[str, Any]:
        written = {
            name: self._field(record, reader, name, shown.row, shown.decisions.get(name)) for name in record.fields
        }
        agency = self._agency(shown.dataset.agency)
        source = {"__typename": "RecordSource", "agency": agency, "asOf": _value(shown.as_of)}
        return {"__typename": record.name, **written, "source": source}

    def _field(self, record: RecordType, reader: Reader, field: str, row: Row, decision: Decision | None) -> Any:
        value = self._seen(record, field, row, decision)
        if value is not None and decision is not None and record.fields[field].link:
            # Only followed where it is selected: links go round in circles.
            clear = decision.effect == "CLEAR" and isinstance(value, str)
            return (lambda _where: self.enterprise(value, reader)) if clear else None
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
        return {"__typename": "Source", "agency": self._agency(dataset.agency), "status": status}

    def _agency(self, id_: str) -> Any:
        profile = self.agencies[id_]
        told = {"id": id_, "name": profile.name, "nameZh": profile.name_zh, "records": list(profile.records)}
        return {"__typename": "Agency", **told}


def _worth(statuses: set[str]) -> str:
    covering = statuses - {"NOT_ASKED"}
    if covering in ({"WITHHELD"}, {"ANSWERED"}):
        return "WITHHELD" if "WITHHELD" in covering else "COMPLETE"
    return "UNAVAILABLE" if covering <= {"FAILED", "WITHHELD"} else "PARTIAL"


def _within(value: Any, operator: str, day: dt.date) -> bool | None:
    if not isinstance(value, dt.date):
        return None
    return value >= day if operator == ">=" else value <= day


def _code(given: object) -> CreditCode:
    try:
        return CreditCode.parse(str(given))
    except CreditCodeError as error:
        raise Mistake(str(error), {"code": error.code, "mistake": error.mistake}) from None


def _represented(given: object) -> CreditCode:
    if isinstance(given, dict) and given.get("__typename") == "Enterprise" and isinstance(given.get("creditCode"), str):
        return _code(given["creditCode"])
    message = "A representation must be of __typename Enterprise with its creditCode, a string."
    raise Mistake(message, {"code": "REPRESENTATION_INVALID"})


def _day(given: dt.date | str) -> dt.date:
    return given if isinstance(given, dt.date) else dt.date.fromisoformat(given)


def _value(value: Any) -> Any:
    match value:
        case Money():
            amounts = {"amount": value.amount, "from": value.lower, "to": value.upper}
            written = {name: _value(amount) for name, amount in amounts.items()}
            return {"__typename": "Money", **written, "currency": value.currency}
        case Count():
            return {"__typename": "Count", "value": value.value, "from": value.lower, "to": value.upper}
        case DateSpan():
            days = {"date": value.date, "from": value.start, "to": value.end}
            return {"__typename": "DateSpan", **{name: _value(day) for name, day in days.items()}}
        case Code():
            return {"__typename": "Code", "code": value.code, "label": value.label}
        case dt.date():
            return value.isoformat()
    return format(value, "f") if isinstance(value, Decimal) else value
