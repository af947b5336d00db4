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

from connectors.expressions.expression import Expression, compile_expression, why_not
from connectors.expressions.parsing import DEEPEST, LONGEST, ExpressionError
from connectors.expressions.values import NotEvaluated

__all__ = ["DEEPEST", "LONGEST", "Expression", "ExpressionError", "NotEvaluated", "compile_expression", "why_not"]
