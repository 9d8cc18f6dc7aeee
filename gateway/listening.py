"""Where the house listens, and what it says where it cannot."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from session.errors import YihaoError


@dataclass(frozen=True, slots=True)
class Address:
    """Where something listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class CannotListen(YihaoError):
    """The address of `[section]` is not ours, or another program's."""

    def __init__(self, section: str, address: Address, why: str) -> None:
        self.section, self.address, self.why = section, address, why
        super().__init__(f"cannot listen on {address}: {why}; stop what uses it, or set {section}.host, {section}.port")


@contextmanager
def listening(section: str, host: str, port: int) -> Iterator[None]:
    """For the moment of opening. Raises `CannotListen`."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES):
            raise
        raise CannotListen(section, Address(host, port), os.strerror(error.errno)) from error
