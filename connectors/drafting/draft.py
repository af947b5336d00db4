"""Writes a draft: a manifest with what was found, and with TODO where somebody has to decide."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from connectors.contract import KeyKind, RecordShape
from connectors.drafting.evidence import Evidence, weigh
from connectors.drafting.matching import Match, Words, best_matches, match
from connectors.drafting.names import is_heading
from connectors.drafting.sample import Form, Sample, leaves
from connectors.duplicates import RECORD_ID
from connectors.paths import AROUND
from connectors.text import NOTHINGS
from schema.values import Kind

KINDS: Final = {
    Form.JSON: "rest",
    Form.XML: "rest",
    Form.SOAP: "soap",
    Form.DELIMITED: "file",
    Form.JSON_LINES: "file",
    Form.XLSX: "file",
    Form.TABLE: "sql",
}
"""The kind of system that a sample is likeliest of."""

_PLAIN: Final = re.compile(r"/?[A-Za-z_\u4e00-\u9fff][\w\u4e00-\u9fff-]*(\.[\w\u4e00-\u9fff-]+)*")
_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_UNITS: Final = (("亿", "亿元"), ("万", "万元"), ("wy", "万元"), ("fen", "分"), ("分", "分"), ("cent", "分"))
_MONEY: Final = "of what is it a number: 元 (taken), 万元, 亿元 or 分? Say unit"
_NO_STATUS: Final = "does it tell an unknown company, or an error, in its own code?"
_STATUS: Final = "ok is what the sample had: is it all that means well? Which codes mean busy, unknown, none?"
_PERHAPS: Final = 3
_TELLING: Final = frozenset({Kind.DATE, Kind.DATE_SPAN})
"""What a column's values tell apart from others."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What whoever drafts has decided. `record` is None where it shall be guessed.

    `place` is what the kind needs to find the rows: a table, a drop's name or pattern, or a path (as far as it is
    known). `variable` names the variable of the environment with the address.
    """

    agency: str
    english: str | None
    chinese: str | None
    kind: str
    record: str | None
    variable: str
    place: str | None = None
    wsdl: str | None = None
    operation: str | None = None


def columns_of(sample: Sample) -> dict[str, list[object]]:
    """The values of the sample, by column or path."""
    found: dict[str, list[object]] = {name: [] for name in sample.columns}
    for row in sample.rows:
        for path, value in leaves(row) if sample.nested else row.items():
            if sample.nested or is_heading(path):
                found.setdefault(path, []).append(value)
    return found


def draft(sample: Sample, wishes: Wishes, shapes: Mapping[str, RecordShape], words: Words) -> str:
    """The manifest's text."""
    if wishes.kind == "graphql" and sample.is_connection:
        nodes = [row["node"] for row in sample.rows if isinstance(row.get("node"), Mapping)]
        sample = replace(sample, rows=nodes, rows_path=f"{sample.rows_path}.node") if nodes else sample
    evidence = {name: weigh(values) for name, values in columns_of(sample).items()}
    key = _key_column(evidence)
    others = {name: found for name, found in evidence.items() if name != key and found.key != KeyKind.CREDIT_CODE}
    others |= {name: found for name, found in evidence.items() if name != key}
    if wishes.record is not None:
        matches = [match(others, shapes[wishes.record], words.get(wishes.record, {}))]
    else:
        matches = best_matches(others, shapes, words)
    lines = [*_head(wishes, evidence), *_dataset(sample, wishes, evidence, key, matches, shapes)]
    return "\n".join(lines) + "\n"


def _head(wishes: Wishes, evidence: Mapping[str, Evidence]) -> Iterator[str]:
    yield "# A draft, made of a sample. TODO marks what has to be decided; the rest is guessed: look at it, too."
    yield "# Then: xinqiao connector check, probe, test."
    yield f"agency: {wishes.agency}"
    names = f"name: {{en: {written(wishes.english or wishes.agency)}, zh: {written(wishes.chinese or wishes.agency)}}}"
    yield names if wishes.english and wishes.chinese else f"{names} # TODO the agency's name in both languages"
    yield f"kind: {wishes.kind}"
    yield f'connection: {{{"path" if wishes.kind == "file" else "url"}: "${{{wishes.variable}}}"}}'
    nothings = sorted(frozenset[str]().union(*(found.nothings for found in evidence.values())) - NOTHINGS)
    if nothings:
        yield f"none: [{', '.join(map(written, nothings))}] # these words stood for nothing"
    yield "datasets:"


