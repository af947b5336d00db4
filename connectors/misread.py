"""Why an answer cannot be read as what it should be, in words that hold nothing of it, and what may help."""

from __future__ import annotations

import codecs
import re
from typing import Final

from connectors.documents import Encoding, Format
from connectors.text import beginning_in
from connectors.xml_body import ENCODINGS, XmlMisencoded, XmlRefused

_LOOKED_AT: Final = 64 * 1024
"""Bytes by which an encoding is told."""

_GZIP: Final = b"\x1f\x8b"
_JSONP: Final = re.compile(rb"[A-Za-z_$][\w$.]{0,99}\s*\(")
_DECLARED: Final[tuple[Encoding, ...]] = ("utf-8", "gb18030")
"""What it may help to declare."""


def misread(content: bytes, form: Format, encoding: Encoding | None, error: Exception) -> str:
    """What is wrong with the content, that `error` was raised for when it was read in this form and encoding."""
    return f"not {form.upper()} ({_why(content, form, encoding, error)})"


def _why(content: bytes, form: Format, encoding: Encoding | None, error: Exception) -> str:
    other = _other_form(content, form)
    if other:
        return other
    if isinstance(error, UnicodeError | XmlMisencoded):
        said = encoding or ("utf-8" if form == "json" else "the encoding that it declares")
        return f"it is not in {said}{_advice(content, encoding or 'utf-8')}"
    return str(error) if isinstance(error, XmlRefused) else type(error).__name__


def _other_form(content: bytes, form: Format) -> str:
    """What the content is, where it is something else altogether."""
    beginning = content[:200].removeprefix(codecs.BOM_UTF8).lstrip()
    looks = (
        (not content.strip(), "it is empty"),
        (content.startswith(_GZIP), "it is packed by gzip, and its headers do not say so"),
        (form == "json" and beginning.startswith(b"<"), "it is HTML or XML"),
        (form == "json" and _JSONP.match(beginning), "it begins as a call of JavaScript does, JSONP"),
        (form == "xml" and beginning.startswith((b"{", b"[")), "it is JSON"),
    )
    return next((what for is_so, what in looks if is_so), "")


def _advice(content: bytes, said: Encoding) -> str:
    others = (one for one in _DECLARED if ENCODINGS[one] != ENCODINGS[said] and _fits(content, one))
    found = next(others, None)
    return f"; it can be read as {found}: set response.encoding: {found}" if found else ""


def _fits(content: bytes, encoding: Encoding) -> bool:
    return beginning_in(content[:_LOOKED_AT], ENCODINGS[encoding]) is not None
