"""JMESPath expressions over a row (https://jmespath.org/specification.html), for what paths cannot say.

They differ from the specification where it would lose values without a word, or cents:

- What is no list counts as a list of it, as for paths: lists of one come as what they hold.
- A name in a list is an error, and so is a number that is compared with a text. (There, both are null.)
- A function of nothing is nothing. (There, it is an error.)
- Numbers are exact: `Decimal` where they have a point.
- `parse_json` reads the JSON that stands in a text.

An expression has bounds of its own: of length and depth when it is read, of steps for each value. Lists can be doubled
in it, time and again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from functools import lru_cache, reduce
from typing import Any, Final

import jmespath
from jmespath.exceptions import IncompleteExpressionError, JMESPathError, JMESPathTypeError, LexerError, ParseError
from jmespath.functions import Functions, signature
from jmespath.visitor import Options, TreeInterpreter
from msgspec import MsgspecError
from msgspec.json import Decoder

from connectors.contract import RawRow
from connectors.paths import reader
from connectors.text import Unmappable, read_text

LONGEST: Final = 1000
"""Characters of an expression."""

DEEPEST: Final = 50
"""How deep an expression may be nested: each level takes a few frames of Python's stack."""

MOST_STEPS: Final = 20_000
"""Steps (a part of the expression applied to a value, an item of a list that is made) that one value may take: some
20 ms.
"""

_PLAIN_NAME: Final = re.compile(r"[^.\[\]#]*[^.\[\]#0-9][^.\[\]#]*")
"""Names that mean the same in a path."""
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_NUMBER: Final = re.compile(r"-?[0-9]{1,40}(?P<fraction>\.[0-9]{1,40})?(?P<exponent>[eE][+-]?[0-9]{1,3})?")
_LARGEST_EXPONENT: Final = 60
_CHARACTERS_A_STEP: Final = 100
_decode: Final = Decoder(float_hook=Decimal).decode

Tree = Mapping[str, Any]
"""A part of an expression, as the library parses it: `type`, `value`, `children`."""

Place = tuple[str, ...]
"""The names that lead to a place in a row; positions in lists are left out."""


_TYPE_NAMES: Final = {
    **dict.fromkeys(("str", "string"), "a text"),
    **dict.fromkeys(("int", "Decimal", "number"), "a number"),
    **dict.fromkeys(("bool", "boolean"), "a boolean"),
    **dict.fromkeys(("list", "array"), "a list"),
    **dict.fromkeys(("dict", "object"), "an object"),
    **dict.fromkeys(("NoneType", "null"), "nothing (null)"),
}


class NotEvaluated(Unmappable):
    """An expression that has no value in a row. The message says why, for whoever writes it: with types, no values."""


class ExpressionError(ValueError):
    """An expression that is none, or that cannot be allowed; the message says why."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression.

    `path` is the path that it amounts to, None where it is more than that. `read` gives its value in a row, and raises
    `ValueError` or `ArithmeticError` where it has none. `places` are what it reads of a row: dotted, without positions.
    """

    text: str
    path: str | None
    read: Callable[[RawRow], object]
    places: frozenset[str]

    @property
    def columns(self) -> frozenset[str]:
        """The columns that it reads, of rows that are not nested themselves."""
        return frozenset(place.partition(".")[0] for place in self.places)


@lru_cache(maxsize=1024)
def compile_expression(text: str) -> Expression:
    """The expression, compiled. Raises `ExpressionError`."""
    tree = _parsed(text)
    places = _Places().of_expression(tree)
    path = _plain_path(tree)
    read = _Interpreter(_exact(tree)).read if path is None else reader(path, nested=True)
    return Expression(text, path, read, frozenset(map(".".join, places)))


def why_not(expression: Expression, row: RawRow) -> str:
    """Why the expression has no value in the row, for whoever writes it; empty where it has one, or none is known.

    Tells types, no values.
    """
    try:
        expression.read(row)
    except NotEvaluated as error:
        return str(error)
    except (ValueError, ArithmeticError):
        return ""
    return ""


def _parsed(text: str) -> Tree:
    if len(text) > LONGEST:
        raise ExpressionError(f"longer than {LONGEST} characters")
    try:
        tree: Tree = jmespath.compile(text).parsed
    except IncompleteExpressionError:
        raise ExpressionError("the expression ends too soon") from None
    except LexerError as error:
        hint = "" if text.isascii() else " (names with other letters than a-z stand in double quotes)"
        raise ExpressionError(f"{error.message} at character {error.lex_position + 1}{hint}") from None
    except ParseError as error:
        raise ExpressionError(f"{error.msg} at character {error.lex_position + 1}") from None
    except JMESPathError as error:
        raise ExpressionError(str(error)) from None
    except RecursionError:
        raise ExpressionError(f"nested deeper than {DEEPEST}") from None
    _check(tree)
    return tree


