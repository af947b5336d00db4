"""From page to page through the lists of one call: each has its own pages, and only those with more are asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec import structs

from connectors.errors import AgencyFailure
from connectors.http import bad_response
from connectors.keys import normal_key
from connectors.kinds.graphql.manifest import GraphqlDataset, GraphqlPaging
from connectors.kinds.graphql.question import Asking, alias_of
from connectors.paging import Pages, Position
from connectors.paths import AROUND, Listing, ends_in_null, follow_through, objects_around, reader


class Step(msgspec.Struct, frozen=True):
    """What asks for the next pages of lists. `falls_short` tells that not all of them can be followed, or that less
    came than the agency says that there is; `failed` has the companies whose next page cannot be told.
    """

    askings: Sequence[Asking]
    falls_short: bool = False
    failed: Mapping[str, AgencyFailure] = msgspec.field(default_factory=dict)


class Walk:
    """The way through the pages of one call."""

    def __init__(self, dataset: GraphqlDataset, paging: GraphqlPaging, keys: Sequence[str], place: str) -> None:
        """`keys` are those of the call, which `place` names in errors."""
        self._query = dataset.query
        self._paging = paging
        self._place = place
        self._key = reader(dataset.key.path or "", nested=True)
        self._places = {key: index for index, key in enumerate(keys)}
        self._written = {normal_key(key): key for key in keys}
        self._pages: dict[str, Pages] = {}

    @property
    def first(self) -> Position:
        """The first page of every list."""
        return Pages(self._paging, self._place).first()

    def after(self, asking: Asking, key: str, value: object) -> Step:
        """What follows a value that this asked for: what there is of the company with that key, or of all companies,
        where the query takes a list of them. Raises `AgencyFailure` where the next page of all cannot be told.
        """
        lists = list(self._lists(asking, key, value))
        if asking.name in self._pages and not (lists and all(self._is_there(around) for _, around in lists)):
            raise bad_response(self._place, "a list of which there are more pages is not there any more")
        further: list[Asking] = []
        failed: dict[str, AgencyFailure] = {}
        falls_short = False
        for again, around in lists:
            pages = Pages(self._paging, self._place)
            if again is not None:
                pages = self._pages.setdefault(again.name, pages)
            try:
                position = self._next(pages, around) if self._is_there(around) else None
                falls_short |= again is None if position else pages.falls_short(around)
            except AgencyFailure as failure:
                if again is None or len(again.keys) > 1:
                    raise
                failed[again.keys[0]] = failure
                continue
            if again is not None and position is not None:
                further.append(structs.replace(again, position=position))
        return Step(further, falls_short, failed)

    def _lists(self, asking: Asking, key: str, value: object) -> Iterable[tuple[Asking | None, object]]:
        """Each list that comes page by page, by what it stands in, and what asks for it again: None where it cannot be
        asked for alone, as there are several of one company, or as it cannot be told whose it is.
        """
        together = self._query.takes_list and len(asking.keys) > 1
        if not self._query.pages_within:
            return [(asking if together else self._alone(key), value)]
        around = objects_around(value, self._query.rows)
        owners = [self._written.get(normal_key(self._key({AROUND: one}))) if together else key for one in around]
        lists = Counter(owners)
        return [
            (self._alone(owner) if owner is not None and lists[owner] == 1 else None, one)
            for owner, one in zip(owners, around, strict=True)
        ]

    def _alone(self, key: str) -> Asking:
        return Asking(alias_of(self._places[key]), [key], Position())

    def _is_there(self, around: object) -> bool:
        """Whether the field that comes page by page is not null."""
        field = self._paging.field
        inner = field.removeprefix(self._query.around) if field and self._query.pages_within else field
        return inner is None or not ends_in_null(around, inner)

    def _next(self, pages: Pages, around: object) -> Position | None:
        """The next page of the list in there; None where that was the last."""
        path = self._query.within if self._query.pages_within else self._query.rows
        found = around if path is None else follow_through(around, path)
        rows = found if isinstance(found, list) else [found] if isinstance(found, dict) else []
        return pages.after(around, Listing(rows, items=len(rows)))
