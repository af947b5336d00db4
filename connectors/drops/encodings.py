"""In what a drop is written, where it is not what its manifest says: for the message by which it is refused."""

from __future__ import annotations

import codecs
from collections.abc import Collection
from typing import Final

from connectors.drops.form import DropForm
from connectors.text import beginning_in

_ENCODINGS: Final = ("utf-8", "gb18030", "utf-16", "utf-16-le", "utf-16-be")
"""What a manifest may name, the likeliest first. GBK is a part of GB 18030."""

_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def advice(content: bytes, form: DropForm, names: Collection[str] = ()) -> str:
    """What to write into the manifest, where the content is text in another encoding, with all the names in it; else
    nothing, as where the names are there in the encoding that is said. Without names UTF-16 is told by its mark or by
    zero bytes: any others might be that.
    """
    as_said = beginning_in(content, form.encoding) if names else None
    if as_said is not None and all(name in as_said for name in names):
        return ""
    found = next((encoding for encoding in _ENCODINGS if _fits(content, form, encoding, names)), None)
    return f" (it can be read as {found}: set encoding: {found})" if found else ""


def _fits(content: bytes, form: DropForm, encoding: str, names: Collection[str]) -> bool:
    if encoding == form.encoding or (encoding == "gb18030" and form.encoding == "gbk"):
        return False
    wide, marked = encoding.startswith("utf-16"), content.startswith(_MARKS)
    if wide and (marked if encoding != "utf-16" else not marked):
        return False
    if wide and not (marked or names or b"\0" in content):
        return False
    text = beginning_in(content, encoding)
    return text is not None and "\0" not in text and all(name in text for name in names)