def _check(tree: Tree) -> None:
    """Raises `ExpressionError` for an expression that is nested too deep, or for a function that there is not."""
    level = [tree]
    for _ in range(DEEPEST):
        for node in level:
            if node["type"] == "function_expression":
                _check_call(node["value"], len(node["children"]))
        level = [child for node in level for child in node["children"] if isinstance(child, Mapping)]
        if not level:
            return
    raise ExpressionError(f"nested deeper than {DEEPEST}")


def _check_call(name: str, count: int) -> None:
    known = _Functions.FUNCTION_TABLE
    if name not in known:
        raise ExpressionError(f"there is no function {name}()")
    parameters = known[name]["signature"]
    variadic = bool(parameters[-1].get("variadic"))
    if count < len(parameters) or (count > len(parameters) and not variadic):
        bound = "at least " if variadic else ""
        raise ExpressionError(f"{name}() takes {bound}{len(parameters)} argument{'' if len(parameters) == 1 else 's'}")


def _plain_path(tree: Tree) -> str | None:
    """The path for an expression of nothing but names and positions."""
    match tree["type"]:
        case "field" if _PLAIN_NAME.fullmatch(tree["value"]):
            return str(tree["value"])
        case "index" if tree["value"] >= 0:
            return str(tree["value"])
        case "subexpression" | "index_expression":
            steps = [_plain_path(child) for child in tree["children"]]
            known = [step for step in steps if step is not None]
            return ".".join(known) if len(known) == len(steps) else None
    return None


def _exact(tree: Tree) -> Tree:
    """The same with exact numbers in it. (The library keeps trees, and gives them to others.)"""
    value = tree.get("value")
    children = [_exact(child) if isinstance(child, Mapping) else child for child in tree["children"]]
    return {**tree, "value": _exact_value(value) if tree["type"] == "literal" else value, "children": children}


def _exact_value(value: object) -> object:
    match value:
        case float():
            return Decimal(repr(value))
        case list():
            return [_exact_value(item) for item in value]
        case dict():
            return {name: _exact_value(item) for name, item in value.items()}
    return value


class _Places:
    """What an expression reads of a row."""

    def __init__(self) -> None:
        self._read: set[Place] = set()

    def of_expression(self, tree: Tree) -> frozenset[Place]:
        """The places whose values count. Raises `ExpressionError` where that is the row as a whole."""
        self._end(tree, frozenset({()}))
        if () in self._read:
            raise ExpressionError("it reads the row as a whole: name what it reads of it")
        if any(_SURROGATE.search(name) for place in self._read for name in place):
            raise ExpressionError("a name is no Unicode text")
        if not self._read:
            raise ExpressionError("it reads nothing of the row: use const")
        return frozenset(self._read)

    def _end(self, tree: Tree, at: frozenset[Place]) -> None:
        self._read |= self._lead(tree, at)

    def _lead(self, tree: Tree, at: frozenset[Place]) -> frozenset[Place]:
        """Where a part of the expression leads to from these places; nowhere for what it makes itself."""
        children: Sequence[Any] = tree["children"]
        found: frozenset[Place] = frozenset()
        match tree["type"]:
            case "field":
                found = frozenset((*place, tree["value"]) for place in at)
            case "identity" | "current" | "index" | "slice":
                found = at
            case "subexpression" | "index_expression" | "pipe" | "projection" | "flatten":
                found = reduce(lambda place, child: self._lead(child, place), children, at)
            case "filter_projection":
                items = self._lead(children[0], at)
                self._end(children[2], items)
                found = self._lead(children[1], items)
            case "and_expression" | "or_expression" | "multi_select_list":
                found = found.union(*(self._lead(child, at) for child in children))
            case "function_expression":
                found = self._called(tree["value"], children, at)
            case "value_projection":
                self._end(children[0], at)
                self._end(children[1], found)
            case _:
                for child in children:
                    self._end(child, at)
        return found

    def _called(self, name: str, arguments: Sequence[Any], at: frozenset[Place]) -> frozenset[Place]:
        given = frozenset[Place]().union(*(self._lead(one, at) for one in arguments if one["type"] != "expref"))
        made = [self._lead(one["children"][0], given) for one in arguments if one["type"] == "expref"]
        if name == "map":
            return frozenset[Place]().union(*made)
        self._read.update(*made)
        if name in {"max_by", "min_by", "sort_by", "reverse", "not_null", "to_array"}:
            return given
        self._read |= given
        return frozenset()


