"""What a receipt states beside the answer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.stages.question import Question


def statement(
    question: Question,
    *,
    issuer: str,
    at: dt.datetime,
    nonce: bytes,
    sources: Sequence[Mapping[str, Any]],
) -> Mapping[str, Any]:
    """What a receipt states beside the answer: who answered whom, when and for which purpose, out of which sources as
    of when, and the nonce with which the log's digest of the response is salted.
    """
    principal = question.caller.principal
    return {
        "issuer": issuer,
        "at": at,
        "organisation": principal.organisation,
        "subject": principal.subject,
        "purpose": question.caller.purpose,
        "operation": question.operation.id,
        "sources": sources,
        "nonce": nonce.hex(),
    }
