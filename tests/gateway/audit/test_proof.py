from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.audit.checkpoint import sign_checkpoint
from gateway.audit.files import Rotation
from gateway.audit.proof import check_proof, prove
from gateway.errors import CheckpointInvalidError, ProofInvalidError


async def test_a_record_is_proved_without_the_others_and_nothing_else_passes_for_it(
    installation, make_key, key_set
) -> None:
    await installation.write(*range(7), part="-1")
    await installation.write(*range(3), part="-2")
    await installation.certify()
    lines = installation.lines("-1")
    keys = installation.keys
    proofs = [await prove("test-1", line, installation.books(), keys) for line in lines]
    for proof, line in zip(proofs, lines, strict=True):
        assert proof.record == line.decode()
        assert check_proof(proof, keys).number == 1
    assert all(lines[0].decode() not in str(replace(proof, record="")) for proof in proofs)
    one, two = proofs[:2]
    for false in (
        replace(one, record=one.record.replace('"n":0', '"n":9')),
        replace(one, record=two.record),
        replace(one, path=two.path),
        replace(one, path=[*one.path, one.path[0]]),
        replace(one, path=["x"]),
        replace(one, chain="test-2"),
        replace(one, chain="test-3"),
        replace(one, record="{}"),
    ):
        with pytest.raises(ProofInvalidError):
            check_proof(false, keys)
    forger = make_key()
    forged = replace(one, checkpoint=sign_checkpoint(check_proof(one, keys), forger))
    for false in (forged, replace(one, checkpoint="x")):
        with pytest.raises(CheckpointInvalidError):
            check_proof(false, keys)
    assert check_proof(forged, key_set(forger))


async def test_what_is_under_no_checkpoint_or_no_record_of_this_log_cannot_be_proved(installation) -> None:
    await installation.write(1)
    (line,) = installation.lines()
    for bad in (line, b"{}"):
        with pytest.raises(ProofInvalidError):
            await prove("test", bad, installation.books(), installation.keys)
    await installation.certify()
    await prove("test", line, installation.books(), installation.keys)
    with pytest.raises(ProofInvalidError):
        await prove("test", line.replace(b'"n":1', b'"n":2'), installation.books(), installation.keys)


async def test_a_record_in_a_file_that_was_rotated_away_is_proved_like_any_other(installation) -> None:
    await installation.write(*range(2), rotation=Rotation(150, 1e9))
    await installation.certify()
    await installation.write(*range(6), rotation=Rotation(150, 1e9))
    await installation.certify()
    (line,) = installation.path.with_name("audit.jsonl.000000000003").read_bytes().splitlines()[:1]
    proof = await prove("test", line, installation.books(), installation.keys)
    assert check_proof(proof, installation.keys).number == 2
