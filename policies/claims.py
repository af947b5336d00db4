"""The claims of a signed text, read by type (JSON types of RFC 7519)."""

from __future__ import annotations

from typing import Final

from policies.errors import PolicyError

_LAST_MOMENT: Final = 253_402_300_800
"""The end of the year 9999, the last that a `datetime` can name."""


class Claims:
    """The claims of a text; `what` names it ("consent"). Each method raises `malformed`, as does the constructor where
    the claims are no JSON object.
    """

    def __init__(self, claims: object, what: str, malformed: type[PolicyError]) -> None:
        self._what = what
        self._malformed = malformed
        if not isinstance(claims, dict):
            raise malformed(f"the {what}'s payload is no JSON object")
        self._claims = claims

    def text(self, name: str) -> str:
        """A text that is not empty."""
        value = self._claims.get(name)
        if not _is_text(value):
            raise self._wrong(name, "a text")
        return str(value)

    def some_texts(self, name: str) -> frozenset[str]:
        """A text or a list of texts, at least one."""
        value = self._claims.get(name)
        texts = self._texts(name, [value] if isinstance(value, str) else value)
        if not texts:
            raise self._wrong(name, "a list of texts")
        return texts

    def texts(self, name: str) -> frozenset[str]:
        """A list of texts, which may be empty."""
        return self._texts(name, self._claims.get(name))

    def moment(self, name: str, default: float | None = None) -> float:
        """A NumericDate (RFC 7519, section 2): seconds since the epoch."""
        value = self._claims.get(name, default)
        # NaN, which Python's JSON takes, would compare as neither past nor future; an integer may be beyond a float.
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LAST_MOMENT:
            raise self._wrong(name, "a number of seconds")
        return value

    def _texts(self, name: str, value: object) -> frozenset[str]:
        if not isinstance(value, list) or not all(_is_text(text) for text in value):
            raise self._wrong(name, "a list of texts")
        return frozenset(value)

    def _wrong(self, name: str, form: str) -> PolicyError:
        return self._malformed(f"the {self._what}'s claim `{name}` must be {form}")


def _is_text(value: object) -> bool:
    """Whether it is a text that can be written as UTF-8: JSON may hold halves of surrogate pairs, which cannot."""
    if not isinstance(value, str) or not value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
