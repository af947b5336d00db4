"""A manifest's own statement: what may be one, and what is made of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from connectors.kinds.sql.statement import read_statement


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT code, number FROM t WHERE code IN (:keys)",
        "select code from t where code in :keys and (:day is null or decided >= :day)",
        "WITH x AS (SELECT code FROM t WHERE code IN ( :keys )) SELECT code FROM x",
        "SELECT a.code FROM a WHERE a.code IN (:keys) UNION ALL SELECT b.code FROM b WHERE b.code IN (:keys)",
        "SELECT code, 'it''s; (odd -- text' AS x, \"update\", [delete], `into` FROM t WHERE code IN (:keys)",
        "SELECT code, N'中文' AS x, v$name FROM 企业 WHERE code IN (:keys)",
        "SELECT code::text AS code, to_char(day, 'HH24:MI :SS') AS day FROM t WHERE code IN (:keys)",
    ],
)
def test_one_select_with_its_companies_is_a_statement(sql: str) -> None:
    read_statement(sql)


@pytest.mark.parametrize(
    ("sql", "wrong"),
    [
        ("", "one SELECT"),
        ("DELETE FROM t WHERE code IN (:keys)", "one SELECT"),
        ("VALUES (1)", "one SELECT"),
        ("(SELECT 1 WHERE code IN (:keys))) UNION (SELECT 1", "parentheses"),
        ("SELECT (1 FROM t WHERE code IN (:keys)", "parentheses"),
        ("SELECT 1 WHERE code IN (:keys); DROP TABLE t", "';'"),
        ("SELECT 1 WHERE code IN (:keys) -- rest", "'--'"),
        ("SELECT /*! 1 */ 1 WHERE code IN (:keys)", r"'/\*'"),
        ("SELECT 1 # )\n WHERE code IN (:keys)", "'#'"),
        (r"SELECT '\' WHERE code IN (:keys) AND x = '", "backslash"),
        ("SELECT $$ ' $$ WHERE code IN (:keys)", r"'\$'"),
        ("SELECT q'[it's]' WHERE code IN (:keys)", "form q"),
        ("SELECT E'x' WHERE code IN (:keys)", "form E"),
        ("SELECT 'open WHERE code IN (:keys)", '"\'"'),
        ("WITH x AS (DELETE FROM t RETURNING code) SELECT code FROM x WHERE code IN (:keys)", "no DELETE"),
        ("SELECT code INTO u FROM t WHERE code IN (:keys)", "no INTO"),
        ("SELECT code FROM t WHERE code IN (:keys) FOR UPDATE", "no UPDATE"),
        ("SELECT set_config('a', 'b', false) WHERE code IN (:keys)", "no SET_CONFIG"),
        ("SELECT code FROM t", "companies"),
        ("SELECT code FROM f(:key) WHERE code IN (:keys)", "companies"),
        ("SELECT code FROM t WHERE code = :keys", "after IN"),
        ("SELECT code FROM t WHERE code NOT IN (:keys)", "NOT IN"),
    ],
)
def test_anything_else_is_refused_with_its_reason(sql: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        read_statement(sql)


def test_parameters_are_found_outside_of_texts_alone() -> None:
    statement = read_statement(
        "SELECT code, ':a' AS \":b\", x::date FROM t WHERE code IN (:keys) AND day >= :c AND day <= :d"
    )
    assert statement.parameters == {"c", "d"}
    bound = text("IN :keys".join(statement.pieces))
    assert set(bound._bindparams) == {"keys", "filter_c", "filter_d"}
    assert "':a' AS \":b\", x::date FROM" in str(bound)


@given(st.text("SELECT(selct)'\"`[];-/*#$\\: \nkeyin:keysWITH,=x1", max_size=60))
def test_what_passes_is_balanced_and_ends_nothing(noise: str) -> None:
    try:
        statement = read_statement(f"SELECT x FROM t WHERE x IN (:keys) {noise}")  # noqa: S608
    except ValueError:
        return
    depth = 0
    quote = ""
    for character in "IN :keys".join(statement.pieces):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"`[":
            quote = "]" if character == "[" else character
        else:
            depth += (character == "(") - (character == ")")
            assert depth >= 0
            assert character != ";"
    assert (depth, quote) == (0, "")
