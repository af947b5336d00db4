"""Certificates and private keys in files: how long they are good for, and who may read them."""

from __future__ import annotations

import datetime as dt
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cryptography.x509 import load_pem_x509_certificates

from gateway.cli.doctor.finding import Finding, fault, good, warning

SOON: Final = dt.timedelta(days=30)
"""How long before something ends it is told."""


def certificates(subject: str, path: Path, now: dt.datetime) -> Finding:
    """How long all the certificates of a PEM file are good for. Blocks."""
    try:
        found = load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        return fault(subject, f"{path} cannot be read: {error.strerror}", "name a PEM file that the gateway may read")
    except ValueError:
        return fault(subject, f"{path} holds no certificate", "name a PEM file of certificates")
    ends = min(one.not_valid_after_utc for one in found)
    if max(one.not_valid_before_utc for one in found) > now:
        return fault(subject, f"{path} is not valid yet", "check the clock of this machine, and the file")
    if ends <= now:
        return fault(subject, f"{path} has expired, {_day(ends)}", "replace it: new files count without a restart")
    if ends <= now + SOON:
        return warning(subject, f"{path} expires {_day(ends)}", "replace it: new files count without a restart")
    return good(subject, f"{path} is good until {_day(ends)}")


def readable_by_others(subject: str, path: Path) -> Iterator[Finding]:
    """Whether others may read a file that holds a secret than whoever needs to: its owner, or where it is somebody
    else's than who asks, its group. Blocks.
    """
    try:
        found = path.stat()
    except OSError:
        return  # whoever reads it says so
    is_ours = found.st_uid == os.geteuid() != 0
    if found.st_mode & (stat.S_IROTH | (stat.S_IRGRP if is_ours else 0)):
        mode = "600" if is_ours else "o-rwx"
        yield warning(subject, f"{path} can be read by others than need to", f"chmod {mode} {path}")


def _day(moment: dt.datetime) -> str:
    return moment.date().isoformat()
