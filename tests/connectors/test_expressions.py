from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import RecordShape
from connectors.errors import ManifestInvalid
from connectors.expressions import DEEPEST, LONGEST, ExpressionError, NotEvaluated, compile_expression, why_not
from connectors.manifest import DatasetManifest, FieldMapping
from connectors.manifest_file import load_manifest
from connectors.mapping import compile_field, compile_mapper
from connectors.text import NOTHINGS
from connectors.turns import Turn
from schema.values import Code, Kind, Money
from tests.connectors.support import SHAPES

ROW = {
    "zt": 1,
    "fines": [
        {"kind": "fine", "amount": Decimal("1.10"), "day": "2026-03-01"},
        {"kind": "seizure", "amount": Decimal("2.20"), "day": "2026-05-01"},
    ],
    "alone": {"kind": "fine", "amount": Decimal("0.1")},
    "texts": ["甲", "乙"],
    "detail": '{"处罚": [{"je": 12.5}]}',
    "empty": [],
    "nothing": None,
    "huge": Decimal("1e999999999"),
    "^": {"office": {"name": "局"}},
    "a.b": "dotted",
}


def value(expression: str, row: Any = ROW) -> object:
    return compile_expression(expression).read(row)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("fines[?kind == 'fine'].amount | [0]", Decimal("1.10")),
        ("sum(fines[*].amount)", Decimal("3.30")),
        ("avg(fines[*].amount)", Decimal("1.65")),
        ("max_by(fines, &day).amount", Decimal("2.20")),
        ("sort_by(fines, &amount)[-1].kind", "seizure"),
        ("max(fines[].amount)", Decimal("2.20")),
        ("ceil(fines[0].amount)", 2),
        ("floor(fines[0].amount)", 1),
        ("type(fines[0].amount)", "number"),
        ("alone.amount == `0.1`", True),
        ("fines[?amount > `1.5`].kind | [0]", "seizure"),
        ("to_number('1.10') == fines[0].amount", True),
        ("to_number('１')", None),
        ("join('、', texts)", "甲、乙"),
        ("length(fines)", 2),
        ("contains(fines[*].kind, 'fine')", True),
        ("nothing || alone.kind", "fine"),
        ("not_null(missing, nothing, alone.kind)", "fine"),
        ('parse_json(detail)."处罚"[0].je', Decimal("12.5")),
        ("parse_json(nothing)", None),
        ("parse_json(alone).kind", "fine"),
        ('"^".office.name', "局"),
        ('"a.b"', "dotted"),
        ("missing[?x == 'y'].z | [0]", None),
        ("sum(empty)", 0),
        ("sum(missing[*].amount)", None),
        ("join('、', nothing)", None),
        ("fines[?starts_with(missing, 'x')] | [0]", None),
    ],
)
def test_expressions_have_exact_values(expression: str, expected: object) -> None:
    row = {**ROW, "zt": "1"}
    # One that reads nothing is refused: these two read something beside.
    found = value(f"[{expression}, zt] | [0]", row)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    "expression", ["alone[0].kind", "alone[*].kind | [0]", "alone[].kind | [0]", "alone[0:1].kind|[0]"]
)
def test_what_is_no_list_counts_as_a_list_of_it(expression: str) -> None:
    assert value(expression) == "fine"


def test_a_condition_takes_what_is_no_list_for_a_list_of_it() -> None:
    assert value("alone[?kind == 'fine'].amount | [0]") == Decimal("0.1")
    assert value("sum(alone.amount)") == Decimal("0.1")


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("fines.kind || 'none'", "kind is asked of a list: say [*] or which, as [0]"),
        ("fines[?amount > '1'] | [0].kind", "a number is compared with a text"),
        ("zt == '1' && 'yes'", "a number is compared with a text"),
        ("sum(fines[*].kind)", "sum() does not take a text"),
        ("join(',', [nothing, missing])", "join() does not take nothing (null)"),
        ("max_by([alone, fines[0]], &(kind == 'fine')).kind", "max_by() does not take a boolean"),
        ("parse_json(alone.kind)", "parse_json() was given a text that is no JSON"),
        ("contains(fines, alone)", "contains() looks for a text, a number or a boolean"),
        ("to_string(fines)", "to_string() does not take a list"),
        ("floor(huge)", "a number is too large"),
        ("sum([huge, huge])", "it has no value here"),
        ("length(zt)", "length() does not take a number"),
    ],
)
def test_what_cannot_be_evaluated_is_an_error_that_tells_types_alone(expression: str, why: str) -> None:
    compiled = compile_expression(expression)
    with pytest.raises(NotEvaluated):
        compiled.read(ROW)
    assert why_not(compiled, ROW) == why


