"""What there is to remark on an agency's answers, for whoever tries a manifest: what may be read wrongly."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from connectors.documents import read_document
from connectors.drafting.envelopes import statuses
from connectors.kinds.rest.manifest import RestDataset
from connectors.lane import OK
from connectors.manifest import DatasetManifest
from connectors.watch import Exchange
from connectors.xml_body import ENCODINGS

_CHINESE_XML: Final = re.compile(rb"""<\?xml\s[^>]*?encoding\s*=\s*["'](?:gb|big5)""", re.IGNORECASE)
_LOST: Final = "\ufffd".encode()
"""What stands for a character that could not be written (Unicode, U+FFFD)."""


async def remarks(dataset: DatasetManifest, exchanges: Iterable[Exchange]) -> list[str]:
    """The remarks on what came of asking for a dataset, each once. They hold paths, and no values."""
    if not isinstance(dataset, RestDataset):
        return []
    found: list[str] = []
    for exchange in exchanges:
        if exchange.status == OK and exchange.content:
            found += [*_on_encoding(dataset, exchange.content), *await _on_status(dataset, exchange.content)]
            found += _on_names(dataset, exchange.content)
    return list(dict.fromkeys(found))


def _on_encoding(dataset: RestDataset, content: bytes) -> Iterator[str]:
    response = dataset.response
    chinese = response.encoding not in {None, "utf-8"} or (
        response.encoding is None and response.format == "xml" and _CHINESE_XML.match(content.lstrip()) is not None
    )
    if chinese and not content.isascii() and _is_utf_8(content):
        yield "the answer can be read as UTF-8, too: if its texts look garbled, set response.encoding: utf-8"
    if _LOST in content:
        yield "the answer has characters that were lost before it was sent (U+FFFD): its own encodings are mixed up"


async def _on_status(dataset: RestDataset, content: bytes) -> list[str]:
    response = dataset.response
    if response.envelope:
        return []
    try:
        document = await read_document(content, response.format, response.encoding)
    except (ValueError, ArithmeticError, RecursionError):
        return []
    return [
        f"the answer has {path} beside its rows, and no envelope reads it: an error that it tells, beside an empty "
        "list, would pass for no records"
        for path, _ in statuses(document, response.rows[0] if response.rows else None)
    ]


def _on_names(dataset: RestDataset, content: bytes) -> list[str]:
    """Names that an object of JSON has twice, which leaves open what it means (RFC 8259, section 4)."""
    response = dataset.response
    if response.format != "json":
        return []
    twice: dict[str, None] = {}

    def look(members: list[tuple[str, object]]) -> None:
        counted = Counter(name for name, _ in members)
        twice.update(dict.fromkeys(name for name, count in counted.items() if count > 1))

    try:
        json.loads(content.decode(ENCODINGS[response.encoding or "utf-8"]), object_pairs_hook=look)
    except (ValueError, RecursionError):
        return []
    return [f"an object in the answer has {name} more than once: only the last of them is read" for name in twice]


def _is_utf_8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
