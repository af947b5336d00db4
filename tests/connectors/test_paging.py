"""The way through pages that all kinds share."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connectors.paging import Pages, Paging
from connectors.paths import Listing

ENDS = {"total": "t", "totalPages": "p", "more": "m", "last": "l"}


class Server:
    """It has so many rows, and gives at most so many at once, however many it is asked for."""

    def __init__(self, there: int, most: int, way: str, first: int) -> None:
        self.there, self.most, self.way, self.first = there, most, way, first

    def start(self, asked: Any, size: int) -> int:
        if self.way == "cursor":
            return 0 if asked == "*" else int(asked)
        return (asked - self.first) * (size if self.way == "page" else 1)

    def page(self, asked: dict[str, Any]) -> tuple[list[dict[str, int]], dict[str, Any]]:
        size = min(asked["size"], self.most)
        start = self.start(asked[self.way], size)
        end = min(self.there, start + size)
        last = end == self.there
        told = {"t": self.there, "p": -(-self.there // size), "m": not last, "l": last, "next": None if last else end}
        return [{"n": number} for number in range(start, end)], told


@given(
    st.sampled_from(["page", "offset", "cursor"]),
    st.sampled_from(sorted(ENDS)),
    st.integers(0, 30),
    st.integers(1, 7),
    st.integers(1, 7),
    st.integers(0, 2),
)
def test_all_rows_come_where_a_server_tells_how_far_they_go(  # noqa: PLR0913, PLR0917
    way: str, end: str, there: int, items: int, most: int, first: int
) -> None:
    end = "total" if (way, end) == ("cursor", "totalPages") else end
    declared: dict[str, Any] = {way: way, end: ENDS[end], "items": items, "size": "size"}
    declared |= {"next": "next", "first": "*"} if way == "cursor" else {"first": first}
    server, pages = Server(there, most, way, first), Pages(Paging.model_validate(declared), "query")
    position, read = pages.first(), list[int]()
    for _ in range(there + 1):
        rows, told = server.page(dict(position.parameters))
        read += [row["n"] for row in rows]
        following = pages.after(told, Listing(rows, items=len(rows)))
        if following is None:
            break
        position = following
    assert read == list(range(there))
    assert not pages.falls_short(told)
