"""The XML of an agency's answer as the document that paths lead into, read without holding the event loop for long.

An element that holds nothing but text is that text, an empty one is "", one that is `xsi:nil` is None. Any other is an
object: its elements by their names, its attributes by `@name`, its text, where there is some beside them, by `#text`.
Elements of one name are a list; one that stands alone is not. Namespaces are left out, as are the attributes that say
how XML is to be read rather than what an agency says.

The parser is expat. A document type declaration is refused where it begins: there are no entities, and nothing is ever
loaded from elsewhere.
"""

from __future__ import annotations

import codecs
import re
from typing import Any, Final, NoReturn
from xml.parsers import expat

from connectors.turns import Turn

DEEPEST: Final = 100
"""Levels of elements: whoever goes through a document may do so by recursion."""

ENCODINGS: Final = {
    "utf-8": "utf-8-sig",
    "utf-16": "utf-16",
    "us-ascii": "ascii",
    "iso-8859-1": "iso-8859-1",
    "windows-1252": "cp1252",
    "big5": "big5",
    # Each contains those before it, and what is declared as one of the smaller is often written in a larger.
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb18030": "gb18030",
}
"""The encodings that are read, and what Python calls them."""

_PIECE: Final = 16 * 1024
"""Bytes that are parsed between two looks at the clock: some 1 ms."""

_SEPARATOR: Final = " "
"""Between a namespace and a name: it is in neither."""

_XSI: Final = f"http://www.w3.org/2001/XMLSchema-instance{_SEPARATOR}"
_NIL: Final = f"{_XSI}nil"
_NOT_DATA: Final = (
    _XSI,
    f"http://schemas.xmlsoap.org/soap/envelope/{_SEPARATOR}",
    f"http://schemas.xmlsoap.org/soap/encoding/{_SEPARATOR}",
    f"http://www.w3.org/2003/05/soap-envelope{_SEPARATOR}",
    f"http://www.w3.org/2003/05/soap-encoding{_SEPARATOR}",
)
"""How the attributes begin that tell types, sizes of arrays and encodings."""

_DECLARED: Final = re.compile(rb"""\s*<\?xml\s[^>]*?encoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]*)["']""")
"""The encoding in an XML declaration (XML 1.0, section 4.3.3)."""


class XmlRefused(ValueError):
    """XML that is not read. The message holds nothing of the document."""


class XmlMisencoded(XmlRefused):
    """XML that is not in its encoding."""


async def read_xml(content: bytes, encoding: str | None = None) -> Any:  # noqa: ANN401  (an agency's document has any shape)
    """The object that has the root element's value by its name: paths begin with it.

    `encoding`, one of `ENCODINGS`, goes before what the document declares. Others have their turn on the event loop
    while a large document is read. Raises `XmlRefused`.
    """
    decode = codecs.getincrementaldecoder(ENCODINGS[encoding or _encoding_of(content)])().decode
    builder = _Builder()
    parser = expat.ParserCreate(None, _SEPARATOR)
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.characters
    parser.StartDoctypeDeclHandler = _refuse_doctype
    turn = Turn()
    try:
        for start in range(0, len(content), _PIECE):
            parser.Parse(decode(content[start : start + _PIECE]), False)  # noqa: FBT003  (it has no name)
            if turn.is_over():
                await turn.pass_on()
        parser.Parse(decode(b"", final=True), True)  # noqa: FBT003
    except expat.ExpatError as error:
        raise XmlRefused(expat.errors.messages[error.code]) from None
    except UnicodeError:
        raise XmlMisencoded("not in its encoding") from None
    return builder.document


class _Builder:
    """Makes the document out of what the parser meets: of each open element its object, its texts, and what it is."""

    def __init__(self) -> None:
        self.document: dict[str, Any] = {}
        self._object = self.document
        self._texts: list[str] = []
        self._nil = False
        self._around: list[tuple[dict[str, Any], list[str], bool]] = []

    def start(self, _name: str, attributes: dict[str, str]) -> None:
        if len(self._around) == DEEPEST:
            raise XmlRefused(f"more than {DEEPEST} levels")
        self._around.append((self._object, self._texts, self._nil))
        self._object, self._texts, self._nil = {}, [], False
        for name, value in attributes.items():
            if name == _NIL:
                self._nil = value.strip() in {"true", "1"}
            elif not name.startswith(_NOT_DATA):
                self._object[f"@{_local(name)}"] = value

    def end(self, name: str) -> None:
        value = self._value()
        self._object, self._texts, self._nil = self._around.pop()
        name, own = _local(name), self._object
        if name not in own:
            own[name] = value
        elif isinstance(there := own[name], list):
            there.append(value)
        else:
            own[name] = [there, value]

    def characters(self, text: str) -> None:
        self._texts.append(text)

    def _value(self) -> Any:  # noqa: ANN401
        if self._nil:
            return None
        text = "".join(self._texts)
        if not self._object:
            return text
        if text and not text.isspace():
            self._object["#text"] = text
        return self._object


def _encoding_of(content: bytes) -> str:
    """The encoding of a document by its byte order mark or its declaration; UTF-8 without them."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    declared = _DECLARED.match(content.removeprefix(codecs.BOM_UTF8)[:1024])
    if declared is None:
        return "utf-8"
    name = declared[1].decode("ascii").lower()
    if name not in ENCODINGS:
        raise XmlRefused("in an encoding that is not read")
    return name


def _local(name: str) -> str:
    return name.rpartition(_SEPARATOR)[2]


def _refuse_doctype(*_: object) -> NoReturn:
    raise XmlRefused("it has a document type declaration")
