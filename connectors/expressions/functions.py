"""The functions of expressions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from decimal import ROUND_FLOOR, Decimal
from typing import Any, Final

from jmespath.functions import Functions, signature
from msgspec import MsgspecError
from msgspec.json import Decoder

from connectors.expressions.values import CHARACTERS_A_STEP, NotEvaluated, listed, rank, steps_through
from connectors.text import read_text

_NUMBER: Final = re.compile(r"-?[0-9]{1,40}(?P<fraction>\.[0-9]{1,40})?(?P<exponent>[eE][+-]?[0-9]{1,3})?")
_LARGEST_EXPONENT: Final = 60
_decode: Final = Decoder(float_hook=Decimal).decode


class ExactFunctions(Functions):
    """The functions of JMESPath, of exact numbers, and `parse_json`."""

    def __init__(self, spend: Callable[[int], None]) -> None:
        self._spend = spend

    def call_function(self, function_name: str, resolved_args: Iterable[Any]) -> Any:  # noqa: ANN401
        """As in the library; takes as many steps as there are items in its lists and in what it makes."""
        parameters = self.FUNCTION_TABLE[function_name]["signature"]
        arguments = list(resolved_args)
        for index, parameter in enumerate(parameters):
            types = parameter["types"]
            if types and arguments[index] is None and "null" not in types:
                return None
            if types and all(name.startswith("array") for name in types):
                arguments[index] = listed(arguments[index])
        self._spend(sum(steps_through(one) for one in arguments))
        made = super().call_function(function_name, arguments)
        self._spend(steps_through(made))
        return made

    def _get_allowed_pytypes(self, types: Iterable[str]) -> Any:  # noqa: ANN401  (the library's own)
        allowed, items = super()._get_allowed_pytypes(types)  # type: ignore[misc]
        return self._exact_too(allowed), [self._exact_too(names) for names in items]

    @staticmethod
    def _exact_too(names: Iterable[str]) -> list[str]:
        return [*names, *(("Decimal",) if "int" in names else ())]

    def _convert_to_jmespath_type(self, pyobject: str) -> Any:  # noqa: ANN401
        return "number" if pyobject == "Decimal" else super()._convert_to_jmespath_type(pyobject)  # type: ignore[misc]

    @signature({"types": ["array-number"]})
    def _func_avg(self, numbers: list[int | Decimal]) -> Decimal | None:
        return Decimal(sum(numbers)) / len(numbers) if numbers else None

    @signature({"types": ["number"]})
    def _func_ceil(self, number: int | Decimal) -> int:
        return -self._func_floor(-number)

    @signature({"types": ["number"]})
    def _func_floor(self, number: int | Decimal) -> int:
        # Written out, a large exponent may be more digits than there is memory for.
        if isinstance(number, Decimal) and number.adjusted() > _LARGEST_EXPONENT:
            raise NotEvaluated("a number is too large")
        return int(number.to_integral_value(ROUND_FLOOR)) if isinstance(number, Decimal) else number

    @signature({"types": ["array", "string"]}, {"types": []})
    def _func_contains(self, subject: list[Any] | str, search: object) -> bool:
        if isinstance(subject, str):
            return isinstance(search, str) and search in subject
        if isinstance(search, list | dict):
            raise NotEvaluated("contains() looks for a text, a number or a boolean")
        return any(rank(item) == rank(search) and item == search for item in subject)

    @signature({"types": ["string"]}, {"types": ["array-string"]})
    def _func_join(self, separator: str, texts: list[str]) -> str:
        self._spend((len(separator) * len(texts) + sum(map(len, texts))) // CHARACTERS_A_STEP)
        return separator.join(texts)

    @signature({"types": ["string", "number", "boolean", "null"]})
    def _func_to_string(self, value: object) -> str | None:
        return None if value is None else read_text(value)

    @signature({"types": []})
    def _func_to_number(self, value: object) -> int | Decimal | None:
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            return value
        found = _NUMBER.fullmatch(value.strip()) if isinstance(value, str) else None
        if found is None:
            return None
        return Decimal(found[0]) if found["fraction"] or found["exponent"] else int(found[0])

    @signature({"types": []})
    def _func_type(self, value: object) -> Any:  # noqa: ANN401
        return self._convert_to_jmespath_type(type(value).__name__)

    @signature({"types": []})
    def _func_parse_json(self, value: object) -> Any:  # noqa: ANN401  (JSON)
        if value is None or isinstance(value, list | dict):
            return value
        if not isinstance(value, str):
            raise NotEvaluated("parse_json() takes a text")
        try:
            return _decode(value) if value.strip() else None
        except (MsgspecError, ValueError):
            raise NotEvaluated("parse_json() was given a text that is no JSON") from None
