from __future__ import annotations

import inspect

from gateway import errors
from gateway.errors import GatewayError, HttpError

CLASSES = [value for _, value in inspect.getmembers(errors, inspect.isclass) if issubclass(value, GatewayError)]


def test_every_error_has_a_code_of_its_own_that_clients_may_rely_on() -> None:
    codes = [error.code for error in CLASSES]
    assert len(codes) == len(set(codes)) > 20
    assert all(code == code.upper() for code in codes)


def test_every_refusal_has_an_http_error_status() -> None:
    refusals = [error for error in CLASSES if issubclass(error, HttpError) and error is not HttpError]
    assert {error.__name__ for error in refusals if not 400 <= error.status < 600} == set()
