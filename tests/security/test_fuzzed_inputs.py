"""Texts that are nearly operations, codes and consents, as somebody might send who tries what happens: each is
answered, or refused by a code, and nothing is shown that would not be anyway.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from schema.credit_code import CreditCode, CreditCodeError
from tests.connectors.support import CODES
from tests.gateway.stages.conftest import BANK, HANGZHOU
from tests.security.routes import ask, parsed
from tests.security.running import Attacked
from tests.security.test_fuzzed_operations import CONSENTS, consented, world_under

CODE = str(CODES[0])

many = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

KNOWN = [
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ":",
    "!",
    "|",
    "&",
    "=",
    "@",
    "$",
    "...",
    ",",
    "#",
    '"',
    '"""',
    "\\",
    "\\u{0}",
    "query",
    "mutation",
    "subscription",
    "fragment",
    "on",
    "schema",
    "type",
    "input",
    "directive",
    "extend",
    "interface",
    "union",
    "enum",
    "scalar",
    "true",
    "false",
    "null",
    "0",
    "-0",
    "1",
    "2147483648",
    "1e9",
    "0.1",
    "-1.5E+3",
    '""',
    '"x"',
    "__typename",
    "__schema",
    "__type",
    "enterprise",
    "enterprises",
    "_entities",
    "_service",
    "sdl",
    "agencies",
    "me",
    "verifyEnterprise",
    "findEnterprises",
    "creditCode",
    "penalties",
    "records",
    "status",
    "sources",
    "code",
    "codes",
    "first",
    "after",
    "name",
    "@skip",
    "@include",
    "if",
    "Query",
    "Enterprise",
    "Penalty",
    "Answer",
]
words = st.sampled_from(KNOWN)
odd = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4)