@pytest.mark.parametrize(
    "expression",
    [
        "texts" + "|[@,@][]" * 40 + "|[0]",
        "[texts, texts]" + "|[@,@]" * 60 + "|[[@,@],[@,@]]|[0]==[1]",
        "join('',texts)" + "|join(@,[@,@,@])" * 40,
        "texts" + "|[@,@,@,@][]" * 20 + "|sort(@)|[0]",
    ],
)
def test_what_is_doubled_time_and_again_comes_to_an_end(expression: str) -> None:
    if expression.count("|") >= DEEPEST:
        with pytest.raises(ExpressionError):
            compile_expression(expression)
        return
    assert why_not(compile_expression(expression), ROW) == "it takes too many steps"


def test_rows_that_are_nested_deep_do_not_break_the_comparison() -> None:
    deep: object = "x"
    for _ in range(5000):
        deep = [deep]
    assert why_not(compile_expression("a == b"), {"a": deep, "b": [deep]}) == "it has no value here"


@pytest.mark.parametrize(
    ("expression", "path"),
    [
        ("person.name", "person.name"),
        ("items[0].id", "items.0.id"),
        ('"^".code', "^.code"),
        ('"@id"', "@id"),
        ("items[-1].id", None),
        ("items[*].id", None),
        ('"a.b".c', None),
        ('items."0"', None),
    ],
)
def test_names_and_positions_are_read_as_a_path(expression: str, path: str | None) -> None:
    assert compile_expression(expression).path == path


def test_a_plain_expression_does_not_pass_several_values_for_none() -> None:
    mapping = FieldMapping.model_validate({"jmespath": "fines.kind"})
    field = compile_field(mapping, Kind.TEXT, NOTHINGS, nested=True)
    assert field.read_column([ROW] * 9).unreadable == list(range(9))


