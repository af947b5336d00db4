"""Receipts: what was answered can be proved to others, with nothing but the gateway's public keys."""

from __future__ import annotations

import asyncio
import datetime as dt
from base64 import urlsafe_b64encode
from dataclasses import replace
from hashlib import sha256
from typing import Any

import orjson
import pytest
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from gateway.audit.keys import SigningKeys
from gateway.errors import ReceiptInvalidError
from gateway.messages import Received
from gateway.receipt import SHORT, Receipts, Salt, salted_digest, verify_receipt

OLD, NEW = (OKPKey.generate_key("Ed25519", auto_kid=True) for _ in range(2))
PUBLIC = KeySet([OKPKey.import_key(key.as_dict(private=False)) for key in (OLD, NEW)])
QUERY = "query ($code: CreditCode!) { enterprise(code: $code) { penalties { status records { facts } } } }"


def receipts_by(key: OKPKey) -> Receipts:
    return Receipts("xinqiao", SigningKeys(key, PUBLIC))


async def ask(world: Any, code: str, key: OKPKey | None = OLD, *, receipt: bool = True) -> Any:
    gateway = replace(world.gateway, receipts=key and receipts_by(key))
    deadline = asyncio.get_running_loop().time() + 20
    principal = world.principal
    purpose, variables = "credit.underwriting", {"code": code}
    return await gateway.answer(
        Received("r-1", QUERY, None, variables, principal, purpose, (), deadline, read_only=False, receipt=receipt)
    )


@pytest.fixture
def world(make_world, principals) -> Any:
    made = make_world()
    made.principal = principals.bank
    return made


async def test_a_receipt_is_for_the_very_body_and_states_who_was_told_what_out_of_which_sources(world, codes) -> None:
    answered = await ask(world, codes.hangzhou)
    stated = verify_receipt(answered.receipt, answered.body, PUBLIC)
    assert (stated["issuer"], stated["organisation"], stated["purpose"]) == (
        "xinqiao",
        "first-bank",
        "credit.underwriting",
    )
    assert {(one["dataset"], one["status"], one["asOf"]) for one in stated["sources"]} == {
        ("zhejiang-penalties/Penalty", "ANSWERED", "2026-11-01T08:00:00+00:00"),
        ("guangdong-penalties/Penalty", "ANSWERED", "2026-11-01T08:00:00+00:00"),
    }
    assert dt.datetime.fromisoformat(stated["at"]).tzinfo


async def test_a_stock_jose_library_verifies_it_before_and_after_the_key_is_replaced(world, codes) -> None:
    for key in (OLD, NEW):
        answered = await ask(world, codes.hangzhou, key)
        header, _, signature = answered.receipt.split(".")
        whole = f"{header}.{urlsafe_b64encode(answered.body).decode().rstrip('=')}.{signature}"
        found = jws.deserialize_compact(whole, PUBLIC, algorithms=["Ed25519"])
        assert (found.payload, found.headers()["kid"]) == (answered.body, key.kid)
        with pytest.raises(JoseError):
            jws.deserialize_compact(whole, KeySet([PUBLIC.keys[key is OLD]]), algorithms=["Ed25519"])


@pytest.mark.parametrize("length", [100, 101, 102, SHORT, SHORT + 1, 196_608, 196_609, 1_000_000])
async def test_bodies_of_any_length_are_signed_whole(length: int) -> None:
    beginning = b'{"extensions":{"receipt":{"issuer":"xinqiao"}},"data":"'
    body = beginning.ljust(length - 2, b"x") + b'"}'
    assert len(body) == length
    assert verify_receipt(await receipts_by(OLD).sign(body), body, PUBLIC) == {"issuer": "xinqiao"}


async def test_another_body_another_key_and_another_signed_text_are_refused(world, codes) -> None:
    answered = await ask(world, codes.hangzhou)
    header, signature = answered.receipt.split("..")
    other = await ask(world, codes.ningbo)
    checkpoint = jws.serialize_compact(
        {"alg": "Ed25519", "kid": OLD.kid, "typ": "xinqiao-checkpoint"}, answered.body, OLD, algorithms=["Ed25519"]
    )
    for receipt, body, keys in (
        (answered.receipt, answered.body.replace(b"COMPLETE", b"PARTIAL."), PUBLIC),
        (answered.receipt, answered.body + b"\n", PUBLIC),
        (answered.receipt, other.body, PUBLIC),
        (answered.receipt, answered.body, KeySet([PUBLIC.keys[1]])),
        (f"{header}.{signature}", answered.body, PUBLIC),
        (f"..{signature}", answered.body, PUBLIC),
        (f"{header}..", answered.body, PUBLIC),
        ("", answered.body, PUBLIC),
        ("..".join(checkpoint.split(".")[::2]), answered.body, PUBLIC),
    ):
        with pytest.raises(ReceiptInvalidError):
            verify_receipt(receipt, body, keys)
    assert verify_receipt(answered.receipt, answered.body, PUBLIC)


async def test_the_audit_has_a_digest_of_each_answer_that_only_its_nonce_can_be_compared_with(world, codes) -> None:
    with_receipt = await ask(world, codes.hangzhou)
    without = await ask(world, codes.hangzhou, receipt=False)
    assert without.receipt is None
    assert "receipt" not in orjson.loads(without.body)["extensions"]
    first, second = (line["response"] for line in world.audit.lines)
    nonce = orjson.loads(with_receipt.body)["extensions"]["receipt"]["nonce"]
    assert first == sha256(bytes.fromhex(nonce) + with_receipt.body).hexdigest()
    assert nonce not in str(world.audit.lines)
    assert second == salted_digest(world.gateway.secrets.salt.nonce("r-1"), without.body)
    assert Salt(b"another").nonce("r-1") != world.gateway.secrets.salt.nonce("r-1")
    assert world.gateway.secrets.salt.nonce("r-2") != world.gateway.secrets.salt.nonce("r-1")


async def test_whoever_asks_for_a_receipt_where_there_is_no_key_is_refused_and_no_agency_is_asked(world, codes) -> None:
    answered = await ask(world, codes.hangzhou, None)
    assert orjson.loads(answered.body)["errors"][0]["extensions"]["code"] == "RECEIPT_UNAVAILABLE"
    assert world.supply.requests == []
    assert world.audit.lines[0]["code"] == "RECEIPT_UNAVAILABLE"