def _dataset(  # noqa: PLR0913, PLR0917  (all that a dataset is drafted from)
    sample: Sample,
    wishes: Wishes,
    evidence: Mapping[str, Evidence],
    key: str | None,
    matches: Sequence[Match],
    shapes: Mapping[str, RecordShape],
) -> Iterator[str]:
    best, *others = matches
    guessed = "" if wishes.record else f" # TODO is it? {_share(best, shapes)}"
    near = [f"{other.record} {_share(other, shapes)}" for other in others[:2] if other.score > 0.5 * best.score]
    yield f"  - record: {best.record}{guessed}" + (f"; or {', '.join(near)}" if near else "")
    yield from _place(sample, wishes)
    yield from _key(wishes.kind, evidence, key)
    yield "    # TODO how long rows may be kept in memory, in seconds: timeToLive; the date of the data: asOf"
    yield from _request(sample, wishes)
    yield "    fields:"
    shape = shapes[best.record]
    if not best.columns:
        name = next(iter(shape.fields))
        path = next((column for column in evidence if column != key), "TODO")
        yield f"      {name}: {written(path)} # TODO no column is like any field: this is only an example"
    for name, kind in shape.fields.items():
        if name in best.columns:
            column = best.columns[name]
            yield f"      {name}: {_mapping(name, column, kind, evidence[column])}"
    taken = {key, *best.columns.values()}
    for name, kind in shape.fields.items():
        if name not in best.columns:
            may = [column for column, found in evidence.items() if column not in taken and _could(kind, found)]
            perhaps = f", perhaps {' or '.join(map(written, may[:_PERHAPS]))}" if may and kind in _TELLING else ""
            yield f"      # TODO {name} ({kind}): nothing was found{perhaps}"
    unread = [written(column) for column in evidence if column not in taken]
    if unread:
        yield f"    # read by no field: {', '.join(unread)}"


def _place(sample: Sample, wishes: Wishes) -> Iterator[str]:
    match wishes.kind:
        case "sql":
            yield f"    table: {written(wishes.place or 'TODO')}"
        case "file":
            yield f"    file: {written(wishes.place or 'TODO')} # TODO its name, or a pattern such as drop_*.csv"
            if sample.form is not Form.DELIMITED:
                yield f"    format: {sample.form}"
            if sample.form is not Form.XLSX and sample.encoding != "utf-8":
                yield f"    encoding: {sample.encoding}"
            if sample.form is Form.DELIMITED and sample.delimiter != ",":
                yield f"    delimiter: {_quoted(sample.delimiter)}"
            if not sample.header:
                yield f"    header: [{', '.join(sample.columns)}] # TODO the first line names no columns: you do"
        case _:
            pass


def _key(kind: str, evidence: Mapping[str, Evidence], key: str | None) -> Iterator[str]:
    must = kind in {"sql", "file"}
    if key is None:
        if must:
            yield "    key: TODO # TODO no column holds companies' codes: which one does?"
        else:
            yield "    # TODO no place holds companies' codes: each row is taken for the asked company's"
    else:
        found = evidence[key]
        parts = [f"path: {written(key)}"]
        if found.key in {KeyKind.ORGANISATION_CODE, KeyKind.REGISTRATION_NUMBER}:
            parts.append(f"kind: {found.key}")
        spellings = () if kind == "file" else found.spellings
        if spellings and spellings != ("upper",) and (must or len(spellings) == 1):
            parts.append(f"spellings: [{', '.join(spellings)}]")
        text = written(key) if len(parts) == 1 else f"{{{', '.join(parts)}}}"
        numbers = found.key is KeyKind.REGISTRATION_NUMBER
        why = " # TODO an agency has to supply which company has which number: a crosswalk" if numbers else ""
        yield f"    key: {text}{why}"
    if must:
        yield "    missingMeans: none # TODO no row of a company: it has none; or unknown, or error?"


