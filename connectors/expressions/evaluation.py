"""Expressions as they are evaluated: in not more than so many steps for each value."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from jmespath.exceptions import JMESPathTypeError
from jmespath.visitor import Options, TreeInterpreter

from connectors.contract import RawRow
from connectors.expressions.functions import ExactFunctions
from connectors.expressions.parsing import Tree
from connectors.expressions.values import NotEvaluated, is_number, is_scalar, listed, rank, steps_through, type_name

MOST_STEPS: Final = 20_000
"""Steps (a part of the expression applied to a value, an item of a list that is made) that one value may take: some
20 ms.
"""


class Interpreter(TreeInterpreter):
    """Evaluates one expression, in not more than `MOST_STEPS` for each value."""

    def __init__(self, tree: Tree) -> None:
        super().__init__(Options(custom_functions=ExactFunctions(self._spend)))
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
            raise NotEvaluated(f"{error.function_name}() does not take {type_name(error.actual_type)}") from None
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
        return super().visit_index(node, listed(value))

    def visit_slice(self, node: Any, value: Any) -> Any:  # noqa: ANN401
        """The items from a position to another."""
        items = super().visit_slice(node, listed(value))
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
        if is_scalar(left) and is_scalar(right) and rank(left) != rank(right):
            raise NotEvaluated(f"{rank(left)} is compared with {rank(right)}")
        if node["value"] in {"eq", "ne"}:
            return self._equal(left, right) is (node["value"] == "eq")
        self._spend(min(steps_through(left), steps_through(right)) if isinstance(left, str) else 0)
        ordered = all(isinstance(one, str) or is_number(one) for one in (left, right))
        return bool(self.COMPARATOR_FUNC[node["value"]](left, right)) if ordered else None

    def _equal(self, left: object, right: object) -> bool:
        """Whether two values are the same all through: parts that both have several times count as often."""
        self._spend(1)
        if isinstance(left, list) and isinstance(right, list):
            return len(left) == len(right) and all(map(self._equal, left, right))
        if isinstance(left, dict) and isinstance(right, dict):
            return left.keys() == right.keys() and all(self._equal(value, right[name]) for name, value in left.items())
        return rank(left) == rank(right) and left == right

    def _of_list(self, node: Any, value: object) -> Any:  # noqa: ANN401
        """The same part of the expression over the items that its first child leads to."""
        first, *others = node["children"]
        items = listed(self.visit(first, value))
        return {**node, "children": [{"type": "literal", "value": items, "children": []}, *others]}

    def _spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise NotEvaluated("it takes too many steps")
