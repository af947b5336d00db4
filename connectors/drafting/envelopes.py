"""What in a sample is around the rows, rather than a row: what says how an answer went, and how many pages it has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from connectors.drafting.names import has_code, is_name

_STATUS: Final = re.compile(
    r"(is|biz|busi|sub|ret|rtn|return|res|resp|response|rsp|result|err|error|status|state|head)?"
    r"(code|status|state|success|succeed|ok|no|flag|ret|result|errno)|ret|rtn|errno|succ",
    re.ASCII,
)
_MESSAGE: Final = re.compile(
    r"(ret|rtn|return|res|resp|response|rsp|result|err|error|status)?(msg|message|desc|info|error|reason)", re.ASCII
)
_OTHERS: Final = re.compile(
    r"(total|count|page|cur|current|next|prev|has|is|last|first)*"
    r"(total|count|num|number|pages?|no|index|size|current|limit|offset|next|more|last|first|cursor|empty|records)"
    r"|timestamp|time|ts|costs?|elapsed|took|version|sign|encrypt|(request|trace|log|span)id|seq(no)?|serial(no)?",
    re.ASCII,
)
"""Numbers of pages and rows, and what names the call or protects it."""
_PAYLOAD: Final = frozenset(
    {
        *("data", "datas", "result", "results", "rows", "list", "records", "items", "body", "content", "payload"),
        *("response", "obj", "object", "retdata", "returndata", "datalist", "resultlist", "page", "value"),
    }
)
"""What that is called in which an answer has its rows."""

_CODE: Final = re.compile(r"-?[A-Za-z0-9][A-Za-z0-9_.-]{0,15}", re.ASCII)
_MOST: Final = 2


def is_around(document: Mapping[str, Any]) -> bool:
    """Whether an object is around rows, or where they would be, and none itself."""
    names = {_plain(name) for name in document}
    parts = [value for value in document.values() if isinstance(value, Mapping | list) and value]
    is_told = any(map(_is_status, names))
    has_place = not names.isdisjoint(_PAYLOAD)
    if not _says_only_how_it_went(document):
        return is_told and has_place and bool(parts)
    if len(document) == len(parts) and sum(not _says_only_how_it_went(part) for part in parts) > 1:
        return False  # the parts of one row
    return bool(parts) or (is_told and (has_place or any(map(_MESSAGE.fullmatch, names))))


def _says_only_how_it_went(document: object) -> bool:
    """Whether none of an object's own values is of anything else."""
    if not isinstance(document, Mapping):
        return True
    alone = [
        name for name, value in document.items() if not isinstance(value, Mapping | list) and value not in ("", None)
    ]
    return all(_is_status(name) or _MESSAGE.fullmatch(name) or _OTHERS.fullmatch(name) for name in map(_plain, alone))


def statuses(document: object, rows_path: str | None) -> list[tuple[str, str]]:
    """The paths to what says how the answer went, on the way to its rows, and what it says; a few at most."""
    found: list[tuple[str, str]] = []
    path = ""
    for step in (rows_path or "").split("."):
        if not isinstance(document, Mapping) or not is_around(document):
            break
        found += _statuses(document, path)
        for name, inner in document.items():
            if name != step and is_name(name) and isinstance(inner, Mapping):
                found += _statuses(inner, f"{path}{name}.")
        path, document = f"{path}{step}.", document.get(step)
    return found[:_MOST]


def _statuses(document: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for name, value in document.items():
        if is_name(name) and _is_status(_plain(name)):
            text = {True: "true", False: "false"}[value] if isinstance(value, bool) else value
            if isinstance(text, str | int) and _CODE.fullmatch(str(text).strip()) and not has_code(str(text)):
                yield f"{path}{name}", str(text).strip()


def _is_status(name: str) -> bool:
    return _STATUS.fullmatch(name) is not None


def _plain(name: str) -> str:
    return name.lower().lstrip("@#").replace("_", "").replace("-", "")
