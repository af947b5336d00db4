from __future__ import annotations

from pathlib import Path

from graphql import (
    GraphQLEnumType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_ast_schema,
    is_specified_scalar_type,
    parse,
    validate_schema,
)

import schema
from connectors.health import AgencyState
from schema.catalogue import Tier
from schema.contract import national
from schema.records import catalogue
from schema.sdl import sdl

CHECKED_IN = Path(schema.__file__).parent / "schema.graphql"


def _read(text: str) -> GraphQLSchema:
    return build_ast_schema(parse(text), assume_valid_sdl=True)


def _object(name: str) -> GraphQLObjectType:
    found = _read(sdl()).type_map[name]
    assert isinstance(found, GraphQLObjectType)
    return found


def _signatures(type_: GraphQLObjectType) -> dict[str, str]:
    return {
        name: "".join(f"{argument}: {given.type} " for argument, given in field.args.items()) + f"-> {field.type}"
        for name, field in type_.fields.items()
    }


def test_the_checked_in_contract_is_the_one_that_is_served() -> None:
    assert CHECKED_IN.read_text(encoding="utf-8") == sdl(), "the contract changed: run `make generated`, review, commit"


def test_the_contract_is_a_valid_schema() -> None:
    assert validate_schema(_read(sdl())) == []
    assert validate_schema(_read(national().subgraph_sdl(()))) == []


def test_the_roots_are_those_of_the_design() -> None:
    assert _signatures(_object("Query")) == {
        "_entities": "representations: [_Any!]! -> [_Entity]!",
        "_service": "-> _Service!",
        "enterprise": "code: CreditCode! -> Enterprise",
        "enterprises": "codes: [CreditCode!]! -> [Enterprise]!",
        "enterpriseByLegacyId": "kind: LegacyIdKind! id: String! -> Enterprise",
        "findEnterprises": "name: String! division: String first: Int -> [EnterpriseMatch!]!",
        "verifyEnterprise": "code: CreditCode! name: String legalRepresentative: String -> Verification!",
        "agencies": "-> [Agency!]!",
        "me": "-> Viewer!",
    }


def test_an_enterprise_has_a_field_for_each_record_type_and_lists_come_in_pages() -> None:
    fields = _signatures(_object("Enterprise"))
    assert fields.pop("creditCode") == "-> CreditCode!"
    assert fields.pop("identity") == "-> CodeIdentity!"
    assert fields == {
        record.field: ("" if record.single else "first: Int after: String ")
        + "".join(f"{argument}: Date " for argument in record.filters)
        + f"-> {record.answer}!"
        for record in catalogue().of_companies()
    }
    assert sdl().count("first: Int = 100") == sum(not record.single for record in catalogue().of_companies())
    assert sdl().count("first: Int = 10\n") == 1


def test_an_enterprise_is_an_entity_of_a_federation() -> None:
    assert 'type Enterprise @key(fields: "creditCode"' in sdl()
    assert "https://specs.apollo.dev/federation/v2" in sdl()


def test_answers_carry_status_sources_and_access_beside_their_records() -> None:
    answer = {"status": "-> AnswerStatus!", "sources": "-> [Source!]!", "access": "-> [FieldAccess!]!"}
    page = {"records": "-> [Penalty!]", "hasMore": "-> Boolean", "endCursor": "-> String"}
    assert _signatures(_object("PenaltyAnswer")) == answer | page
    assert _signatures(_object("RegistrationAnswer")) == answer | {"record": "-> Registration"}
    interface = _read(sdl()).type_map["Answer"]
    assert isinstance(interface, GraphQLInterfaceType)
    assert {type_.name for type_ in _read(sdl()).get_possible_types(interface)} == {
        "Verification",
        *(record.answer for record in catalogue().of_companies()),
    }


