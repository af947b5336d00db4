"""A mask stands only where the field's GraphQL type can hold what it leaves: for every mask and every kind of field."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.errors import PolicyInvalid
from policies.load import load_policy, read_directory
from policies.masks import MASKS, MaskContext, apply_mask
from schema import output_values
from schema.catalogue import Catalogue, FieldSpec, RecordType, Tier
from schema.derive import derive
from schema.errors import CatalogueInvalidError
from schema.records.base import SourcedRecord
from schema.tiers import Declaration, Record, classified, record
from schema.values import PYTHON_TYPES, Code, Count, DateSpan, Kind, Money, Value

AGENCIES = ("tax", "registry", "zhejiang")

FITS = {
    "redact": set(Kind),
    "partial": {Kind.TEXT},
    "last4": {Kind.TEXT},
    "hmac": {Kind.TEXT},
    "district": {Kind.TEXT},
    "bucket": {Kind.MONEY, Kind.COUNT},
    "year": {Kind.DATE_SPAN},
}

DECLARED: dict[Kind, type] = {
    Kind.TEXT: str,
    Kind.INTEGER: int,
    Kind.DECIMAL: Decimal,
    Kind.BOOLEAN: bool,
    Kind.DATE: dt.date,
    Kind.DATE_SPAN: output_values.DateSpan,
    Kind.MONEY: output_values.Money,
    Kind.COUNT: output_values.Count,
    Kind.CODE: output_values.Code,
}

VALUES: dict[Kind, st.SearchStrategy[Value]] = {
    Kind.TEXT: st.text(max_size=40) | st.sampled_from(["王小明", "13812345678", "浙江省杭州市西湖区文三路1号"]),
    Kind.INTEGER: st.integers(),
    Kind.DECIMAL: st.decimals(),
    Kind.BOOLEAN: st.booleans(),
    Kind.DATE: st.dates(),
    Kind.DATE_SPAN: st.dates().map(DateSpan),
    Kind.MONEY: st.builds(Money, st.decimals()),
    Kind.COUNT: st.builds(Count, st.integers()),
    Kind.CODE: st.builds(Code, st.text(max_size=10)),
    Kind.CREDIT_CODE: st.just("91330100799655058B"),
}

EVERY = [pytest.param(mask, kind, id=f"{mask} on {kind}") for mask in MASKS for kind in Kind]


def test_these_are_all_the_masks_and_kinds() -> None:
    assert set(MASKS) == set(FITS)
    assert set(DECLARED) | {Kind.CREDIT_CODE} == set(PYTHON_TYPES) == set(Kind)


def catalogue_of(kind: Kind) -> Catalogue:
    """One record type with one field of this kind, AUTHORISED, and the dispute mark."""
    fields = {
        "value": FieldSpec("value", kind, Tier.AUTHORISED, "value", "值"),
        "objection": FieldSpec("objection", Kind.BOOLEAN, Tier.PUBLIC, "objection", "异议"),
    }
    return Catalogue(
        {
            "Thing": RecordType(
                "Thing",
                "things",
                "ThingAnswer",
                single=False,
                tier=Tier.PUBLIC,
                fields=fields,
                ordered_by=None,
                filters={},
                description="thing",
                description_zh="物",
            )
        }
    )


@pytest.mark.parametrize(("mask", "kind"), EVERY)
@pytest.mark.parametrize("name", ["Thing.value", "AUTHORISED"])
def test_a_rule_puts_a_mask_only_on_fields_that_can_hold_what_it_leaves(
    write_policy: Callable[..., Path], name: str, mask: str, kind: Kind
) -> None:
    rules = (
        "rules:\n"
        "  - {id: rows, allow: Thing, of: any, to: any, for: any, given: any, note: why}\n"
        f"  - {{id: one, allow: {name}, masked: {mask}, of: any, to: any, for: any, given: any, note: why}}\n"
    )
    codes = []
    try:
        load_policy(read_directory(write_policy(rules)), catalogue_of(kind), AGENCIES)
    except PolicyInvalid as error:
        codes = [finding.code for finding in error.findings]
    assert codes == ([] if kind in FITS[mask] else ["MASK_UNFIT"])


# A credit code is declared as a link, which takes no mask.
@pytest.mark.parametrize("kind", DECLARED)
@pytest.mark.parametrize("mask", MASKS)
def test_a_field_is_declared_only_with_a_default_mask_that_it_can_hold(mask: str, kind: Kind) -> None:
    declared = type(
        "Fine",
        (SourcedRecord,),
        {
            "__doc__": "A fine.",
            "__annotations__": {"value": DECLARED[kind] | None},
            "value": classified(Tier.PUBLIC, "The value.", "值。", mask=mask),
        },
    )
    made: type[Record] = record(Declaration(field="fines", tier=Tier.PUBLIC, chinese="罚款。"))(declared)
    if kind in FITS[mask]:
        spec = derive([made]).field("Fine.value")
        assert spec is not None
        assert (spec.kind, spec.mask) == (kind, mask)
    else:
        with pytest.raises(CatalogueInvalidError, match=rf"Fine\.value: the mask '{mask}' does not fit"):
            derive([made])


@pytest.mark.parametrize(("mask", "kind"), EVERY)
@settings(max_examples=20)
@given(data=st.data())
def test_what_a_mask_leaves_is_of_the_fields_own_type_or_nothing(mask: str, kind: Kind, data: st.DataObject) -> None:
    value = data.draw(VALUES[kind])
    masked = apply_mask(mask, value, MaskContext("first-bank", None, "Thing.value", b"s" * 32))
    assert masked is None or type(masked) is PYTHON_TYPES[kind]
