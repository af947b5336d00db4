"""A gateway that the attacks of all files share: none of them may harm it for the next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.connectors.conftest import agency, names, open_one
from tests.faults.installation import defaults, penalties
from tests.http_service import serving
from tests.security.running import Attacked, a_row_for_each, attacked

__all__ = ["agency", "gateway", "names", "open_one"]


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    with (
        serving(a_row_for_each) as agency,
        attacked(
            tmp_path_factory.mktemp("gateway"), [penalties("zhejiang-penalties", agency), defaults("court", agency)]
        ) as running,
    ):
        yield running
