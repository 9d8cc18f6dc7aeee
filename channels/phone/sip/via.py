"""Via (RFC 3261, section 20.42) with rport and received (RFC 3581)."""

from __future__ import annotations

import re
from typing import NamedTuple

from channels.phone.errors import MalformedMessage
from channels.phone.sip.grammar import Params, param, parse_params, split_outside, write_params
from channels.phone.sip.uri import DEFAULT_PORT, HOST, parse_port, write_host

MAGIC_COOKIE = "z9hG4bK"

_WORD = r"[A-Za-z0-9\-.!%*_+`'~]+"
_VIA = re.compile(
    rf"({_WORD})\s*/\s*({_WORD})\s*/\s*({_WORD})\s+({HOST})(?:\s*:\s*([0-9]{{1,6}}))?\s*(;.*)?", re.DOTALL
)


class Via(NamedTuple):
    """One hop. `transport` is in upper case; `host` has no IPv6 brackets."""

    transport: str
    host: str
    port: int | None = None
    params: Params = ()

    @classmethod
    def parse(cls, text: str) -> Via:
        """Read one value; raises `MalformedMessage`."""
        match = _VIA.fullmatch(text.strip())
        if match is None:
            raise MalformedMessage("Via", "not a sent-protocol and a sent-by")
        name, version, transport, host, port, params = match.groups()
        if name.upper() != "SIP" or version != "2.0":
            raise MalformedMessage("Via", "another protocol")
        return cls(
            transport=transport.upper(),
            host=host.strip("[]"),
            port=parse_port(port, "Via"),
            params=parse_params(params or "", "Via"),
        )

    @classmethod
    def parse_list(cls, text: str) -> tuple[Via, ...]:
        """Read a comma-separated header value."""
        return tuple(map(cls.parse, split_outside(text, ",", "Via"))) if "," in text else (cls.parse(text),)

    @property
    def branch(self) -> str | None:
        """The branch parameter."""
        return param(self.params, "branch") or None

    @property
    def is_unique(self) -> bool:
        """Whether the branch names one transaction: the bare cookie does not (RFC 4475, section 3.2.1)."""
        branch = self.branch or ""
        return branch.startswith(MAGIC_COOKIE) and len(branch) > len(MAGIC_COOKIE)

    @property
    def sent_by(self) -> str:
        """Host and port as one comparable value."""
        return write_host(self.host.lower(), self.port or DEFAULT_PORT)

    def as_received(self, address: tuple[str, int]) -> Via:
        """The value as the receiver notes it: `received` always (RFC 3581, section 4), `rport` when asked for."""
        host, port = address
        kept = tuple(pair for pair in self.params if pair[0] not in {"received", "rport"})
        asked = (("rport", str(port)),) if param(self.params, "rport") is not None else ()
        return Via(self.transport, self.host, self.port, (*kept, ("received", host), *asked))

    def reply_address(self, source: tuple[str, int]) -> tuple[str, int]:
        """Where a response goes over UDP (RFC 3261, section 18.2.2; RFC 3581, section 4).

        A sender that names its own address truthfully and asks for no `rport` gets the answer at the port that it
        names. Any other (behind a translator, or with a name we do not resolve) gets it where it sent from.
        """
        if param(self.params, "rport") is None and self.host == source[0]:
            return (source[0], self.port or DEFAULT_PORT)
        return source

    def __str__(self) -> str:
        return f"SIP/2.0/{self.transport} {write_host(self.host, self.port)}{write_params(self.params)}"
