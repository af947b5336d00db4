"""What writing and reading a workbook agree on: sheets, columns, and how a rule looks in a row."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Final

from policies.load import PolicyFiles
from policies.located import Findings, Located, read
from policies.tree import ROOT

GUIDE: Final = "Guide 说明"
RULES: Final = "Rules 规则"
LISTS_SHEET: Final = "Lists 选项"
MATRIX_PREFIX: Final = "For "
COLUMNS: Final = (
    ("file", "File 文件"),
    ("id", "Id 编号"),
    ("effect", "Effect 允许或禁止"),
    ("things", "Things 数据"),
    ("of", "Of agency 数据机构"),
    ("to", "To role 角色"),
    ("at", "At organisation 使用单位"),
    ("for", "For purpose 目的"),
    ("given", "Given basis 依据"),
    ("masked", "Masked 脱敏"),
    ("act", "Act 操作"),
    ("from", "From 起始日"),
    ("until", "Until 截止日"),
    ("note", "Note 备注"),
)
"""The columns of the rules: each a key of a rule (`effect` and `things`: `allow` or `deny`) and its heading."""

KEYS: Final = tuple(key for key, _ in COLUMNS)
LISTS: Final = frozenset({"things", "of", "to", "at", "for", "given", "act"})
BASE_CELL: Final = "B1"
"""Where the guide keeps the digest of the policy that was exported."""

_LONGEST: Final = 32_767
"""The most characters in a cell (Excel specifications and limits)."""

_LONGEST_TITLE: Final = 31
"""The most characters in the name of a sheet (the same)."""

_UNWRITABLE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

RuleTexts = Mapping[str, str]
"""A rule's columns as texts; empty where the author wrote nothing."""


def shown(text: str) -> str:
    """A text as a cell can hold it, without blanks at its ends."""
    return _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text)[:_LONGEST].strip()


def digest(texts: Iterable[str]) -> str:
    """The first 12 hexadecimal digits of SHA-256 over texts."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]


def decision_titles(purposes: Iterable[str]) -> dict[str | None, str]:
    """The names of the sheets of decisions, by purpose (None: none given). A name that is too long is cut and numbered,
    with a sign that no purpose holds.
    """
    titles: dict[str | None, str] = {}
    for purpose in (None, *purposes):
        title = f"{MATRIX_PREFIX}{purpose or ROOT}"
        if len(title) > _LONGEST_TITLE:
            end = f"~{len(titles)}"
            title = title[: _LONGEST_TITLE - len(end)] + end
        titles[purpose] = title
    return titles


def rule_files(files: PolicyFiles) -> dict[str, tuple[tuple[int, RuleTexts], ...]]:
    """By rule file's stem, the line and the texts of each rule in it. The files must be those of a sound policy."""
    found = {}
    for name in sorted(files):
        if name.startswith("rules/"):
            stem = name.removeprefix("rules/").removesuffix(".yaml")
            found[stem] = tuple((item.line, _texts(stem, item)) for item in rule_items(files[name]))
    return found


def rule_items(content: bytes) -> tuple[Located, ...]:
    """The rules of one file, as they stand in it."""
    findings = Findings("")
    document = read(content, findings) or Located({}, 1)
    entries = findings.entries(document, "")
    return findings.items(entries["rules"], "rules") if "rules" in entries else ()


def _texts(stem: str, item: Located) -> RuleTexts:
    entries = item.value if isinstance(item.value, dict) else {}
    effect = "deny" if "deny" in entries else "allow"
    keys = {key: effect if key == "things" else key for key in KEYS}
    texts = {key: _joined(entries[name]) if name in entries else "" for key, name in keys.items()}
    return texts | {"file": stem, "effect": effect}


def _joined(located: Located) -> str:
    items = located.value if isinstance(located.value, tuple) else (located,)
    return ", ".join(str(item.value) for item in items if item.value is not None)