def _request(sample: Sample, wishes: Wishes) -> Iterator[str]:
    match wishes.kind:
        case "rest":
            yield "    request: # TODO how companies are asked for; with several a call: batch, missingMeans"
            yield f"      path: {written(wishes.place or '/TODO')}"
            yield "      keys: {in: query, name: TODO, style: single}"
            yield from _response(sample)
        case "soap":
            yield "    request: # TODO where the key goes; with several: batch, missingMeans"
            yield f"      wsdl: {written(wishes.wsdl or 'TODO.wsdl')}"
            yield f"      operation: {written(wishes.operation or 'TODO')}"
            yield "      keys: {name: TODO}"
            yield from _response(sample)
        case "graphql":
            first, *rest = (sample.rows_path or "data.TODO").removeprefix("data.").split(".")
            parts = [f"field: {first}", "argument: TODO", 'type: "String!"']
            parts += [f"rows: {'.'.join(rest)}"] if rest else []
            parts += [f"within: {sample.within}"] if sample.within else []
            decide = "the argument that takes the company's code"
            if sample.is_connection:
                steps = rest[: rest.index("edges")] if "edges" in rest else rest[:-1]
                around = "".join(f"{step}." for step in steps)
                at = f"field: {around[:-1]}, " if around else ""
                told = f"next: {around}pageInfo.endCursor, more: {around}pageInfo.hasNextPage"
                parts.append(f"paging: {{{at}cursor: after, {told}, size: first}}")
                decide += "; does the list take first and after, and 100 rows a page?"
            yield f"    query: {{{', '.join(parts)}}} # TODO {decide}"
        case _:
            pass


def _response(sample: Sample) -> Iterator[str]:
    parts = ["format: xml"] if sample.form is Form.XML else []
    parts += [f"encoding: {sample.encoding}"] if sample.form is Form.JSON and sample.encoding != "utf-8" else []
    parts += [f"rows: {written(sample.rows_path)}"] if sample.rows_path else []
    parts += [f"within: {written(sample.within)}"] if sample.within else []
    judged = [f"{{path: {written(path)}, ok: [{_quoted(code)}]}}" for path, code in sample.statuses]
    if not judged:
        yield f"    response: {{{', '.join(parts)}}} # TODO {_NO_STATUS}"
        return
    several = f"[{', '.join(judged)}]" if len(judged) > 1 and sample.form is not Form.SOAP else judged[0]
    yield f"    response: {{{', '.join([*parts, f'envelope: {several}'])}}} # TODO {_STATUS}"


def _mapping(name: str, column: str, kind: Kind, found: Evidence) -> str:
    parts, asks = [], ""
    if kind in {Kind.DATE, Kind.DATE_SPAN} and found.formats:
        parts.append(f"formats: [{', '.join(map(_quoted, found.formats))}]")
    if kind is Kind.MONEY:
        unit = next((unit for word, unit in _UNITS if word in column.lower()), None)
        parts += [f"unit: {unit}"] if unit else []
        asks = "" if unit else f" # TODO {_MONEY}"
    if kind is Kind.CODE:
        seen = f" ({found.different} different in the sample)" if found.values else ""
        asks = f' # TODO codes{seen}: {{"the agency\'s": {{code: ours, label: 中文}}}}'
    if name == RECORD_ID:
        asks = " # TODO is it another one for each record? Rows of one id count as one"
    if not found.values:
        asks = asks or " # TODO no value of it was seen"
    text = written(column)
    return (f"{{path: {text}, {', '.join(parts)}}}" if parts else text) + asks


def _key_column(evidence: Mapping[str, Evidence]) -> str | None:
    """The column of the companies' codes: the likeliest of its name, where several hold codes."""
    held = [name for name, found in evidence.items() if found.key is not None]
    ranks = {KeyKind.CREDIT_CODE: 0, KeyKind.ORGANISATION_CODE: 1}

    def rank(name: str) -> tuple[int, int, bool, int]:
        found = evidence[name]
        usual = re.search(r"usc|xydm|信用代码|credit", name, re.IGNORECASE) is not None
        return ranks.get(found.key or KeyKind.NAME, 2), not usual, not name.startswith(AROUND), held.index(name)

    return min(held, key=rank, default=None)


def _could(kind: Kind, found: Evidence) -> bool:
    return kind in found.kinds and bool(found.values)


def _share(found: Match, shapes: Mapping[str, RecordShape]) -> str:
    return f"{len(found.columns)} of {len(shapes[found.record].fields)} fields were found"


def written(text: str) -> str:
    """The text as YAML, within braces too."""
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else _quoted(text)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    return f'"{escaped}"'
