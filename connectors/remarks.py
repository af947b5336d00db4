"""What there is to remark on an agency's answers, for whoever tries a manifest: what may be read wrongly."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from connectors.contract import RawRow
from connectors.documents import read_document
from connectors.drafting.envelopes import statuses
from connectors.keys import normal_key
from connectors.kinds.rest.manifest import RestDataset
from connectors.lane import OK
from connectors.manifest import DatasetManifest
from connectors.paths import ASKED_KEY
from connectors.watch import Exchange
from connectors.xml_body import ENCODINGS
from schema.credit_code import CreditCode, CreditCodeError

_CHINESE_XML: Final = re.compile(rb"""<\?xml\s[^>]*?encoding\s*=\s*["'](?:gb|big5)""", re.IGNORECASE)
_LOST: Final = "\ufffd".encode()
"""What stands for a character that could not be written (Unicode, U+FFFD)."""

_LOST_TWICE: Final = ("\ufffd", "锟斤拷")
"""The same, and two of it in UTF-8 that were read as GBK."""

_MISREADINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "latin-1": ("utf-8", "gbk"),
    "cp1252": ("utf-8", "gbk"),
    "gbk": ("utf-8",),
}
"""What texts are read as by mistake, and what they may be. No Chinese text in GBK is UTF-8, but for a word or two."""

_IDEOGRAPHS: Final = re.compile("[\u4e00-\u9fff]")
_SOME: Final = 2
"""So many ideographs come out of no text by chance."""


async def remarks(dataset: DatasetManifest, exchanges: Iterable[Exchange], rows: Sequence[RawRow]) -> list[str]:
    """The remarks on what came of asking for a dataset, and on its rows, each once. They hold paths, and no values."""
    found = list(_on_texts(rows))
    if not isinstance(dataset, RestDataset):
        return found
    found += [*_on_pages(dataset), *_on_owners(dataset, rows)]
    for exchange in exchanges:
        if exchange.status == OK and exchange.content:
            found += [*_on_encoding(dataset, exchange.content), *await _on_status(dataset, exchange.content)]
            found += _on_names(dataset, exchange.content)
    return list(dict.fromkeys(found))


def _on_texts(rows: Iterable[RawRow]) -> Iterator[str]:
    """Texts that were decoded wrongly before they came: nothing but their looks tells that."""
    for name, text in _texts(rows):
        how = _garbled(text)
        if how:
            yield f"texts at {name} look garbled ({how}): that was done before they came, in the system or its database"


def _garbled(text: str) -> str:
    """What a text is that was read in another encoding than it was written in; nothing where it is what it seems."""
    if text.isascii():
        return ""
    if any(lost in text for lost in _LOST_TWICE):
        return "characters that were lost"
    for read, codecs in _MISREADINGS.items():
        for written in codecs:
            try:
                found = text.encode(read).decode(written)
            except UnicodeError:
                continue
            if len(_IDEOGRAPHS.findall(found)) >= _SOME:
                return f"{written.upper()} that was read as {read.upper()}"
    return ""


def _on_pages(dataset: RestDataset) -> Iterator[str]:
    paging = dataset.request.paging
    if paging is None or not (paging.page or paging.offset) or any(paging.read):
        return
    yield (
        f"a page of fewer than {paging.items} rows (items) ends the pages: where the system gives no more than some "
        "number of its own, the rest would be lost. Name total, totalPages, more or last, if the answer has one"
    )


def _on_owners(dataset: RestDataset, rows: Sequence[RawRow]) -> Iterator[str]:
    """Codes of other companies in rows that count as the asked company's."""
    if dataset.key.path is not None or dataset.keyed_by_place:
        return
    read = dataset.paths()
    for name in dict.fromkeys(name for row in rows for name in row if name not in read):
        there = [(row.get(ASKED_KEY), normal_key(row[name])) for row in rows if name in row]
        if all(_is_code(code) for _, code in there) and any(code != normal_key(key) for key, code in there):
            yield (
                f"without key, every row counts as the asked company's; {name} has other companies' codes: "
                f"set key: {name}, or ask so that only its own rows come"
            )


def _texts(rows: Iterable[RawRow]) -> Iterator[tuple[str, str]]:
    """The texts of the rows' own members, each with its name."""
    return ((name, value) for row in rows for name, value in row.items() if isinstance(value, str))


def _is_code(text: str | None) -> bool:
    try:
        CreditCode.parse(text or "")
    except CreditCodeError:
        return False
    return True


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
