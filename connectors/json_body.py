"""The JSON of an agency's answer, decoded without holding the event loop for long.

What msgspec refuses and the standard library reads (lone surrogates, a byte order mark, UTF-16, a line's end within a
text, NaN) is read by the standard library: agencies send it. NaN and Infinity are numbers that no field can hold.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from msgspec import MsgspecError, Raw
from msgspec.json import Decoder

from connectors.turns import Turn

PIECE: Final = 1024 * 1024
"""Bytes that are decoded at once: rows of text in 3 ms, rows of numbers in 9."""

LARGE: Final = 64 * 1024
"""Bytes beyond which others have their turn first where it is theirs, and before anything is done with the document."""

_PARTS: Final = 64
"""How many small parts are decoded between two looks at the clock."""

_TINY: Final = 8
"""Bytes of a value, on average: to find so many pieces takes longer than to decode them."""

_DEEPEST: Final = 4
"""How deep the lists are that are decoded piece by piece. Each level is read once more to find its pieces."""

_decode: Final = Decoder(float_hook=Decimal).decode
_list_pieces: Final[Callable[[bytes | memoryview], list[Any]]] = Decoder(list[Raw]).decode
_object_pieces: Final[Callable[[bytes | memoryview], dict[str, Any]]] = Decoder(dict[str, Raw]).decode


async def read_json(content: bytes, piece: int = PIECE) -> Any:  # noqa: ANN401  (JSON)
    """The document, with exact decimals: a binary float would lose the cents of large sums.

    Others have their turn on the event loop after each `piece` of so many bytes. Raises `ValueError`, `ArithmeticError`
    or `RecursionError`.
    """
    if len(content) <= min(LARGE, piece):
        return _read(content)
    turn = Turn()
    await turn.take()
    many = len(content) > piece and content.count(b",") * _TINY > len(content)
    document = _read(content) if many else await _read_large(content, piece, _DEEPEST, turn)
    if turn.is_over():
        await turn.pass_on()
    return document


async def _read_large(content: bytes | memoryview, piece: int, deepest: int, turn: Turn) -> Any:  # noqa: ANN401
    return _read(content) if len(content) <= piece else await _in_pieces(content, piece, deepest, turn)


async def _in_pieces(content: bytes | memoryview, piece: int, deepest: int, turn: Turn) -> Any:  # noqa: ANN401
    """The value of a large content, whose values are decoded one by one."""
    try:
        parts = _list_pieces(content) if _is_list(content) else _object_pieces(content)
    except (MsgspecError, UnicodeDecodeError):
        return _read(content)  # a value that has no parts, or nothing for msgspec
    if turn.is_over():
        await turn.pass_on()
    raws = parts if isinstance(parts, list) else list(parts.values())
    values: list[Any] = []
    for start in range(0, len(raws), _PARTS):
        several = [memoryview(raw) for raw in raws[start : start + _PARTS]]
        if deepest and max(map(len, several)) > piece:
            values += [await _read_large(part, piece, deepest - 1, turn) for part in several]
        else:
            values += map(_read, several)
        if turn.is_over():
            await turn.pass_on()
    return values if isinstance(parts, list) else dict(zip(parts, values, strict=True))


def _is_list(content: bytes | memoryview) -> bool:
    return bytes(content[:64]).lstrip().startswith(b"[")


def _read(content: bytes | memoryview) -> Any:  # noqa: ANN401
    try:
        return _decode(content)
    except (MsgspecError, UnicodeDecodeError, RecursionError):
        # A part of a document is in the document's encoding, which is not to be guessed anew from the part.
        text = content if isinstance(content, bytes) else str(content, "utf-8", "surrogatepass")
        return json.loads(text, parse_float=Decimal, parse_constant=Decimal, strict=False)