class _Functions(Functions):
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
                arguments[index] = _listed(arguments[index])
        self._spend(sum(_steps_through(one) for one in arguments))
        made = super().call_function(function_name, arguments)
        self._spend(_steps_through(made))
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
        return any(_rank(item) == _rank(search) and item == search for item in subject)

    @signature({"types": ["string"]}, {"types": ["array-string"]})
    def _func_join(self, separator: str, texts: list[str]) -> str:
        self._spend((len(separator) * len(texts) + sum(map(len, texts))) // _CHARACTERS_A_STEP)
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


class _Interpreter(TreeInterpreter):
    """Evaluates one expression, in not more than `MOST_STEPS` for each value."""

    def __init__(self, tree: Tree) -> None:
        super().__init__(Options(custom_functions=_Functions(self._spend)))
        self._tree: Any = tree
        self._left = 0

    def read(self, row: RawRow) -> object:
        """The expression's value in a row. Raises `NotEvaluated` where it has none."""
        self._left = MOST_STEPS
        try:
            return self.visit(self._tree, row)
        except NotEvaluated:
            raise
        except JMESPathTypeError as error:
            raise NotEvaluated(f"{error.function_name}() does not take {_type_name(error.actual_type)}") from None
        except (ValueError, ArithmeticError, TypeError, RecursionError):
            raise NotEvaluated("it has no value here") from None

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  (the library's signature)
        """What a part of the expression makes of a value."""
        self._spend(1)
        return super().visit(node, *args, **kwargs)

    def visit_field(self, node: Any, value: Any) -> Any:  # noqa: ANN401
        """What has a name in an object; null, where the value is neither an object nor a list."""
        if isinstance(value, list):
            raise NotEvaluated(f"{node['value']} is asked of a list: say [*] or which, as [0]")
        found = super().visit_field(node, value)
        # As a database gives it: what is written out of a binary number is what it means.
        return Decimal(repr(found)) if isinstance(found, float) else found

    def visit_index(self, node: Any, value: Any) -> Any:  # noqa: ANN401
        """The item at a position."""
        return super().visit_index(node, _listed(value))

    def visit_slice(self, node: Any, value: Any) -> Any:  # noqa: ANN401
        """The items from a position to another."""
        items = super().visit_slice(node, _listed(value))
        self._spend(len(items or ()))
        return items

    def visit_projection(self, node: Any, value: Any) -> list[Any] | None:  # noqa: ANN401
        """What the rest of the expression makes of each item."""
        return super().visit_projection(self._of_list(node, value), value)

    def visit_filter_projection(self, node: Any, value: Any) -> list[Any] | None:  # noqa: ANN401
        """What the rest of the expression makes of each item of which the condition is true."""
        return super().visit_filter_projection(self._of_list(node, value), value)

    def visit_flatten(self, node: Any, value: Any) -> Any:  # noqa: ANN401
        """The items, and in place of each list among them its own."""
        items = super().visit_flatten(self._of_list(node, value), value)
        self._spend(len(items or ()))
        return items

    def visit_comparator(self, node: Any, value: Any) -> bool | None:  # noqa: ANN401
        """Whether two values compare so; null, where one of them is not there, or nothing that has an order."""
        left, right = (self.visit(child, value) for child in node["children"])
        if _is_scalar(left) and _is_scalar(right) and _rank(left) != _rank(right):
            raise NotEvaluated(f"{_rank(left)} is compared with {_rank(right)}")
        if node["value"] in {"eq", "ne"}:
            return self._equal(left, right) is (node["value"] == "eq")
        self._spend(min(_steps_through(left), _steps_through(right)) if isinstance(left, str) else 0)
        ordered = all(isinstance(one, str) or _is_number(one) for one in (left, right))
        return bool(self.COMPARATOR_FUNC[node["value"]](left, right)) if ordered else None

    def _equal(self, left: object, right: object) -> bool:
        """Whether two values are the same all through: parts that both have several times count as often."""
        self._spend(1)
        if isinstance(left, list) and isinstance(right, list):
            return len(left) == len(right) and all(map(self._equal, left, right))
        if isinstance(left, dict) and isinstance(right, dict):
            return left.keys() == right.keys() and all(self._equal(value, right[name]) for name, value in left.items())
        return _rank(left) == _rank(right) and left == right

    def _of_list(self, node: Any, value: object) -> Any:  # noqa: ANN401
        """The same part of the expression over the items that its first child leads to."""
        first, *others = node["children"]
        items = _listed(self.visit(first, value))
        return {**node, "children": [{"type": "literal", "value": items, "children": []}, *others]}

    def _spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise NotEvaluated("it takes too many steps")


def _listed(value: object) -> object:
    """What is no list, as a list of it; nothing stays nothing."""
    return value if value is None or isinstance(value, list) else [value]


def _is_number(value: object) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _steps_through(value: object) -> int:
    """How many steps it takes to go through a list, an object or a text once."""
    if isinstance(value, list | dict):
        return len(value)
    return len(value) // _CHARACTERS_A_STEP if isinstance(value, str) else 0


def _is_scalar(value: object) -> bool:
    return isinstance(value, str | int | Decimal)


def _rank(value: object) -> str:
    """The type of a value, as far as values of different ones are never equal."""
    return _type_name("number" if _is_number(value) else type(value).__name__)


def _type_name(name: str) -> str:
    """A type's name in words, from Python's name for it or from the library's."""
    return _TYPE_NAMES.get(name, f"a {name}")
