"""YAML read as plain data that knows its lines.

Scalars stay as they are written wherever YAML's guess would lose something: keys, dates, and numbers with leading zeros
("01" is a code). Anchors and aliases are refused, so that a small file cannot grow into a large document.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import yaml  # type: ignore[import-untyped]  # it has no stubs of its own

from connectors.errors import Finding

if TYPE_CHECKING:
    from pathlib import Path

LARGEST: Final = 1_000_000
"""The most bytes that are read: a manifest of a hundred datasets has a tenth of it."""

_Node = Any
"""One of PyYAML's nodes, which have no types."""

_NUMBER: Final = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d{1,17})?", re.ASCII)
_WORDS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None, "~": None, "": None}


@dataclass(slots=True)
class LinedDocument:
    """`data` as plain values, the line (from 1) of each dotted path in it, and the mistakes of the YAML itself."""

    data: Any = None
    lines: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def line(self, path: str) -> int:
        """The line of the path, or of the nearest place around it that is written."""
        while path and path not in self.lines:
            path = path.rpartition(".")[0]
        return self.lines.get(path, 1)


def read_yaml(path: Path) -> LinedDocument:
    """The document in the file. Never raises for what the file holds: that is in `findings`."""
    document = LinedDocument()
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST + 1)
        if len(text) > LARGEST:
            document.findings.append(Finding(1, "", f"larger than {LARGEST} bytes"))
            return document
        # Not libyaml's loader: its builder follows nesting of any depth until the stack of its C code overflows.
        node = yaml.compose(text.decode("utf-8-sig"), Loader=yaml.SafeLoader)
    except OSError as error:
        document.findings.append(Finding(1, "", f"cannot be read: {error.strerror}"))
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        document.findings.append(Finding(line, "", "is not UTF-8", "save it as UTF-8"))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        document.findings.append(Finding(line, "", f"not YAML: {error.problem or error.context}"))
    except (yaml.YAMLError, RecursionError) as error:
        document.findings.append(Finding(1, "", f"not YAML: {type(error).__name__}"))
    else:
        document.data = _Builder(document).build(node, "")
    return document


class _Builder:
    """Turns nodes into plain values, noting lines and mistakes in the document."""

    def __init__(self, document: LinedDocument) -> None:
        self._document = document
        self._seen: set[int] = set()

    def build(self, node: _Node | None, path: str) -> Any:  # noqa: ANN401  (plain YAML data)
        if node is None:
            return None
        self._document.lines.setdefault(path, node.start_mark.line + 1)
        if id(node) in self._seen:
            self._complain(node, path, "an alias", "write it out: manifests have no anchors and aliases")
            return None
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [
                self.build(item, f"{path}.{index}" if path else str(index)) for index, item in enumerate(node.value)
            ]
        quoted = isinstance(node, yaml.ScalarNode) and node.style in {"'", '"', "|", ">"}
        return _scalar(str(node.value), node.tag or "", quoted=quoted)

    def _mapping(self, node: _Node, path: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
            place = f"{path}.{name}" if path else name
            if not isinstance(key, yaml.ScalarNode):
                self._complain(key, path, "a key that is no text", "")
            elif name in found:
                self._complain(key, place, f"{name!r} is there twice", "")
            else:
                self._document.lines[place] = key.start_mark.line + 1
                found[name] = self.build(value, place)
        return found

    def _complain(self, node: _Node, path: str, message: str, hint: str) -> None:
        self._document.findings.append(Finding(node.start_mark.line + 1, path, message, hint))


def _scalar(text: str, tag: str, *, quoted: bool) -> str | int | float | bool | None:
    kind = tag.rpartition(":")[2]
    if quoted:
        return text
    if kind in {"bool", "null"} and text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if kind in {"int", "float"} and _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    return text
