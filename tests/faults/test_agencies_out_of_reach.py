"""Agencies that cannot be found, or cannot prove who they are: they are told nothing, and the others answer."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.connectors.certificates import Authority
from tests.connectors.support import CODES
from tests.faults.agency import agency
from tests.faults.installation import defaults, penalties, serving

ASKED = [str(code) for code in CODES[:3]]
YESTERDAY = timedelta(days=-1)


async def test_an_agency_whose_name_is_nobodys_is_unavailable(tmp_path: Path) -> None:
    async with agency() as court:
        suppliers = [defaults("court", court.url), penalties("zhejiang-penalties", "https://agency.invalid")]
        async with serving(tmp_path, suppliers, XINQIAO_NETWORKS='["0.0.0.0/0"]') as gateway:
            answer = await gateway.ask(ASKED)
            assert answer.seconds < 4
            (source,) = answer.of("penalties")[0]["sources"]
            assert source["failure"] == {"code": "AGENCY_UNAVAILABLE", "retryable": True}
            assert {one["status"] for one in answer.of("judgmentDefaults")} == {"COMPLETE"}


async def test_an_agency_with_an_expired_or_anothers_certificate_is_asked_nothing(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    async with (
        agency(tls=authority.server("127.0.0.1")) as valid,
        agency(tls=authority.server("127.0.0.1", lasts=YESTERDAY)) as expired,
        agency(tls=authority.server("another.example")) as anothers,
    ):
        by_name = {"zhejiang-penalties": valid, "guangdong-penalties": expired, "registry": anothers}
        suppliers = [
            penalties(name, running.url.replace("http:", "https:"), str(authority.file))
            for name, running in by_name.items()
        ]
        async with serving(tmp_path, suppliers) as gateway:
            for one in (await gateway.ask(ASKED)).of("penalties"):
                fared = {source["agency"]["id"]: source for source in one["sources"]}
                assert fared["zhejiang-penalties"]["status"] == "ANSWERED"
                for name in ("guangdong-penalties", "registry"):
                    assert fared[name]["failure"]["code"] == "AGENCY_UNAVAILABLE"
                assert (one["status"], len(one["records"])) == ("PARTIAL", 1)
        assert (valid.calls, expired.calls, anothers.calls) == (1, 0, 0)
