"""How like a column's name is to a field: in English, in Chinese, or in the initials of its pinyin."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Final

_INITIALS: Final = "abcdefghjklmnopqrstwxyz"
_BEGINNINGS: Final = (
    *(0xB0A1, 0xB0C5, 0xB2C1, 0xB4EE, 0xB6EA, 0xB7A2, 0xB8C1, 0xB9FE, 0xBBF7, 0xBFA6, 0xC0AC, 0xC2E8),
    *(0xC4C3, 0xC5B6, 0xC5BE, 0xC6DA, 0xC8BB, 0xC8F6, 0xCBFA, 0xCDDA, 0xCEF4, 0xD1B9, 0xD4D1),
)
"""Where the characters of each initial begin: GB 2312-1980 has those of its first level by pinyin."""

_END: Final = 0xD7FA

_WORDS: Final = {
    **dict.fromkeys(("no", "num", "nr", "code", "id", "sn"), "number"),
    **dict.fromkeys(("date", "day", "time", "at", "dt", "rq"), "on"),
    **dict.fromkeys(("amt", "sum", "money", "fine", "yuan"), "amount"),
    **dict.fromkeys(("org", "organ", "office", "agency", "dept", "bureau"), "authority"),
    **dict.fromkeys(("type", "category", "class"), "kind"),
    **dict.fromkeys(("level", "rating", "result"), "grade"),
    **dict.fromkeys(("tel", "phone", "mobile"), "telephone"),
    **dict.fromkeys(("addr",), "address"),
    **dict.fromkeys(("url", "link", "href"), "url"),
    **dict.fromkeys(("end", "expiry", "expires", "expire", "until"), "until"),
    **dict.fromkeys(("start", "begin", "from"), "from"),
}
"""What else is meant by a word of a field's name."""

_KNOWN: Final = {
    "entname": "name",
    "qymc": "name",
    "lerep": "legalRepresentative",
    "cerno": "legalRepresentativeId",
    "regstate": "status",
    "enttype": "kind",
    "estdate": "establishedOn",
    "regcap": "registeredCapital",
    "reccap": "paidInCapital",
    "dom": "address",
    "opscope": "businessScope",
    "regorg": "authority",
    "opto": "validUntil",
    "empnum": "employees",
    "regno": "registrationNumber",
    "industryco": "industry",
    "altdate": "changedOn",
    "altitem": "item",
    "altbe": "before",
    "altaf": "after",
    "inv": "name",
    "subconam": "subscribedCapital",
    "acconam": "paidInCapital",
    "subconprop": "share",
    "condate": "heldSince",
    "abntime": "listedOn",
    "specause": "reason",
    "decorg": "authority",
    "remdate": "removedOn",
    "remexcpres": "removalReason",
    "lsh": "recordId",
    "pripid": "recordId",
    "jlbh": "recordId",
    "xh": "recordId",
}
"""Names of columns that are usual at registries and elsewhere, and tell nothing of themselves."""

_STEM: Final = 4
_CLAUSE: Final = re.compile(r"[，。、；：（(]")


def likeness(column: str, field: str, chinese: str) -> float:
    """From 0 to 1. `chinese` is the field's description in Chinese."""
    name = column.rpartition(".")[2].lstrip("@#")
    if _KNOWN.get(name.lower()) == field:
        return 0.98
    if not name.isascii():
        return _like_chinese(name, chinese)
    return max(_like_english(name, field), _like_initials(name, chinese))


def initials(text: str) -> str:
    """The initials of the pinyin of the characters whose initial is known."""
    return "".join(_initial(character) for character in text)


def _initial(character: str) -> str:
    try:
        code = int.from_bytes(character.encode("gb2312"), "big")
    except UnicodeEncodeError:
        return ""
    if code < 0x80:  # noqa: PLR2004  (ASCII)
        return character.lower() if character.isalnum() else ""
    return _INITIALS[bisect_right(_BEGINNINGS, code) - 1] if _BEGINNINGS[0] <= code < _END else ""


def _clauses(chinese: str) -> Iterator[str]:
    yield from filter(None, _CLAUSE.split(chinese))


def _like_chinese(name: str, chinese: str) -> float:
    return max((_alike(name, clause) for clause in _clauses(chinese)), default=0.0)


def _in_order(some: str, many: str) -> bool:
    """Whether the characters stand among the others, in their order."""
    others = iter(many)
    return all(character in others for character in some)


def _alike(name: str, clause: str) -> float:
    within = _in_order(name, clause) or _in_order(clause, name)
    part = min(len(name), len(clause)) / max(len(name), len(clause))
    return max(SequenceMatcher(None, name, clause).ratio(), 0.5 + 0.45 * part if within and len(name) > 1 else 0)


def _like_initials(name: str, chinese: str) -> float:
    letters = re.sub(r"[^a-z0-9]", "", name.lower())
    found = 0.0
    for clause in _clauses(chinese):
        written = initials(clause)
        if letters == written:
            return 0.95
        if len(letters) > 2 and (written.endswith(letters) or written.startswith(letters)):  # noqa: PLR2004  (two letters are in any)
            found = max(found, 0.6 + 0.3 * len(letters) / len(written))
        elif len(letters) > 3:  # noqa: PLR2004
            found = max(found, 0.8 * SequenceMatcher(None, letters, written).ratio())
    return found


def _like_english(name: str, field: str) -> float:
    mine, theirs = _tokens(name), _tokens(field)
    if "".join(mine) == "".join(theirs):
        return 1.0
    if not mine or not theirs:
        return 0.0
    alike = sum(any(_same(one, other) for other in mine) for one in theirs)
    return 0.95 * 2 * alike / (len(mine) + len(theirs)) if alike else 0.0


def _tokens(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_\-\s.]+", " ", name)
    return [_WORDS.get(word, word) for word in spaced.lower().split()]


def _same(one: str, other: str) -> bool:
    return one == other or (len(one) >= _STEM and len(other) >= _STEM and one[:_STEM] == other[:_STEM])