WHOLE = f"""query Q($c: CreditCode = "{CODE}", $n: Int = 3, $yes: Boolean! = true) {{
  me {{ subject }}
  a: enterprise(code: $c) {{ ...E @include(if: $yes) }}
  enterprises(codes: [$c, "x"]) {{ creditCode identity {{ division }} }}
}}
fragment E on Enterprise {{
  penalties(first: $n) {{ status records {{ documentNumber ...on Penalty {{ decidedOn }} }} }}
}}"""
TOKENS = re.findall(r'"[^"]*"|\.\.\.|\w+|[^\s\w]', WHOLE)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A good operation with a few tokens left out, repeated, put elsewhere or replaced."""
    tokens = list(TOKENS)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(tokens) - 1))
        match draw(st.sampled_from(["drop", "repeat", "move", "replace", "insert"])):
            case "drop":
                del tokens[place]
            case "repeat":
                tokens[place:place] = [tokens[place]] * draw(st.integers(1, 5))
            case "move":
                tokens.insert(draw(st.integers(0, len(tokens) - 1)), tokens.pop(place))
            case "replace":
                tokens[place] = draw(words | odd | st.sampled_from(TOKENS))
            case _:
                tokens.insert(place, draw(words | odd))
    return " ".join(tokens)


def test_the_operation_that_is_spoilt_is_a_good_one(gateway: Attacked) -> None:
    answer = gateway.ask(" ".join(TOKENS)).json()
    assert answer["data"]["a"]["penalties"]["status"] == "COMPLETE"


@many
@given(st.lists(words | odd, max_size=40).map(" ".join) | mutated() | st.text(max_size=80))
@example("\ufeff{ me { subject } }")
@example('{ enterprise(code: """x""") { creditCode } }')
@example('{ enterprise(code: "\\u{110000}") { creditCode } }')
@example('{ enterprise(code: "\\ud83d\\ude00\\ud83d") { creditCode } }')
@example("query ($a: Int = $a) { me { subject } }")
@example('{ findEnterprises(name: "\\u0000") { name } }')
def test_whatever_stands_for_an_operation(gateway: Attacked, text: str) -> None:
    answer = gateway.ask(text)
    assert answer.status_code in {200, 400}
    body = answer.json()
    if answer.status_code == 400:
        assert "data" not in body
        assert {error["extensions"]["code"] for error in body["errors"]} <= REFUSED, text
    else:
        assert all(error["message"] for error in body.get("errors", ()))


REFUSED = {
    "SYNTAX_INVALID",
    "OPERATION_INVALID",
    "OPERATION_UNKNOWN",
    "OPERATION_UNSUPPORTED",
    "ARGUMENT_INVALID",
    "VARIABLES_INVALID",
    "LIMIT_EXCEEDED",
    "REQUEST_MALFORMED",
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | odd,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(odd, inner, max_size=4),
    max_leaves=12,
)


@many
@given(
    st.dictionaries(
        st.sampled_from(["query", "operationName", "variables", "extensions", "documentId", "x"]),
        json_values,
        max_size=5,
    )
)
def test_whatever_the_members_of_a_request_are(gateway: Attacked, members: dict[str, Any]) -> None:
    try:
        body = json.dumps(members)
    except ValueError:
        return
    headers = {"Content-Type": "application/json", "Accept": "application/graphql-response+json"}
    answer = gateway.client.post("/graphql", content=body, headers=headers)
    assert answer.status_code in {200, 400}
    assert answer.status_code == 200 or answer.json()["errors"][0]["extensions"]["code"]


TRICKS = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
WAYS = {
    "full width": lambda code: "".join(chr(ord(character) + 0xFEE0) for character in code),
    "small": str.lower,
    "spaces": " ".join,
    "hyphens": "-".join,
    "wide spaces": "\u3000".join,
}
NO_WAYS = {
    "digits of another script": lambda code: code.translate(TRICKS),
    "mathematical digits": lambda code: "".join(
        chr(0x1D7CE + int(character)) if character.isdigit() else character for character in code
    ),
    "Cyrillic letters": lambda code: code.translate(str.maketrans("MATEX", "МАТЕХ")),
    "Greek letters": lambda code: code.translate(str.maketrans("MATEX", "ΜΑΤΕΧ")),
    "circled digits": lambda code: code.replace("1", "①"),
    "nothing between": "\u200b".join,
    "a mark upon it": lambda code: code[:5] + "\u0301" + code[5:],
    "a direction": lambda code: "\u202e" + code[::-1],
    "a nought at the end": lambda code: code + "\0",
    "a line end": lambda code: code + "\n",
    "a tab": lambda code: code[:9] + "\t" + code[9:],
    "no break": "\u00a0".join,
}
SEVERAL = "query ($c: [CreditCode!]!) { enterprises(codes: $c) { creditCode penalties { status } } }"


def test_one_company_however_it_is_written_is_one_company(gateway: Attacked) -> None:
    written = [CODE, *(way(CODE) for way in WAYS.values())]
    answer = gateway.ask(SEVERAL, variables={"c": written}).json()
    assert "errors" not in answer
    assert {one["creditCode"] for one in answer["data"]["enterprises"]} == {CODE}
    assert json.loads(gateway.audit.read_bytes().splitlines()[-1])["companies"] == [CODE]


@pytest.mark.parametrize("way", NO_WAYS)
def test_what_only_looks_like_a_code_is_none(gateway: Attacked, way: str) -> None:
    answer = gateway.ask(SEVERAL, variables={"c": [NO_WAYS[way](CODE), CODE]}).json()
    assert [one and one["creditCode"] for one in answer["data"]["enterprises"]] == [None, CODE]
    (error,) = answer["errors"]
    assert (error["extensions"]["code"], error["path"]) == ("CODE_INVALID", ["enterprises", 0])


@many
@given(st.lists(st.text(max_size=64) | st.sampled_from([CODE, HANGZHOU]), min_size=1, max_size=5))
def test_whatever_stands_for_codes(gateway: Attacked, texts: list[str]) -> None:
    answer = gateway.ask(SEVERAL, variables={"c": texts}).json()
    wrong = []
    for index, (text, one) in enumerate(zip(texts, answer["data"]["enterprises"], strict=True)):
        try:
            code = CreditCode.parse(text)
        except CreditCodeError:
            wrong.append(index)
            assert one is None
        else:
            assert one["creditCode"] == code
    told = [error for error in answer.get("errors", ()) if error["extensions"]["code"].startswith("CODE_")]
    assert [error["path"] for error in told] == [["enterprises", index] for index in wrong]


GOOD = CONSENTS[0].token
OTHERS = [
    consented(HANGZHOU, "second-bank", "credit", "AUTHORISED", "RESTRICTED"),
    consented(str(CODES[0]), "first-bank", "credit", "AUTHORISED", "RESTRICTED"),
    consented(HANGZHOU, "first-bank", "supervision", "AUTHORISED", "RESTRICTED"),
]
ALL = f"""{{ enterprise(code: "{HANGZHOU}") {{
    registration {{ record {{ name employees {{ value from to }} paidInCapital {{ amount }} }} }}
    taxArrears {{ records {{ balance {{ amount from to }} }} }} taxCredits {{ records {{ grade {{ code }} }} }}
    penalties {{ records {{ facts responsiblePersonId amount {{ amount }} }} }} }} }}"""


async def shown(*consents: str) -> Any:
    """What a bank is shown with these consents."""
    return parsed(await ask(world_under(""), ALL, BANK, "credit.underwriting", consents))["data"]


@st.composite
def spoilt(draw: st.DrawFn) -> str:
    """A good consent with a part of it changed, or parts of several put together."""
    parts = GOOD.split(".")
    match draw(st.sampled_from(["character", "parts", "cut", "dots"])):
        case "character":
            place = draw(st.integers(0, len(GOOD) - 1))
            # The last character of a segment has bits that mean nothing.
            return GOOD[:place] + draw(st.sampled_from("AQgw_-.=+/ é")) + GOOD[place + 1 :]
        case "parts":
            others = [parts, *(other.token.split(".") for other in OTHERS)]
            return ".".join(draw(st.sampled_from(others))[n] for n in range(3))
        case "cut":
            return GOOD[: draw(st.integers(0, len(GOOD) - 1))]
        case _:
            return GOOD.replace(".", draw(st.sampled_from(["..", "", " .", ". "])))


async def test_the_consent_that_is_spoilt_opens_something() -> None:
    assert await shown(GOOD) != await shown()


@many
@given(st.lists(spoilt() | st.text(max_size=40), min_size=1, max_size=4))
async def test_a_spoilt_consent_opens_nothing(consents: list[str]) -> None:
    seen = await shown(*(consent for consent in consents if not genuine(consent)))
    assert seen == await shown()


def genuine(consent: str) -> bool:
    """Whether it is the good one, or differs from it only in bits that mean nothing."""
    signature = consent.rpartition(".")[2]
    return consent.rpartition(".")[0] == GOOD.rpartition(".")[0] and signature[:-1] == GOOD.rpartition(".")[2][:-1]
