"""One deny, added to a rule file as it stands: every comment and line of the file is kept."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import yaml  # type: ignore[import-untyped]  # it has no stubs of its own

from policies.errors import NotADeny, PolicyInvalid
from policies.located import Findings, Located, read
from policies.policy import RuleEffect
from policies.rule import Rule
from policies.rulebook import KEYS
from policies.vocabulary import check_keys

Entries = dict[str, str | list[str]]

MAX_CHARACTERS: Final = 10_000
"""How long an emergency's rule may be: it is read where requests are answered, who must not wait for it."""


def deny_entries(rule: str) -> Entries:
    """The entries of a rule that is written as in a rule file, alone. Raises `NotADeny`."""
    if len(rule) > MAX_CHARACTERS:
        raise NotADeny(
            f"an emergency's rule is at most {MAX_CHARACTERS} characters long; name what stands above several"
        )
    findings = Findings("the rule")
    document = read(rule.encode(errors="replace"), findings)
    if document and isinstance(document.value, tuple) and len(document.value) == 1:
        (document,) = document.value
    if document and isinstance(document.value, dict):
        # A key is written into the file as it is: one that holds a line end could bring another rule along.
        check_keys(document.value, KEYS, findings)
    if findings.found or document is None or not isinstance(document.value, dict):
        reason = f" ({findings.found[0]})" if findings.found else ""
        raise NotADeny(f"an emergency takes one rule, written as in a rule file{reason}")
    if RuleEffect.DENY not in document.value or RuleEffect.ALLOW in document.value:
        raise NotADeny("an emergency takes one rule that denies; propose a draft for any other change")
    return {key: _plain(item) for key, item in document.value.items()}


def add_rule(content: bytes | None, entries: Entries) -> bytes:
    """The content of a rule file with one more rule. A file that is not there begins with it.

    Raises `PolicyInvalid` for a file that cannot be read.
    """
    text = (content or b"").decode()
    rules = _rules(text)
    if isinstance(rules, yaml.SequenceNode) and rules.flow_style:
        first = rules.start_mark.index + 1
        item = json.dumps(entries, ensure_ascii=False) + (", " if rules.value else "")
        return f"{text[:first]}{item}{text[first:]}".encode()
    if text and not text.endswith("\n"):
        text += "\n"
    if rules is None:
        text += "rules:\n"
    indent = " " * (rules.start_mark.column if isinstance(rules, yaml.SequenceNode) else 2)
    lines = (f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in entries.items())
    return (text + f"{indent}- " + f"{indent}  ".join(lines)).encode()


def only_denies(before: Iterable[Rule], after: Iterable[Rule], now: datetime) -> bool:
    """Whether the rules after are those before and one more, which denies at `now`; those not valid today count too."""
    was, is_ = Counter(before), Counter(after)
    added = list((is_ - was).elements())
    return len(added) == 1 and not was - is_ and added[0].effect is RuleEffect.DENY and added[0].active(now)


def _rules(text: str) -> Any:  # noqa: ANN401  # a node of PyYAML, which has no types
    """The node under `rules`, None where the file has no such key."""
    findings = Findings("the rule file")
    # Refuses what is nested without end, which PyYAML's own builder must never see.
    read(text.encode(), findings)
    if findings.found:
        raise PolicyInvalid(findings.found)
    node = yaml.compose(text, Loader=yaml.CSafeLoader)
    entries = node.value if isinstance(node, yaml.MappingNode) else ()
    return next((item for key, item in entries if key.value == "rules"), None)


def _plain(item: Located) -> str | list[str]:
    items = item.value if isinstance(item.value, tuple) else (item,)
    texts = [one.value for one in items if isinstance(one.value, str)]
    if len(texts) != len(items):
        raise NotADeny("an entry of a rule holds one name, or a list of names")
    return texts if isinstance(item.value, tuple) else texts[0]
