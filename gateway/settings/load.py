"""Reads the settings, and says what is wrong with them."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from tomllib import TOMLDecodeError

from pydantic import ValidationError
from pydantic_settings.exceptions import SettingsError

from gateway.errors import SettingsInvalidError
from gateway.settings.settings import FILE_VARIABLE, PREFIX, Settings


def load_settings() -> Settings:
    """The settings from the environment and the file that it names.

    Raises `SettingsInvalidError`: it names every variable at fault, one a line, and no value.
    """
    _check_file()
    _check_names()
    try:
        return Settings()
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False, include_context=False)
        raise SettingsInvalidError("\n".join(_fault(fault["loc"], fault["msg"]) for fault in faults)) from None
    except SettingsError as error:
        # The library's text names the field; only its cause, which is dropped here, quotes the value.
        raise SettingsInvalidError(f"{error}: a {PREFIX} variable with a list or a table holds JSON") from None
    except TOMLDecodeError as error:
        raise SettingsInvalidError(f"{os.environ[FILE_VARIABLE]}: {error}") from None


def _fault(location: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ")
    return f"{PREFIX}{'__'.join(str(part).upper() for part in location)}: {message}" if location else message


def _check_file() -> None:
    name = os.environ.get(FILE_VARIABLE)
    if name is not None and not Path(name).is_file():
        raise SettingsInvalidError(f"{FILE_VARIABLE}: there is no file {name}")


def _check_names() -> None:
    """Refuses a misspelt variable: ignored, XINQIAO_ANONYMUS=refuse would leave the gateway as open as it was."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {FILE_VARIABLE}
    for variable in sorted(os.environ):
        name = variable.upper().split("__", 1)[0]
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise SettingsInvalidError(f"{variable}: there is no such setting.{hint}")
