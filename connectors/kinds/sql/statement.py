"""A manifest's own statement: one SELECT with named parameters, and nothing in it that databases read differently.

It is run as `SELECT columns FROM (statement)`, in a session that cannot write. What is refused here is what could end
those parentheses, or do more than read: comments, several statements, and texts with an escape, which one database ends
where another does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

KEYS: Final = "keys"
"""The parameter that stands for the companies' keys."""

KEY: Final = "key"
"""The parameter that stands for the key of the one company that a call is for."""

_TOKEN: Final = re.compile(
    r"""
      (?P<quoted>'[^']*'|"[^"]*"|`[^`]*`|\[[^][`'"]*\])
    | (?P<keys>\bIN\s*(?:\(\s*:keys\s*\)|:keys\b))
    | (?P<word>[^\W\d][\w$]*)
    | (?P<cast>::)
    | :(?P<parameter>[A-Za-z]\w*)
    | (?P<refused>--|/\*|[;#$'"`\[\]\\\x00])
    | (?P<other>.)
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL | re.ASCII,
)
_WRITING: Final = frozenset({"into", "insert", "update", "delete", "merge", "share", "lock", "set_config"})
"""Words of statements that write, take locks or leave the read-only session. A column of such a name is quoted."""

_DEPTHS: Final = {"(": 1, ")": -1}
_NO_SINGLE_SELECT: Final = "the statement is one SELECT (it may begin with WITH)"


@dataclass(frozen=True, slots=True)
class ReadOnlyStatement:
    """A statement that was found to be one SELECT.

    `pieces` are in the form of SQLAlchemy's `text`; a list of keys stands between any two, or `single` tells that one
    key is bound instead. `parameters` are the names of the others. They are bound as `parameter_name` writes them.
    """

    pieces: tuple[str, ...]
    parameters: frozenset[str]
    single: bool = False

    @property
    def key_lists(self) -> int:
        """How often the keys are listed."""
        return len(self.pieces) - 1


def parameter_name(name: str) -> str:
    """The bound name of a parameter: no database's reserved word, and never that of the keys."""
    return f"filter_{name}"


def read_statement(sql: str) -> ReadOnlyStatement:
    """Checks a statement and finds its parameters. Raises `ValueError`, which says what is wrong."""
    pieces, parameters, words = [""], set[str](), list[str]()
    for kind, token in _tokens(sql):
        if kind == "keys":
            if words and words[-1] == "not":
                raise ValueError(f":{KEYS} cannot stand after NOT IN")
            pieces.append("")
        elif kind == "parameter":
            if token == KEYS:
                raise ValueError(f":{KEYS} stands after IN: IN (:{KEYS})")
            parameters.add(token)
            pieces[-1] += f" :{parameter_name(token)} "
        else:
            pieces[-1] += token.replace(":", r"\:")
        if kind == "word":
            words.append(token.lower())
    if not words or words[0] not in {"select", "with"}:
        raise ValueError(_NO_SINGLE_SELECT)
    writing = sorted(_WRITING.intersection(words))
    if writing:
        raise ValueError(f"a statement only reads: no {writing[0].upper()} (quote it where it is a column)")
    single = KEY in parameters
    if single != (len(pieces) == 1):
        raise ValueError(f"the statement needs its companies: IN (:{KEYS}), or :{KEY} where a call is for one company")
    return ReadOnlyStatement(tuple(pieces), frozenset(parameters - {KEY}), single)


def _tokens(sql: str) -> Iterator[tuple[str, str]]:
    if "\\" in sql:
        raise ValueError("no backslash in a statement: databases read it differently")
    depth, before = 0, ""
    for found in _TOKEN.finditer(sql):
        kind, token = str(found.lastgroup), found[str(found.lastgroup)]
        if kind == "refused":
            raise ValueError(f"no {token!r} in a statement ({_NO_SINGLE_SELECT}, without comments)")
        if kind == "quoted" and token[0] == "'" and before and before.lower() != "n":
            raise ValueError(f"no text of the form {before}'...' in a statement")
        depth += _DEPTHS.get(token, 0)
        if depth < 0:
            break
        before = token if kind == "word" else ""
        yield kind, token
    if depth:
        raise ValueError("the statement's parentheses do not match")
