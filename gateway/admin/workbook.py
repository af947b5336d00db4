"""A policy as a workbook, out of the desk and back."""

from __future__ import annotations

import base64
import binascii
import datetime as dt

from gateway.admin.desk import Desk, Reference
from gateway.errors import WorkbookUnreadableError
from policies.load import PolicyFiles
from policies.spreadsheet import from_workbook, to_workbook
from policies.store.model import authored, loadable


async def workbook_of(desk: Desk, reference: Reference) -> str:
    """The policy's workbook (xlsx) in Base64."""
    files = loadable(await desk.files(reference), dt.datetime.now(dt.UTC))
    return base64.b64encode(await desk.process.run(to_workbook, files, desk.catalogue, desk.cells)).decode()


async def workbook_files(desk: Desk, content: str, base: Reference) -> PolicyFiles:
    """The policy's files with the rules of the workbook (xlsx in Base64) that was exported from `base`.

    Raises `PolicyInvalid`, whose findings name sheet and cell, and `WorkbookUnreadableError`.
    """
    try:
        workbook = base64.b64decode(content, validate=True)
    except binascii.Error:
        raise WorkbookUnreadableError("The workbook is not in Base64; send the whole file so encoded.") from None
    files = await desk.files(base)
    return authored(await desk.process.run(from_workbook, workbook, files, desk.catalogue, desk.cells))
