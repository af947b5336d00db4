"""JSON of which only some members are read: those of rows that a manifest reads, and what it reads around them.

What is left out is skipped, not made: with rows that are seven times as wide as what is read of them, decoding takes a
quarter of the time; with rows that are not, more. A document of another shape than expected is not read here but whole,
so that what is wrong with it can be told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from types import GenericAlias
from typing import Any, Final, TypedDict

from msgspec import MsgspecError
from msgspec.json import Decoder

from connectors.contract import RawRow
from connectors.json_body import LARGE, PIECE
from connectors.paths import AROUND, follow, reader
from connectors.text import Nothings

WIDE: Final = 2
"""How many times as many members as are read a row must have for it to be quicker to leave some out."""

_IDS: Final = frozenset({str, int})
"""The types of ids."""

_Tree = dict[str, Any]
"""The members of an object that are read: trees, or `Any`, or what the rows are."""


class SparseReader:
    """Reads documents with a list of rows, once their rows have been seen to be wide."""

    def __init__(
        self, decode: Callable[[bytes], Any], width: int, rows: str | None, identity: str, nothings: Nothings
    ) -> None:
        """`decode` makes only what is read: of the rows at the path `rows` (None: the document) so many members as
        `width` says. A row is told from others by what it has at `identity`; one that has nothing there, by all that it
        has.
        """
        self._decode = decode
        self._rows = rows
        self._width = width
        self._id_of = reader(identity, nested=True)
        self._nothings = nothings
        self._wide = False

    def look(self, rows: Sequence[RawRow]) -> None:
        """Notes whether the rows of a document that was read whole are wide."""
        self._wide = self._wide or any(len(row) >= WIDE * self._width for row in rows[:1])

    async def read(self, content: bytes) -> Any:  # noqa: ANN401  (JSON)
        """The document; None where it is to be read whole. After a large one, others have their turn on the loop."""
        if not self._wide or len(content) > PIECE:
            return None
        try:
            document = self._decode(content)
        except (MsgspecError, UnicodeDecodeError, ArithmeticError, RecursionError):
            return None
        if len(content) > LARGE:
            await asyncio.sleep(0)
        found = follow(document, self._rows) if self._rows else document
        return document if isinstance(found, list) and all(map(self._tells, found)) else None

    def _tells(self, row: RawRow) -> bool:
        id_ = self._id_of(row)
        return type(id_) in _IDS and not self._nothings.has(id_)


def sparse_reader(
    rows: str | None, members: Iterable[str], others: Iterable[str], identity: str, nothings: Nothings
) -> SparseReader | None:
    """What reads documents with a list of rows at a path (None: the document), and the `others`, which are paths too.

    `members` are the paths that are read of rows; `identity` is the one of these by which rows are told apart: those
    that have one of the `nothings` there are told apart by all that they have. None where documents have to be read
    whole, for a path does not lead through objects' members alone.
    """
    steps = rows.split(".") if rows else []
    firsts = {path.partition(".")[0] for path in members}
    if not all(map(_is_member, (*steps, *firsts, *identity.split(".")))):
        return None
    shape: Any = GenericAlias(list, (_typed(dict.fromkeys(firsts, Any)),))
    if steps:
        tree: _Tree = {}
        _plant(tree, steps, shape)
        if not all(_planted(tree, path.split("."), steps) for path in others):
            return None
        shape = _typed(tree)
    elif list(others):
        return None
    decode = Decoder(shape, float_hook=Decimal).decode
    return SparseReader(decode, len(firsts), rows, identity, nothings)


def _is_member(step: str) -> bool:
    """Whether a step of a path is an object's member, whatever the object."""
    return bool(step) and not step.isdigit() and AROUND not in step and "[" not in step and "#" not in step


def _plant(tree: _Tree, steps: Iterable[str], shape: object) -> None:
    *around, last = steps
    for step in around:
        tree = tree.setdefault(step, {})
    tree[last] = shape


def _planted(tree: _Tree, steps: Iterable[str], rows: Iterable[str]) -> bool:
    """Plants what is read at a path beside the way to the rows; False for a path that ends on that way."""
    for step, on_the_way in zip(steps, rows, strict=False):
        if not _is_member(step):
            return False
        if step != on_the_way:
            tree.setdefault(step, Any)
            return True
        tree = tree[step]
    return False


def _typed(tree: Mapping[str, Any]) -> Any:  # noqa: ANN401  (a type)
    members = {name: _typed(inner) if isinstance(inner, dict) else inner for name, inner in tree.items()}
    make: Any = TypedDict  # its members are not known before
    return make("Members", members, total=False)
