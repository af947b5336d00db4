"""A real MariaDB, on the loopback: Debian's program, with a data folder of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path
from time import monotonic, sleep

_PATIENCE = 60
_USER = "nobody"


def why_not() -> str:
    """Why there can be no MariaDB here; empty where there can."""
    missing = [name for name in ("mariadbd", "mariadb-install-db", "my_print_defaults") if _program(name) is None]
    if missing:
        return f"no MariaDB here: {', '.join(missing)} not installed (Debian: mariadb-server-core mariadb-client-core)"
    return ""


class MariadbServer:
    """Not run as root: it becomes `nobody` where the tests are."""

    def __init__(self, directory: Path) -> None:
        self._data = directory / "data"
        self._data.mkdir()
        if os.getuid() == 0:
            directory.chmod(0o755)
            shutil.chown(self._data, _USER)
        self._socket = self._data / "s"
        install = [_program("mariadb-install-db"), "--no-defaults", *self._as_user(), f"--datadir={self._data}"]
        subprocess.run(
            [*install, "--skip-test-db", "--auth-root-authentication-method=normal"], check=True, capture_output=True
        )
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._process = subprocess.Popen(
            [
                *(_program("mariadbd"), "--no-defaults", *self._as_user(), f"--datadir={self._data}"),
                *(f"--socket={self._socket}", f"--port={self.port}", "--bind-address=127.0.0.1"),
                *("--skip-name-resolve", "--innodb-buffer-pool-size=32M", f"--log-error={self._data / 'log'}"),
                f"--pid-file={self._data / 'pid'}",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait()

    @property
    def address(self) -> str:
        return f"mysql://root@127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(_PATIENCE)

    def _wait(self) -> None:
        until = monotonic() + _PATIENCE
        while monotonic() < until and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
            except OSError:
                sleep(0.05)
            else:
                return
        raise RuntimeError((self._data / "log").read_text()[-2000:])

    def _as_user(self) -> list[str]:
        return [f"--user={_USER}"] if os.getuid() == 0 else []


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
