"""Record types of agencies, put beside the nation's."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
from graphql import GraphQLObjectType, build_ast_schema, parse, print_ast, validate_schema

from schema.catalogue import FieldSpec, RecordType, Tier
from schema.contract import national
from schema.errors import CatalogueInvalidError
from schema.own_records import clashes, composed
from schema.values import Kind


def field(name: str, kind: Kind, tier: Tier = Tier.PUBLIC, mask: str | None = None) -> FieldSpec:
    return FieldSpec(name, kind, tier, f"The {name}.", "字段。", mask, link=kind is Kind.CREDIT_CODE)


RECALL = RecordType(
    name="ShenzhenMarketRecall",
    field="shenzhenMarketRecalls",
    answer="ShenzhenMarketRecallAnswer",
    single=False,
    tier=Tier.AUTHORISED,
    fields={
        one.name: one
        for one in (
            *(field(f"of{kind.capitalize()}", kind) for kind in Kind),
            field("declaration", Kind.TEXT, Tier.RESTRICTED, "last4"),
            field("english", Kind.TEXT, Tier.SEALED),
        )
    },
    ordered_by="ofDate",
    filters={"orderedFrom": ("ofDate", ">="), "orderedTo": ("publishedFrom", "<=")},
    description="A recall.",
    description_zh="召回信息。",
    owner="shenzhen-market",
)
OTHER = replace(RECALL, name="WuxiRecall", field="wuxiRecall", answer="WuxiRecallAnswer", single=True, owner="wuxi")
OTHER = replace(OTHER, ordered_by=None, filters={})


def test_own_record_types_stand_beside_the_nations_which_stay_as_they_are() -> None:
    contract = composed([RECALL, OTHER])
    before = {node.name.value: print_ast(node) for node in parse(national().text).definitions if hasattr(node, "name")}
    after = {node.name.value: print_ast(node) for node in parse(contract.text).definitions if hasattr(node, "name")}
    added = {"ShenzhenMarketRecall", "ShenzhenMarketRecallAnswer", "WuxiRecall", "WuxiRecallAnswer"}
    assert after.keys() - before.keys() == added
    assert {name for name, text in before.items() if after[name] != text} == {"Enterprise"}
    assert [*contract.catalogue.records] == [*national().catalogue.records, "ShenzhenMarketRecall", "WuxiRecall"]
    assert validate_schema(build_ast_schema(parse(contract.text), assume_valid_sdl=True)) == []


def test_every_kind_of_field_is_shown_as_the_nations_are() -> None:
    contract = composed([RECALL])
    types = contract.schema(frozenset()).type_map
    shown = types["ShenzhenMarketRecall"]
    assert isinstance(shown, GraphQLObjectType)
    assert {name: str(one.type) for name, one in shown.fields.items()} == {
        "source": "RecordSource!",
        "recordId": "String",
        "recordUrl": "String",
        "objection": "Boolean",
        "publishedFrom": "Date",
        "publishedUntil": "Date",
        "ofText": "String",
        "ofInteger": "Int",
        "ofDecimal": "Decimal",
        "ofBoolean": "Boolean",
        "ofDate": "Date",
        "ofDatespan": "DateSpan",
        "ofMoney": "Money",
        "ofCount": "Count",
        "ofCode": "Code",
        "ofCreditcode": "Enterprise",
        "declaration": "String",
        "english": "String",
    }
    entry = contract.catalogue.records["ShenzhenMarketRecall"]
    assert {name: entry.fields[name] for name in RECALL.fields} == RECALL.fields
    assert (entry.owner, entry.tier, entry.single) == ("shenzhen-market", Tier.AUTHORISED, False)
    enterprise = types["Enterprise"]
    assert isinstance(enterprise, GraphQLObjectType)
    answer = enterprise.fields["shenzhenMarketRecalls"]
    assert str(answer.type) == "ShenzhenMarketRecallAnswer!"
    assert {name: str(one.type) for name, one in answer.args.items()} == {
        "first": "Int",
        "after": "String",
        "orderedFrom": "Date",
        "orderedTo": "Date",
    }
    assert 'declaration: String @classified(tier: RESTRICTED, mask: "last4")' in contract.text


def test_of_a_hidden_answer_its_types_are_gone_as_well() -> None:
    contract = composed([RECALL, OTHER])
    told = contract.subgraph_sdl({"WuxiRecall"})
    assert "WuxiRecall" not in told
    assert "ShenzhenMarketRecall" in told
    assert "english" not in told
    assert "WuxiRecallAnswer" not in contract.schema(contract.answers({"WuxiRecall"})).type_map


def test_the_contract_can_go_to_another_process() -> None:
    contract = composed([RECALL])
    assert pickle.loads(pickle.dumps(contract)) == contract  # noqa: S301 - our own bytes


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": "Penalty", "answer": "PenaltyAnswer"}, "the national schema has a type Penalty already"),
        ({"name": "CreditCode"}, "the national schema has a type CreditCode already"),
        ({"answer": "PenaltyAnswer"}, "the national schema has a type PenaltyAnswer already"),
        ({"field": "creditCode"}, "the national schema has the field creditCode on Enterprise already"),
        ({"name": "WuxiRecall"}, "the agency wuxi has a type WuxiRecall already"),
        ({"name": "WuxiRecallAnswer"}, "the agency wuxi has a type WuxiRecallAnswer already"),
        ({"field": "wuxiRecall"}, "the agency wuxi has the field wuxiRecall on Enterprise already"),
    ],
)
def test_no_name_is_taken_twice(changes: dict[str, str], reason: str) -> None:
    own = [OTHER, replace(RECALL, **changes)]
    assert [(clash.index, clash.reason) for clash in clashes(own)] == [(1, reason)]
    with pytest.raises(CatalogueInvalidError, match=reason):
        composed(own)


def test_without_own_record_types_the_contract_is_the_nations() -> None:
    assert composed([]) is national()
