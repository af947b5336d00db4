"""YAML with line numbers, read as text, lists and mappings only.

Scalars stay the text that the author wrote: no rule can change its meaning because YAML takes `no` for false or `0571`
for a number. Mistakes of form become findings, and reading goes on.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml  # type: ignore[import-untyped]  # it has no stubs of its own

from policies.errors import Finding

DEEPEST: Final = 50
"""How many lists and mappings may lie in each other; a policy has four."""

_NULL: Final = "tag:yaml.org,2002:null"
_NOTHING: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BYTE_ORDER_MARK: Final = "\ufeff"
_Event = Any
"""One of PyYAML's events, which have no types."""


@dataclass(frozen=True, slots=True)
class Located:
    """A value and the line (from 1) on which it, or for an entry its key, begins. None stands for an empty value."""

    value: str | tuple[Located, ...] | dict[str, Located] | None
    line: int


@dataclass(slots=True)
class Findings:
    """The mistakes found so far in one file."""

    file: str
    found: list[Finding] = field(default_factory=list)

    def add(self, line: int, code: str, message: str, hint: str | None = None) -> None:
        """Notes one mistake."""
        self.found.append(Finding(self.file, line, code, message, hint))

    def texts(self, located: Located, what: str) -> tuple[Located, ...]:
        """The plain names in a text or a list of texts; anything else is a finding."""
        items = located.value if isinstance(located.value, tuple) else (located,)
        plain = []
        for item in items:
            if isinstance(item.value, str) and item.value:
                if self._readable(item, what):
                    plain.append(item)
            else:
                self.add(item.line, "NOT_A_NAME", f"`{what}` holds names, one or a list of them")
        return tuple(plain)

    def text(self, located: Located, what: str) -> str | None:
        """The text of one value; anything else is a finding."""
        if isinstance(located.value, str) and located.value:
            return located.value
        self.add(located.line, "NOT_A_TEXT", f"`{what}` holds one text")
        return None

    def entries(self, located: Located, what: str) -> dict[str, Located]:
        """The entries of a mapping (none where nothing is written). Anything else is a finding, and so is a name that
        is not plain ASCII.
        """
        if located.value is None:
            return {}
        if not isinstance(located.value, dict):
            self.add(located.line, "NOT_A_MAPPING", f"`{what}` holds entries, `name: value`")
            return {}
        return {key: item for key, item in located.value.items() if self._readable(Located(key, item.line), what)}

    def items(self, located: Located, what: str) -> tuple[Located, ...]:
        """The items of a list (none where nothing is written); anything else is a finding."""
        if located.value is None:
            return ()
        if isinstance(located.value, tuple):
            return located.value
        self.add(located.line, "NOT_A_LIST", f"`{what}` holds a list, each item on a line that begins with `- `")
        return ()

    def _readable(self, item: Located, what: str) -> bool:
        """Whether a name is plain ASCII. Look-alikes (full-width punctuation, a byte order mark) would never match."""
        text = str(item.value)
        odd = next((character for character in text if not "!" <= character <= "~"), None)
        if odd is None:
            return True
        name = unicodedata.name(odd, f"U+{ord(odd):04X}")
        plain = "".join(c for c in unicodedata.normalize("NFKC", text) if "!" <= c <= "~")
        hint = f"write `{plain}`" if plain else None
        self.add(item.line, "ODD_CHARACTER", f"a name in `{what}` holds the character {name}", hint)
        return False


def read(content: bytes | None, findings: Findings) -> Located | None:
    """The document in a file's content, None where it cannot be read; the mistakes go into `findings`. A content of
    None stands for a file that is not there.
    """
    if content is None:
        findings.add(1, "MISSING_FILE", "the file is missing")
        return None
    try:
        text = content.decode()
    except UnicodeDecodeError:
        findings.add(1, "UNREADABLE", "the file is not UTF-8", "save it as UTF-8")
        return None
    if text.startswith(_BYTE_ORDER_MARK):
        findings.add(1, "BYTE_ORDER_MARK", "the file begins with a byte order mark", "save it as UTF-8 without BOM")
        text = text.removeprefix(_BYTE_ORDER_MARK)
    try:
        return _Reader(text, findings).document()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        findings.add(line, "NOT_YAML", f"not YAML: {error.problem}")
    except yaml.YAMLError as error:
        findings.add(1, "NOT_YAML", f"not YAML: {type(error).__name__}")
    return None


class _Reader:
    """Builds the document from the parser's events. PyYAML's own builder would follow nesting of any depth until the
    stack of its C code overflows, and the process with it.
    """

    def __init__(self, text: str, findings: Findings) -> None:
        self._next = yaml.CSafeLoader(text).get_event
        self._findings = findings

    def document(self) -> Located | None:
        """The one document of the text, None where it has none. Raises `yaml.YAMLError`."""
        self._next()
        event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            return None
        event = self._next()
        made = self._located(event, event.start_mark.line + 1, 0)
        self._next()
        event = self._next()
        if not isinstance(event, yaml.StreamEndEvent):
            raise yaml.MarkedYAMLError(problem="a second document begins", problem_mark=event.start_mark)
        return made

    def _located(self, event: _Event, line: int, depth: int) -> Located:
        if depth > DEEPEST:
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=event.start_mark)
        value: str | tuple[Located, ...] | dict[str, Located] | None = None
        if isinstance(event, yaml.ScalarEvent):
            value = None if _is_nothing(event) else event.value
        elif isinstance(event, yaml.SequenceStartEvent):
            value = tuple(self._items(depth + 1))
        elif isinstance(event, yaml.MappingStartEvent):
            value = self._entries(depth + 1)
        if event.anchor is not None:
            self._findings.add(line, "ANCHOR", "anchors and aliases are not read", "write the value out")
            value = None
        return Located(value, line)

    def _items(self, depth: int) -> Iterator[Located]:
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            yield self._located(event, event.start_mark.line + 1, depth)

    def _entries(self, depth: int) -> dict[str, Located]:
        entries: dict[str, Located] = {}
        while not isinstance(key := self._next(), yaml.MappingEndEvent):
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarEvent):
                self._findings.add(line, "NOT_A_NAME", "a key must be a plain name")
                self._located(key, line, depth)
                self._located(self._next(), line, depth)
                continue
            item = self._located(self._next(), line, depth)
            if key.value in entries:
                message = f"`{key.value}` stands twice; the second would be ignored"
                self._findings.add(line, "DUPLICATE_KEY", message)
            else:
                entries[key.value] = item
        return entries


def _is_nothing(scalar: _Event) -> bool:
    """Whether a scalar stands for no value: by its tag, or, untagged and unquoted, by its text."""
    if scalar.tag is not None:
        return bool(scalar.tag == _NULL)
    return bool(scalar.implicit[0]) and scalar.value in _NOTHING
