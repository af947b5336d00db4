"""References of SOAP's encoding: elements that stand beside the answer, and are part of it where it refers to them.

Old toolkits write every object so (SOAP 1.1, section 5.4.1: `href="#id1"`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from connectors.turns import Turn
from connectors.xml_body import DEEPEST, XmlRefused

LARGEST: Final = 1_000_000
"""Values in an answer, each counted as often as it is referred to: a few elements could stand for any number."""


async def join_references(answer: dict[str, Any], beside: Iterable[object]) -> dict[str, Any]:
    """The answer with the elements beside it in the places where it refers to them.

    Others have their turn on the event loop. Raises `XmlRefused` for references that go in circles, too deep, or add up
    to too much.
    """
    elements = {f"#{element['@id']}": element for element in beside if isinstance(element, dict) and "@id" in element}
    if not elements:
        return answer
    turn = Turn()
    references = _References(elements)
    for reference in elements:
        references.follow(reference, 0)
        if turn.is_over():
            await turn.pass_on()
    joined: dict[str, Any] = references.join(answer, 0).value
    return joined


class _Joined(NamedTuple):
    """A value without references, how many values it consists of, and how deep it is."""

    value: Any
    size: int = 1
    depth: int = 0


class _References:
    def __init__(self, elements: Mapping[str, dict[str, Any]]) -> None:
        self._elements = elements
        self._known: dict[str, _Joined] = {}

    def follow(self, reference: str, level: int) -> _Joined:
        """What the element is that is referred to. What refers to itself is found by its depth."""
        if reference not in self._known:
            element = {name: value for name, value in self._elements[reference].items() if name != "@id"}
            simple = not element or element.keys() == {"#text"}
            self._known[reference] = _Joined(element.get("#text", "")) if simple else self.join(element, level)
        return self._known[reference]

    def join(self, value: Any, level: int) -> _Joined:  # noqa: ANN401
        if level > DEEPEST:
            raise XmlRefused("its references are too deep")
        if isinstance(value, dict):
            if value.keys() == {"@href"} and value["@href"] in self._elements:
                return self.follow(value["@href"], level + 1)
            parts = {name: self.join(inner, level + 1) for name, inner in value.items()}
            return _sum({name: part.value for name, part in parts.items()}, parts.values())
        if isinstance(value, list):
            items = [self.join(inner, level) for inner in value]
            return _sum([item.value for item in items], items)
        return _Joined(value)


def _sum(value: object, parts: Iterable[_Joined]) -> _Joined:
    size, depth = 1, 0
    for part in parts:
        size, depth = size + part.size, max(depth, part.depth + 1)
    if size > LARGEST or depth > DEEPEST:
        raise XmlRefused("its references add up to too much")
    return _Joined(value, size, depth)