def test_the_values_of_the_envelope_are_those_of_the_design() -> None:
    values = {
        name: list(type_.values)
        for name, type_ in _read(sdl()).type_map.items()
        if isinstance(type_, GraphQLEnumType) and not name.startswith("__")
    }
    assert values == {
        "AnswerStatus": ["COMPLETE", "PARTIAL", "UNAVAILABLE", "WITHHELD"],
        "SourceStatus": ["ANSWERED", "UNKNOWN_COMPANY", "INCOMPLETE", "STALE", "FAILED", "WITHHELD", "NOT_ASKED"],
        "FailureCode": ["AGENCY_TIMEOUT", "AGENCY_UNAVAILABLE", "AGENCY_OVERLOADED", "AGENCY_BAD_RESPONSE", "LIMIT"],
        "Decision": ["CLEAR", "MASKED", "WITHHELD"],
        "AccessReason": ["NEEDS_PURPOSE", "NEEDS_CONSENT", "NEEDS_JURISDICTION", "NOT_AVAILABLE"],
        "Tier": ["PUBLIC", "AUTHORISED", "RESTRICTED", "SEALED"],
        "LegacyIdKind": ["REGISTRATION_NUMBER", "ORGANISATION_CODE", "TAX_NUMBER"],
        "MatchGrade": ["EXACT", "NORMALISED", "PREFIX", "PARTIAL", "OTHER"],
        "VerificationResult": ["MATCH", "MISMATCH", "UNKNOWN"],
        "AgencyState": list(AgencyState),
    }


def test_what_is_told_of_agencies_may_be_withheld_field_by_field() -> None:
    agency = _signatures(_object("Agency"))
    assert agency.pop("health") == "-> AgencyHealth"
    assert agency.pop("usage") == "days: Int! -> [AgencyUsage!]"
    assert agency.pop("access") == "-> [FieldAccess!]!"
    told = {**_signatures(_object("AgencyHealth")), **_signatures(_object("AgencyUsage"))}
    assert not [name for name, signature in told.items() if signature.endswith("!")]


def test_values_that_may_be_vague_show_their_bounds() -> None:
    assert _signatures(_object("Money")) == {
        "amount": "-> Decimal",
        "from": "-> Decimal",
        "to": "-> Decimal",
        "currency": "-> String!",
    }
    assert _signatures(_object("DateSpan")) == {"date": "-> Date", "from": "-> Date", "to": "-> Date"}
    assert _signatures(_object("Count")) == {"value": "-> Int", "from": "-> Int", "to": "-> Int"}
    assert _signatures(_object("Code")) == {"code": "-> String!", "label": "-> String"}


def test_every_field_of_a_record_is_nullable_but_its_source() -> None:
    for record in catalogue().of_companies():
        fields = _signatures(_object(record.name))
        assert fields.pop("source") == "-> RecordSource!"
        assert fields.keys() == record.fields.keys()
        assert not any(type_.endswith("!") for type_ in fields.values())


def test_the_contract_shows_each_tier_and_default_mask() -> None:
    lines = {line.strip() for line in sdl().splitlines()}
    assert 'balance: Money @classified(tier: RESTRICTED, mask: "bucket")' in lines
    assert "informant: String @classified(tier: SEALED)" in lines
    assert "type TaxPayment @classified(tier: AUTHORISED) {" in lines
    assert "holder: Enterprise @classified(tier: PUBLIC)" in lines


def test_everything_of_ours_is_described_in_both_languages() -> None:
    for name, type_ in _read(sdl()).type_map.items():
        if name.startswith("_") or is_specified_scalar_type(type_):
            continue
        described = {name: type_.description}
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            fields = {key: field for key, field in type_.fields.items() if not key.startswith("_")}
            described |= {f"{name}.{key}": field.description for key, field in fields.items()}
            described |= {
                f"{name}.{key}({argument})": given.description
                for key, field in fields.items()
                for argument, given in field.args.items()
            }
        if isinstance(type_, GraphQLEnumType) and name != "Tier":
            described |= {f"{name}.{value}": given.description for value, given in type_.values.items()}
        for coordinate, description in described.items():
            english, _, chinese = (description or "").partition("\n\n")
            assert english, coordinate
            assert any("\u4e00" <= character <= "\u9fff" for character in chinese), coordinate


def test_a_router_does_not_learn_of_sealed_fields() -> None:
    sealed = [coordinate for coordinate, tier in catalogue().tiers() if tier is Tier.SEALED]
    assert sealed == ["Penalty.informant", "TaxCredit.internalRiskScore"]
    whole, subgraph = _read(sdl()), _read(national().subgraph_sdl(()))
    for coordinate in sealed:
        name, _, field = coordinate.partition(".")
        assert field in whole.type_map[name].fields  # type: ignore[attr-defined]
        assert field not in subgraph.type_map[name].fields  # type: ignore[attr-defined]
        assert field not in national().subgraph_sdl(())
    assert whole.type_map.keys() == subgraph.type_map.keys()