@pytest.mark.parametrize(
    ("expression", "places"),
    [
        ("fines[?kind=='x'].amount | [0]", {"fines.kind", "fines.amount"}),
        ("max_by(fines, &day).amount", {"fines.day", "fines.amount"}),
        (
            "sort_by(fines[?a.b], &day)[-1].(x)".replace("(x)", "[x, y.z]"),
            {"fines.a.b", "fines.day", "fines.x", "fines.y.z"},
        ),
        ("map(&amount, fines) | sum(@)", {"fines.amount"}),
        ("a.b || c.d[0]", {"a.b", "c.d"}),
        ("[a, b] | [0].c", {"a.c", "b.c"}),
        ("a.{x: b, y: c.d}.x", {"a.b", "a.c.d"}),
        ("length(a.b) > `2` && !c && d != 'x'", {"a.b", "c", "d"}),
        ("a.*.b", {"a"}),
        ("parse_json(a).b.c", {"a"}),
        ('"^".code', {"^.code"}),
        ("reverse(a)[0].b", {"a.b"}),
    ],
)
def test_what_an_expression_reads_is_known_without_a_row(expression: str, places: set[str]) -> None:
    assert compile_expression(expression).places == places


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("a..b", "Expecting"),
        ("a[?b", "ends too soon"),
        ("a b", "Unexpected token: b at character 3"),
        ("处罚[0]", "stand in double quotes"),
        ("@", "the row as a whole"),
        ("*.a", "the row as a whole"),
        ("keys(@)", "the row as a whole"),
        ("'x'", "reads nothing"),
        ("toNumber(a)", "there is no function toNumber()"),
        ("sum(a, b)", "sum() takes 1 argument"),
        ("join(a)", "join() takes 2 arguments"),
        ("merge()", "merge() takes at least 1 argument"),
        ("a" * 1001, "longer than 1000 characters"),
        ("!" * 400 + "a", "nested deeper"),
        ("(" * 499 + "a" + ")" * 499, "nested deeper"),
        ('"\\ud800"', "a name is no Unicode text"),
    ],
)
def test_what_is_no_expression_is_refused_with_its_reason(expression: str, why: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        compile_expression(expression)
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_bounds_leave_room_for_what_is_only_long() -> None:
    assert value(" || ".join(["missing"] * 40 + ["zt"])) == 1


def test_a_wrong_expression_is_a_mistake_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "court.yaml"
    path.write_text(
        "agency: court\nname: {en: Court, zh: 法院}\nkind: memory\ndatasets:\n  - record: Penalty\n    rows: []\n"
        "    key: code\n    missingMeans: none\n    fields:\n      documentNumber: no\n"
        "      amount: {jmespath: 'summ(a)'}\n      facts: {jmespath: 'a', path: b}\n",
    )
    with pytest.raises(ManifestInvalid) as refused:
        load_manifest(path, SHAPES)
    told = [(finding.line, finding.path, finding.message) for finding in refused.value.findings]
    assert (11, "datasets.0.fields.amount.jmespath", "there is no function summ()") in told
    assert any(
        line == 12 and "needs exactly one of path, first, join, jmespath and const" in what for line, _, what in told
    )


def of_field(kind: Kind, rows: list[Any], **mapping: Any) -> Any:
    field = compile_field(FieldMapping.model_validate(mapping), kind, NOTHINGS, nested=True)
    return field.read_column(rows)


def test_the_rest_of_the_mapping_applies_to_what_an_expression_gives() -> None:
    money = of_field(Kind.MONEY, [ROW], jmespath="sum(fines[*].amount)", unit="万元")
    assert money.values == [Money(Decimal(33000))]
    code = of_field(Kind.CODE, [ROW], jmespath="fines[-1].kind", codes={"seizure": {"code": "s", "label": "没收"}})
    assert code.values == [Code("s", "没收")]
    assert of_field(Kind.TEXT, [ROW], jmespath="missing[-1].kind", default="x").values == ["x"]
    assert of_field(Kind.TEXT, [{"a": ["暂无"]}], jmespath="a[-1]").values == [None]


async def test_what_an_expression_cannot_evaluate_costs_the_value_of_its_row_alone() -> None:
    dataset = DatasetManifest.model_validate(
        {"record": "R", "key": "code", "fields": {"amount": {"jmespath": "sum(fines[*].amount)"}, "no": "no"}}
    )
    shape = RecordShape("R", single=False, fields={"amount": Kind.MONEY, "no": Kind.TEXT})
    mapper = compile_mapper(dataset, shape, ())
    rows = [{"no": str(n), "fines": [{"amount": n if n % 10 else "x"}]} for n in range(100)]
    mapped = await mapper.read(rows, ["amount", "no"], Turn())
    assert mapped.unreadable == {n: frozenset({"amount"}) for n in range(0, 100, 10)}
    assert [row["no"] for row in mapped.rows] == [str(n) for n in range(100)]
    assert [row["amount"] for row in mapped.rows] == [Money(Decimal(n)) if n % 10 else None for n in range(100)]
    few = await mapper.read(rows[:2], ["amount", "no"], Turn())
    assert few.unreadable == {0: frozenset({"amount"})}


TEXTS = st.sampled_from([None, "", "x", "y"])
OBJECTS = st.recursive(
    st.fixed_dictionaries({"t": TEXTS}),
    lambda inner: st.fixed_dictionaries(
        {"t": TEXTS}, optional={"o": st.none() | inner, "l": st.none() | st.lists(inner, max_size=3)}
    ),
    max_leaves=8,
)


def expressions(depth: int) -> st.SearchStrategy[tuple[str, str, str]]:
    """An expression that gives an object, one that gives a list of objects, and one that gives a text."""
    if not depth:
        return st.just(("o", "l", "t"))
    objects, lists, texts = (expressions(depth - 1).map(lambda three, kind=kind: three[kind]) for kind in range(3))
    conditions = st.one_of(
        st.builds("{} == 'x'".format, texts),
        st.builds("{} < 'y'".format, texts),
        st.builds("!{} || {} != null_".format, objects, texts),
        st.builds("length(not_null({}, `[]`)) > `1` && {} == {}".format, lists, objects, objects),
        st.builds("contains(({} | [*].t || `[]`), 'x')".format, lists),
    )
    return st.tuples(
        st.one_of(
            st.builds("{}.o".format, objects),
            st.builds("({} | [{}])".format, lists, st.sampled_from(["0", "-1"])),
            st.builds("({} || {})".format, objects, objects),
            st.builds("{{t: {}, l: {}}}".format, texts, lists),
        ),
        st.one_of(
            st.builds("{}.l".format, objects),
            st.builds("({} | [*].o)".format, lists),
            st.builds("({} | [*].l | [])".format, lists),
            st.builds("({} | [::{}])".format, lists, st.sampled_from(["2", "-1"])),
            st.builds("({} | [?{}])".format, lists, conditions),
            st.builds("[{}, {}]".format, objects, objects),
            st.builds("(sort_by(({} | [?t]) || `[]`, &t))".format, lists),
        ),
        st.one_of(
            st.builds("{}.t".format, objects),
            st.builds("({} | [*].t | [0])".format, lists),
            st.builds("(join('-', ({} | [*].t) || `[]`))".format, lists),
            st.builds("({} && {})".format, texts, texts),
        ),
    )


@given(expressions(3), OBJECTS)
def test_expressions_mean_what_the_specification_says(texts: tuple[str, str, str], row: dict[str, Any]) -> None:
    for text in texts:
        if len(text) <= LONGEST:
            assert compile_expression(text).read(row) == jmespath.search(text, row)
