"""What the databases do differently."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, String, bindparam
from sqlalchemy.engine import URL

from connectors.contract import FailureCode
from connectors.kinds.sql.database import Database
from connectors.kinds.sql.manifest import SqlManifest
from connectors.kinds.sql.statement import KEYS
from connectors.reach import Reach


def bind_list(keys: Sequence[str]) -> BindParameter[Any]:
    """The keys as a list, a parameter each."""
    return bindparam(KEYS, list(keys), String, expanding=True)


def among(held: ColumnElement[Any], keys: Sequence[str]) -> ColumnElement[bool]:
    """Whether a column is one of the keys, by `IN`."""
    return held.in_(bind_list(keys))


@dataclass(frozen=True, slots=True)
class Dialect:
    """One database.

    `open_database` raises `AddressInvalid` and `ConnectionUnusable`. `failure` tells what an error of the driver means,
    None where it is none of the known ones. `among` compares a column with keys; in a manifest's own statement
    `key_list` stands for `IN :keys`, with the parameter that `bind_keys` makes, of at most `longest_list` keys.
    `extra` is the package's extra that brings the driver.
    """

    open_database: Callable[[URL, SqlManifest, Reach], Database]
    failure: Callable[[BaseException], FailureCode | None]
    among: Callable[[ColumnElement[Any], Sequence[str]], ColumnElement[bool]] = among
    key_list: str = f"IN :{KEYS}"
    bind_keys: Callable[[Sequence[str]], BindParameter[Any]] = bind_list
    longest_list: int | None = None
    extra: str = ""


def pool_arguments(manifest: SqlManifest) -> dict[str, Any]:
    """The arguments of an engine whose pool holds as many connections as the agency bears calls."""
    return {
        "hide_parameters": True,
        "max_overflow": 0,
        "pool_pre_ping": True,
        "pool_size": manifest.concurrency,
        "pool_timeout": manifest.timeout,
    }


def milliseconds(seconds: float) -> int:
    """A time limit as databases take it: at least one, for none at all is what they mean by zero."""
    return ceil(seconds * 1000)


def coded(groups: Mapping[FailureCode, str]) -> Mapping[str, FailureCode]:
    """What each of a database's own codes means, from the codes of each meaning, with spaces between them."""
    return {code: failure for failure, codes in groups.items() for code in codes.split()}


def number_of(error: BaseException) -> str:
    """The number of a driver's error, where that is its first argument, or the first of a tuple there; else nothing."""
    first = error.args[0] if error.args else None
    if isinstance(first, tuple) and first:
        first = first[0]
    return str(first) if isinstance(first, int) else ""
