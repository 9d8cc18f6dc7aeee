"""Octets of CMPP and SMPP: whole numbers in network order, texts filled up or ended with NUL. Pure."""

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

    def ended_text(self, most: int) -> str:
        """A text that its NUL ends, of at most `most` octets with it."""
        end = self._octets.find(b"\0", self._at, self._at + most)
        if end < 0:
            raise Malformed("a text without an end")
        octets = self.raw(end + 1 - self._at)
        return octets[:-1].decode("ascii", "replace")

    @property
    def is_at_end(self) -> bool:
        """Nothing is left."""
        return self._at >= len(self._octets)


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


def ended_text(value: str, most: int) -> bytes:
    """A text and its NUL, of at most `most` octets together. Raises `Malformed`."""
    octets = value.encode("ascii", "replace")
    if len(octets) >= most or b"\0" in octets:
        raise Malformed("a text too long for its field")
    return octets + b"\0"
