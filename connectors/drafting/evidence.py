"""What the values of a column tell of it. Nothing of them is kept but what they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from connectors.amounts import read_decimal, read_integer, read_money
from connectors.contract import KeyKind
from connectors.converters import BOOLEANS
from connectors.dates import read_date
from connectors.keys import Spelling, normal_key
from connectors.text import NO_VALUE, Unmappable, narrow, read_text
from schema.credit_code import CreditCode, CreditCodeError
from schema.legacy_id import is_organisation_code, is_registration_number
from schema.values import Kind

MOST: Final = 0.8
"""The share of a column's values by which it is taken for something."""

FORMATS: Final = (
    *("%Y%m%d%H%M%S", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%d.%m.%Y", "%Y/%m/%d %H:%M", "%Y年%m月%d日 %H时%M分"),
    *("%d-%b-%Y", "%d-%b-%y", "%Y-%m-%dT%H:%M:%S.%f", "epochSeconds", "epochMilliseconds"),
)
"""Ways to write dates that are tried where the usual ones do not do."""

NULL_WORDS: Final = frozenset(
    {
        *(
            "未知",
            "不详",
            "待定",
            "空值",
            "无数据",
            "未填",
            "未填写",
            "没有",
            "不适用",
            "暂未公布",
            "保密",
            "NA",
            "NaN",
            "nan",
        ),
        *("nil", "NIL", "#N/A", "(null)", "<null>", "[null]", "NULL值", "undefined", "?", "---", "…", "********"),
        *("0000-00-00", "0000-00-00 00:00:00", "00000000"),
    }
)
"""Words that agencies write where they have nothing, beside those that are understood anyway. A draft may name them:
they are no values.
"""

_FEW: Final = 12
"""So many different values may be a code table."""

_EPOCHS: Final = {
    "epochSeconds": range(631_152_000, 2_208_988_800),
    "epochMilliseconds": range(631_152_000_000, 2_208_988_800_000),
}
"""What may be moments: from 1990 to 2039."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a column seems to be.

    `kinds` are those of the fields that it could fill. `key` is the identifier of companies that it holds, and
    `spellings` are the ways in which that is written. `formats` are the ways in which its dates are written, where they
    are not usual ones. `different` counts its values, `few` tells that they may be codes. `nothings` are the words
    that mean nothing in it.
    """

    values: int
    different: int
    kinds: frozenset[Kind]
    key: KeyKind | None = None
    spellings: tuple[Spelling, ...] = ()
    formats: tuple[str, ...] = ()
    few: bool = False
    nothings: frozenset[str] = frozenset()


def weigh(values: Iterable[object]) -> Evidence:
    """The evidence of a column's values."""
    texts, nothings, odd = [], set[str](), 0
    for value in values:
        if NO_VALUE.has(value):
            continue
        try:
            text = read_text(value)
        except Unmappable:
            odd += 1
            continue
        if text in NULL_WORDS:
            nothings.add(text)
        else:
            texts.append(text)
    if not texts:
        return Evidence(
            odd, odd, frozenset() if odd else frozenset(Kind) - {Kind.CREDIT_CODE}, nothings=frozenset(nothings)
        )
    key, spellings = _key(texts)
    formats = _formats(texts)
    kinds = {Kind.TEXT, Kind.CODE}
    kinds |= {Kind.DATE, Kind.DATE_SPAN} if formats is not None else set()
    kinds |= {Kind.MONEY} if _most(texts, lambda text: read_money(text, "元", "CNY")) else set()
    kinds |= {Kind.INTEGER, Kind.COUNT} if _most(texts, read_integer) else set()
    kinds |= {Kind.DECIMAL} if _most(texts, read_decimal) else set()
    kinds |= {Kind.BOOLEAN} if all(narrow(text).lower() in BOOLEANS for text in texts) else set()
    kinds |= {Kind.CREDIT_CODE} if key is KeyKind.CREDIT_CODE else set()
    different = len(set(texts))
    return Evidence(
        len(texts),
        different,
        frozenset(kinds),
        key,
        spellings,
        formats or (),
        few=different <= _FEW and different <= len(texts),
        nothings=frozenset(nothings),
    )


def _most(texts: Sequence[str], read: Callable[[str], object]) -> bool:
    return sum(_reads(text, read) for text in texts) >= MOST * len(texts)


def _reads(text: str, read: Callable[[str], object]) -> bool:
    try:
        read(text)
    except (ValueError, ArithmeticError):
        return False
    return True


def _key(texts: Sequence[str]) -> tuple[KeyKind | None, tuple[Spelling, ...]]:
    """The identifier that the texts are, and how it is written."""
    keys = [normal_key(text) or "" for text in texts]
    if sum(map(_is_credit_code, keys)) >= MOST * len(keys):
        written = {Spelling.LOWER if text != text.upper() else Spelling.UPPER for text in texts}
        return KeyKind.CREDIT_CODE, tuple(spelling for spelling in Spelling if spelling in written)
    if sum(map(is_organisation_code, keys)) >= MOST * len(keys):
        hyphens = any("-" in narrow(text) for text in texts)
        lower = any(text != text.upper() for text in texts)
        return KeyKind.ORGANISATION_CODE, (
            Spelling.HYPHENATED if hyphens else Spelling.LOWER if lower else Spelling.UPPER,
        )
    if sum(map(is_registration_number, keys)) >= MOST * len(keys):
        return KeyKind.REGISTRATION_NUMBER, ()
    return None, ()


def _is_credit_code(text: str) -> bool:
    try:
        CreditCode.parse(text)
    except CreditCodeError as error:
        return error.code == "CODE_OUT_OF_SCOPE"
    return True


def _formats(texts: Sequence[str]) -> tuple[str, ...] | None:
    """The formats that read the texts: none where they are usual dates; None where they are no dates."""
    if _most(texts, read_date):
        return ()
    for pattern in FORMATS:
        moments = _EPOCHS.get(pattern)
        if moments and not all(text.isdecimal() and int(text) in moments for text in texts):
            continue
        if _most(texts, lambda text, pattern=pattern: read_date(text, (pattern,))):  # type: ignore[misc]
            return (pattern,)
    return None
