"""A rule as it stands in a rule file."""

from __future__ import annotations

import json
from collections.abc import Iterable

from policies.policy import Act
from policies.rule import Rule
from policies.tree import ROOT


def rule_text(rule: Rule) -> str:
    """The rule in YAML, indented as an item of `rules`, ready to paste. What goes without saying is not said."""
    entries = {
        "id": rule.id,
        str(rule.effect): _names(rule.objects),
        "of": _names(rule.agencies),
        "to": _names(rule.roles),
        "at": "" if rule.organisations == (ROOT,) else _names(rule.organisations),
        "for": _names(rule.purposes),
        "given": _names(rule.bases),
        "masked": rule.mask or "",
        "act": "" if rule.acts == (Act.READ,) else _names(rule.acts),
        "from": rule.starts.isoformat() if rule.starts else "",
        "until": rule.ends.isoformat() if rule.ends else "",
        "note": json.dumps(rule.note, ensure_ascii=not rule.note.isprintable()),
    }
    lines = (f"{key}: {text}\n" for key, text in entries.items() if text)
    return "  - " + "    ".join(lines)


def _names(names: Iterable[str]) -> str:
    texts = tuple(names)
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
