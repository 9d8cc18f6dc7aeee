"""Octets of CMPP: whole numbers in network order, texts of fixed length filled up with NUL. Pure."""

from __future__ import annotations

from channels.sms.errors import Malformed


class Reader:
    """Reads fields one after the other. Raises `Malformed` where they end too early."""

    def __init__(self, octets: bytes) -> None:
        self._octets, self._at = octets, 0

    def raw(self, size: int) -> bytes:
        """The next octets."""
        taken = self._octets[self._at : self._at + size]
        if len(taken) < size:
            raise Malformed("a frame that ends within a field")
        self._at += size
        return taken

    def number(self, size: int) -> int:
        """An unsigned number."""
        return int.from_bytes(self.raw(size), "big")

    def text(self, size: int) -> str:
        """A text up to its first NUL. Other gateways fill up with blanks."""
        return self.raw(size).partition(b"\0")[0].decode("ascii", "replace").strip()


def number(value: int, size: int) -> bytes:
    """An unsigned number. Raises `Malformed`."""
    try:
        return value.to_bytes(size, "big")
    except OverflowError:
        raise Malformed("a number too large for its field") from None


def text(value: str, size: int) -> bytes:
    """A text, filled up. Raises `Malformed`."""
    octets = value.encode("ascii", "replace")
    if len(octets) > size:
        raise Malformed("a text too long for its field")
    return octets.ljust(size, b"\0")
