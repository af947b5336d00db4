"""Changed rules put into the text of their file. Every other line, comments included, stays as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from policies.spreadsheet.sheet import KEYS, LISTS, RuleTexts, rule_items

_PLAIN: Final = re.compile(r"(?!null$|Null$|NULL$)[A-Za-z\u4e00-\u9fff][^:#\s]*(?: [^:#\s]+)*")


def edited(content: bytes, before: Sequence[RuleTexts], after: Sequence[RuleTexts]) -> bytes:
    """The rule file with the rules `after` where `before` were, matched by id; new ones at the end."""
    lines = content.decode().splitlines(keepends=True)
    wanted = {rule["id"]: rule for rule in after}
    items = rule_items(content)
    spans = _spans(lines, [item.line - 1 for item in items])
    indent = re.match(r" *", lines[spans[0][0]]).group() if spans else "  "  # type: ignore[union-attr]
    for (start, end), rule in reversed(list(zip(spans, before, strict=True))):
        new = wanted.get(rule["id"])
        if new != rule:
            lines[start:end] = [] if new is None else _written(new, indent)
    known = {rule["id"] for rule in before}
    added = [rule for rule in after if rule["id"] not in known]
    if added and lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    for rule in added:
        lines += ["\n", *_written(rule, indent)]
    return _headed("".join(lines), empty=not after).encode()


def _spans(lines: Sequence[str], starts: Sequence[int]) -> list[tuple[int, int]]:
    """Where each rule begins and ends. Blank lines and comments behind a rule are not part of it."""
    spans = []
    for start, following in pairwise((*starts, len(lines))):
        end = following
        while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
            end -= 1
        spans.append((start, end))
    return spans


def _headed(text: str, *, empty: bool) -> str:
    return re.sub(r"(?m)^rules:[ ]*(?:\[\])?", "rules: []" if empty else "rules:", text, count=1)


def _written(rule: RuleTexts, indent: str) -> list[str]:
    keys = ["id", "things", *(key for key in KEYS if key not in {"file", "id", "effect", "things"})]
    lines = [
        f"{indent}  {rule['effect'] if key == 'things' else key}: {_value(key, rule[key])}\n"
        for key in keys
        if rule[key]
    ]
    return [f"{indent}- {lines[0].lstrip()}", *lines[1:]]


def _value(key: str, text: str) -> str:
    if key in LISTS:
        return f"[{text}]" if "," in text else text
    if key in {"from", "until"} or _PLAIN.fullmatch(text):
        return text
    return json.dumps(text, ensure_ascii=not text.replace("\n", "").isprintable())
