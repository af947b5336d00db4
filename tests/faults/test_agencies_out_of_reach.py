"""Agencies that cannot be found, or cannot prove who they are: they are told nothing, and the others answer."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.connectors.certificates import Authority
from tests.faults.agency import agency
from tests.faults.callers import ASKED
from tests.faults.installation import defaults, penalties, serving

YESTERDAY = timedelta(days=-1)


async def test_an_agency_that_is_not_found_or_has_an_expired_or_anothers_certificate_is_asked_nothing(
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path, "authority")
    async with (
        agency() as court,
        agency(tls=authority.server("127.0.0.1")) as valid,
        agency(tls=authority.server("127.0.0.1", lasts=YESTERDAY)) as expired,
        agency(tls=authority.server("another.example")) as anothers,
    ):
        addresses = {
            "zhejiang-penalties": valid.url.replace("http:", "https:"),
            "guangdong-penalties": expired.url.replace("http:", "https:"),
            "registry": anothers.url.replace("http:", "https:"),
            "environment": "https://agency.invalid",
        }
        suppliers = [penalties(name, url, str(authority.file)) for name, url in addresses.items()]
        async with serving(
            tmp_path, [defaults("court", court.url), *suppliers], XINQIAO_NETWORKS='["0.0.0.0/0"]'
        ) as gateway:
            answer = await gateway.ask(ASKED)
        assert {one["status"] for one in answer.of("judgmentDefaults")} == {"COMPLETE"}
        for one in answer.of("penalties"):
            fared = {source["agency"]["id"]: source for source in one["sources"]}
            assert fared.pop("zhejiang-penalties")["status"] == "ANSWERED"
            assert fared.keys() == {"guangdong-penalties", "registry", "environment"}
            for source in fared.values():
                assert source["failure"] == {"code": "AGENCY_UNAVAILABLE", "retryable": True}
            assert (one["status"], len(one["records"])) == ("PARTIAL", 1)
        assert (valid.calls, expired.calls, anothers.calls) == (1, 0, 0)
