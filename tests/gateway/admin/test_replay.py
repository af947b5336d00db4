"""Recorded acts of administrators sent again: by somebody else they do what that one may do, and by the same nothing
more.
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

NOTE = "\n# a remark\n"
APPROVE = "mutation ($draft: ID!, $digest: String!) { approve(draft: $draft, digest: $digest) { id } }"
PUBLISH = "mutation ($draft: ID!) { publish(draft: $draft) { number } }"


def codes(response: httpx.Response) -> list[str]:
    return [error["extensions"]["code"] for error in response.json().get("errors", ())]


async def published(administrators: Any) -> list[httpx.Request]:
    """The requests by which a change became a version: read, proposed, approved and published, by two people."""
    sent: list[httpx.Request] = []

    async def keep(request: httpx.Request) -> None:
        sent.append(request)

    administrators.client.event_hooks = {"request": [keep]}
    files = await administrators.files()
    draft = await administrators.propose("al", {"rules/nation.yaml": files["rules/nation.yaml"] + NOTE})
    made = draft["data"]["propose"]
    await administrators.ask("bo", APPROVE, draft=made["id"], digest=made["digest"])
    await administrators.ask("al", PUBLISH, draft=made["id"])
    administrators.client.event_hooks = {"request": []}
    assert (await administrators.store.latest()).number == 2
    return sent


async def again(administrators: Any, sent: list[httpx.Request], who: str | None = None) -> list[httpx.Response]:
    """The same requests, with somebody else's token where one is named."""
    answers = []
    for request in sent:
        headers = {**request.headers}
        if who is not None:
            headers["authorization"] = f"Bearer {administrators.tokens[who]}"
        answers.append(
            await administrators.client.request(request.method, request.url, content=request.content, headers=headers)
        )
    return answers


@pytest.mark.parametrize("who", ["bank", "by password", "of yesterday"])
async def test_nobody_gets_in_by_replaying_an_administrators_requests(administrators, who: str) -> None:
    answers = await again(administrators, await published(administrators), who)
    assert {answer.status_code for answer in answers} <= {401, 403}
    assert all("data" not in answer.json() for answer in answers)
    assert (await administrators.store.latest()).number == 2


async def test_the_whole_chain_replayed_publishes_nothing_a_second_time(administrators) -> None:
    *_, approval, publication = await again(administrators, await published(administrators))
    assert codes(approval)
    assert codes(publication)
    assert (await administrators.store.latest()).number == 2


async def test_an_agencys_administrator_replaying_the_centres_acts_changes_nothing(administrators) -> None:
    sent = await published(administrators)
    answers = await again(administrators, sent, "tess")
    acts = [answer for request, answer in zip(sent, answers, strict=True) if b"mutation" in request.content]
    assert len(acts) == 3
    assert all(codes(answer) for answer in acts)
    assert (await administrators.store.latest()).number == 2


async def test_an_approval_of_one_draft_does_not_count_for_another(administrators) -> None:
    """An approval names what was read by its digest."""
    text = (await administrators.files())["rules/nation.yaml"]
    first, second = [
        (await administrators.propose("al", {"rules/nation.yaml": text + NOTE * times}))["data"]["propose"]
        for times in (1, 2)
    ]
    assert codes(await administrators.send("bo", APPROVE, draft=second["id"], digest=first["digest"]))
    assert codes(await administrators.send("al", PUBLISH, draft=second["id"])) == ["APPROVAL_MISSING"]
