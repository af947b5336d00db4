"""Operations that the operator trusts (persisted documents): told from others, and found by their ids.

Whatever is found here goes the way of every other text: it is authorised anew in each request.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import orjson
import structlog
from graphql import GraphQLError

from gateway.errors import SettingsInvalidError
from gateway.followed import Followed
from gateway.messages import Received
from gateway.settings import DocumentMode, DocumentSettings
from gateway.stages.refusals import DocumentIdRequired, DocumentNotTrusted, DocumentUnknown

_log = structlog.stdlib.get_logger(__name__)


class Listed(msgspec.Struct, frozen=True):
    """The operations of the list: their texts by id, and all texts."""

    by_id: Mapping[str, str]
    texts: frozenset[str]


def read_documents(path: Path) -> Listed:
    """The list in a file: an object of texts by their SHA-256, or Apollo's manifest of operations. Raises
    `SettingsInvalidError`, also where an id is not the SHA-256 of its text.
    """
    try:
        content = orjson.loads(path.read_bytes())
    except OSError as error:
        raise SettingsInvalidError(f"{path}: the operations cannot be read: {error.strerror}") from error
    except ValueError:
        raise SettingsInvalidError(f"{path}: the operations are not JSON") from None
    by_id = _by_id(content)
    if by_id is None:
        raise SettingsInvalidError(f"{path}: neither an object of texts by their SHA-256, nor a manifest of operations")
    for id_, text in by_id.items():
        if sha256(text.encode()).hexdigest() != id_:
            raise SettingsInvalidError(f"{path}: the id {id_[:64]!r} is not the SHA-256 of its text")
    return Listed(by_id, frozenset(by_id.values()))


class TrustedDocuments:
    """The operator's list of operations, and what each organisation may run beside them."""

    def __init__(self, settings: DocumentSettings) -> None:
        """Raises `SettingsInvalidError` where the list cannot be used."""
        self.file = Followed(settings.file, read_documents) if settings.file else None
        self._mode = settings.mode
        self._modes = settings.organisations

    def text(self, received: Received) -> str:
        """The text of the request's operation. Raises `DocumentUnknown`, `DocumentNotTrusted`, `DocumentIdRequired`."""
        if received.document is not None:
            return self._found(received.document)
        mode = self._mode_of(received)
        if mode == "id":
            message = "Send the id of an operation (documentId), not its text: its list is all that you may run."
            raise DocumentIdRequired(GraphQLError(message))
        if mode == "off" or self._is_listed(received.query):
            return received.query
        if mode == "enforce":
            raise DocumentNotTrusted(GraphQLError("This operation is not on the list of those that you may run."))
        digest = sha256(received.query.encode()).hexdigest()
        _log.warning("operation not listed", organisation=received.principal.organisation, operation=digest)
        return received.query

    def notices(self, received: Received) -> Mapping[str, Any]:
        """What the response's extensions tell of an operation that is not on the list, where they are to."""
        if received.document is not None or self._mode_of(received) != "warn" or self._is_listed(received.query):
            return {}
        message = "This operation is not on the list of those that you may run; it will be refused one day."
        return {"warnings": [{"code": DocumentNotTrusted.code, "message": message}]}

    def _mode_of(self, received: Received) -> DocumentMode:
        return self._modes.get(received.principal.organisation, self._mode)

    def _is_listed(self, text: str) -> bool:
        return self.file is not None and text in self.file.current.texts

    def _found(self, id_: str) -> str:
        text = self.file.current.by_id.get(id_) if self.file else None
        if text is None:
            raise DocumentUnknown(GraphQLError("There is no operation of this id here. Ask the operator to list it."))
        return text


def _by_id(content: object) -> dict[str, str] | None:
    """The texts by id; None where the content is of neither form."""
    if isinstance(content, dict) and isinstance(content.get("operations"), list):
        operations = content["operations"]
        if not all(isinstance(one, dict) for one in operations):
            return None
        pairs = [(one.get("id"), one.get("body")) for one in operations]
    elif isinstance(content, dict):
        pairs = list(content.items())
    else:
        return None
    if not all(isinstance(id_, str) and isinstance(text, str) for id_, text in pairs):
        return None
    return dict(pairs)
