"""Cases of ordinary days: what is asked of the system itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Final

from connectors.conformance.answers import difference, records, told
from connectors.conformance.trial import Answers, Broken, Case, Trial, Unfit, made_up_keys
from connectors.contract import Outcome, SourceAnswer
from connectors.duplicates import RECORD_ID
from connectors.manifest import MissingMeans
from connectors.paths import AROUND, ASKED_KEY
from schema.values import DateSpan, Value

_MOST_AT_ONCE: Final = 1000
"""The most companies of a call that is made to see whether so many are taken."""


async def answers(trial: Trial) -> None:
    """The companies were asked about before the cases: were they answered?"""
    failed = [index for index, code in enumerate(trial.truth, 1) if trial.truth[code].outcome is Outcome.FAILED]
    if failed:
        answer = list(trial.truth.values())[failed[0] - 1]
        raise Broken(f"company {failed[0]} of {len(trial.truth)}: {answer.failure}")
    if not trial.has_records():
        raise Unfit("none of the companies has a record: name one that has")


async def batch_equals_singles(trial: Trial) -> None:
    """All companies in one question, against each of them alone."""
    if trial.subject.dataset.batch == 1:
        raise Unfit("a call carries one company")
    codes = [*trial.truth, *trial.subject.strangers]
    together = await trial.subject.ask(trial.supply, codes)
    alone = dict(trial.truth)
    for code in trial.subject.strangers:
        alone |= await trial.subject.ask(trial.supply, [code])
    _same(alone, together, "in a batch")


async def unknown_gives_nothing(trial: Trial) -> None:
    """A company that nobody knows, alone and beside one that is known."""
    for code in trial.subject.strangers:
        for asked in ([code], [trial.telling, code]):
            found = await trial.subject.ask(trial.supply, asked)
            _nothing(trial, found[code].outcome, rows=len(records(found[code])))
            if len(asked) > 1:
                _same({trial.telling: trial.truth[trial.telling]}, found, "beside an unknown company")


async def order_does_not_matter(trial: Trial) -> None:
    """The companies in the other order, and each of them twice."""
    codes = list(trial.truth)
    for asked, how in ((codes[::-1], "in another order"), ([*codes, *codes], "named twice")):
        found = await trial.subject.ask(trial.supply, asked)
        if found.keys() != trial.truth.keys():
            raise Broken(f"{how}: not an answer for each company")
        _same(trial.truth, found, how)


async def full_batch(trial: Trial) -> None:
    """As many companies as the manifest lets a call carry."""
    batch = trial.subject.dataset.batch
    if batch == 1:
        raise Unfit("a call carries one company")
    if batch > _MOST_AT_ONCE:
        raise Unfit(f"batch is {batch}: not tried with more than {_MOST_AT_ONCE}")
    codes = [trial.telling, *made_up_keys(trial.subject.dataset.key.kind, batch - 1)]
    found = await trial.subject.ask(trial.supply, codes)
    _same({trial.telling: trial.truth[trial.telling]}, found, f"in a call for {batch}")
    for code in codes[1:]:
        _nothing(trial, found[code].outcome, rows=len(records(found[code])))


async def columns_stand_alone(trial: Trial) -> None:
    """Half of the columns, and the other half: each with the values that all of them together have."""
    names = sorted(trial.subject.dataset.fields)
    if len(names) == 1:
        raise Unfit("there is one column")
    truth = trial.truth[trial.telling]
    for chosen in (names[::2], names[1::2]):
        found = (await trial.subject.ask(trial.supply, [trial.telling], chosen))[trial.telling]
        if any(set(record) != set(chosen) for record in records(found)):
            raise Broken("other columns than those that were asked for")
        if told(truth, chosen)[2] != told(found)[2]:
            raise Broken("a column has other values without the others")


async def no_more_leaves(trial: Trial) -> None:
    """What leaves the system, where one column is asked for."""
    if not trial.subject.kind.projection:
        raise Unfit(f"the kind {trial.subject.manifest.kind} gives whole rows")
    dataset = trial.subject.dataset
    name = min(dataset.fields.keys() - {RECORD_ID}, default=RECORD_ID)
    control = {dataset.key.path, dataset.as_of.column if dataset.as_of else None}
    mappings = [dataset.fields[field] for field in {name, RECORD_ID} & dataset.fields.keys()]
    allowed = frozenset[str]().union(*(mapping.paths(nested=dataset.nested) for mapping in mappings)) | control
    trial.recorder.fetches.clear()
    await trial.subject.ask(trial.supply, [trial.telling], [name])
    for call, answer in trial.recorder.fetches:
        if not call.columns <= allowed:
            raise Broken("more columns were asked for than are needed")
        for row in answer.rows if isinstance(answer, SourceAnswer) else ():
            if any(not _asked_for(path, call.columns, dataset.read_around) for path in _leaves(row)):
                raise Broken("the system gave more columns than were asked for")


async def filters_narrow(trial: Trial) -> None:
    """Each filter that the system applies: the records that it keeps are those that the filter means."""
    dataset, shape = trial.subject.dataset, trial.subject.shape
    if not dataset.filters:
        raise Unfit("the system applies no filter")
    for name in dataset.filters:
        field, operator = shape.filters[name]
        if field not in dataset.fields:
            continue
        whole = records(trial.truth[trial.telling])
        days = sorted({day for row in whole if (day := _day(row[field])) is not None})
        if not days:
            raise Unfit(f"no record has a {field}")
        middle = days[len(days) // 2]
        found = (await trial.subject.ask(trial.supply, [trial.telling], filters={name: middle}))[trial.telling]
        wanted = [row for row in whole if _day(row[field]) is not None and _within(_day(row[field]), operator, middle)]
        kept = records(found)
        if found.outcome is Outcome.FAILED:
            raise Broken(f"{name}: {found.failure}")
        if any(row not in kept for row in wanted):
            raise Broken(f"{name}: a record is missing that it should keep")
        if any(row not in wanted for row in kept if _day(row[field]) is not None):
            raise Broken(f"{name}: a record came that it should leave out")


CASES: Final = (
    Case("answers", "companies that the system knows are answered", answers),
    Case("batch-equals-singles", "a batch says of each company what it is told alone", batch_equals_singles),
    Case(
        "unknown-gives-nothing",
        "of an unknown company there is nothing, and no other loses by it",
        unknown_gives_nothing,
    ),
    Case("order-does-not-matter", "neither order nor repetition of companies matters", order_does_not_matter),
    Case("full-batch", "a call takes as many companies as the manifest says", full_batch),
    Case("columns-stand-alone", "a column has the same values with and without the others", columns_stand_alone),
    Case("no-more-leaves", "only columns that were asked for leave the system", no_more_leaves),
    Case("filters-narrow", "a filter keeps the records that it means, and no others", filters_narrow),
)


def _same(expected: Answers, found: Answers, how: str) -> None:
    for index, (code, answer) in enumerate(expected.items(), 1):
        differs = difference(told(answer), told(found[code]))
        if differs:
            raise Broken(f"company {index} of {len(expected)}, {how}: {differs}")


def _nothing(trial: Trial, outcome: Outcome, *, rows: int) -> None:
    if rows:
        raise Broken(f"an unknown company has {rows} rows")
    may = {Outcome.ANSWERED, Outcome.UNKNOWN_COMPANY}
    if trial.subject.dataset.missing_means is MissingMeans.ERROR:
        may.add(Outcome.FAILED)
    if outcome not in may:
        raise Broken(f"an unknown company is {outcome}: let the manifest say how the system tells that it knows none")


def _leaves(value: object, path: str = "") -> Iterator[str]:
    """The dotted paths of the scalars in a row."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, path)
    else:
        yield path


def _asked_for(leaf: str, columns: frozenset[str], around: frozenset[str]) -> bool:
    if leaf in columns or leaf == ASKED_KEY or leaf.rpartition(".")[2] == "__typename":
        return True
    if any(leaf.startswith(f"{column}.") for column in columns):
        return True  # a column of JSON, which comes whole
    # An object around rows holds the rows as well, and what tells whether there are more.
    return leaf.startswith(f"{AROUND}.") and any(leaf.endswith(f".{column}") for column in columns | around)


def _day(value: Value) -> date | None:
    found = value.date if isinstance(value, DateSpan) else value
    return found if isinstance(found, date) else None


def _within(day: date | None, operator: str, bound: date) -> bool:
    if day is None:
        return False
    return day >= bound if operator == ">=" else day <= bound
