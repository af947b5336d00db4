"""What comes back in a SOAP envelope: the answer, or a fault."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from connectors.paths import MISSING, follow
from connectors.soap_references import join_references

_THEIRS: Final = frozenset({"Server", "Receiver"})
_STANDARD: Final = frozenset({"VersionMismatch", "MustUnderstand", "Client", "Sender", "DataEncodingUnknown"}) | _THEIRS
"""The codes that SOAP 1.1 (section 4.4.1) and SOAP 1.2 (part 1, section 5.4.6) have: no agency's own words."""


class NoEnvelope(ValueError):
    """XML that is no SOAP answer. The message holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault, of either version of SOAP, as a document: paths begin at its elements."""

    document: object

    def codes(self, path: str | None) -> frozenset[str]:
        """Everything by which an agency may tell its faults apart: codes and subcodes without their namespaces, the
        names of the elements in its detail, and what is at `path`.
        """
        own = follow(self.document, path) if path else MISSING
        return frozenset([*self._codes(), *_names(_either(self.document, "detail", "Detail")), _text(own)]) - {""}

    @property
    def standard(self) -> str:
        """The code that SOAP itself has; empty where an agency has put another in its place."""
        return next((code for code in map(_first, self._codes()) if code in _STANDARD), "")

    @property
    def theirs(self) -> bool:
        """Whether the fault is the agency's, so that asking later may help."""
        return self.standard in _THEIRS

    def _codes(self) -> Iterator[str]:
        code = _either(self.document, "faultcode", "Code")
        while isinstance(code, Mapping) and "Value" in code:
            yield _local(_text(code["Value"]))
            code = code.get("Subcode")
        yield _local(_text(code))


async def open_envelope(document: object, answer: str | None) -> dict[str, Any] | Fault:
    """What is in the body of an envelope that was read as XML: the fault, or the first element's value.

    A value that is a text is an object with that `#text`. Raises `NoEnvelope`, also for an element that is not called
    `answer`: an error of the agency's own, without the rows of an answer, would pass for one that has none. Raises
    `XmlRefused` for references that cannot be followed.
    """
    body = follow(document, "Envelope.Body")
    if not isinstance(body, dict):
        raise NoEnvelope("no envelope with a body that has elements")
    names = [name for name in body if not name.startswith(("@", "#"))]
    if not names:
        raise NoEnvelope("the envelope's body is empty")
    if "Fault" in names:
        return Fault(body["Fault"])
    if answer not in {None, names[0]}:
        raise NoEnvelope("its body has another element than the WSDL's answer (response.element names it)")
    first, *beside = [element for name in names for element in _listed(body[name])]
    if not isinstance(first, dict):
        return {"#text": first or ""}
    return await join_references(first, beside)


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _either(document: object, name: str, other: str) -> object:
    found = follow(document, name)
    return follow(document, other) if found is MISSING else found


def _names(detail: object) -> Iterator[str]:
    return (name for name in detail if name[0] not in "@#") if isinstance(detail, Mapping) else iter(())


def _text(value: object) -> str:
    text = value.get("#text") if isinstance(value, Mapping) else value
    return text.strip() if isinstance(text, str) else ""


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _first(code: str) -> str:
    """The standard part of a code of SOAP 1.1, to which an agency may append its own: Client.Authentication."""
    return code.partition(".")[0]
