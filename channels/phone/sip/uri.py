"""URIs: SIP (RFC 3261, section 19.1), tel (RFC 3966) and, opaque, every other scheme.

An unknown scheme must parse, since it is answered 416 and not 400 (RFC 4475, section 3.3.2).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from channels.phone.errors import MalformedMessage
from channels.phone.sip.grammar import Params, param, write_params

DEFAULT_PORT = 5060
REMEMBERED_LENGTH = 256
"""So that what strangers send takes a quarter of a megabyte at most."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_OPAQUE = re.compile(r"[^\s<>\"\x00-\x20\x7f]+")
_ESCAPED = r"%[0-9A-Fa-f]{2}"
_USER = re.compile(rf"(?:[A-Za-z0-9\-_.!~*'()&=+$,;?/]|{_ESCAPED})+")
_PASSWORD = re.compile(rf"(?:[A-Za-z0-9\-_.!~*'()&=+$,]|{_ESCAPED})*")
# Three colons in an IPv6 reference are tolerated (RFC 5118, section 4.10: a mistake of RFC 3261's own grammar).
HOST = r"\[[0-9A-Fa-f:.]{2,64}\]|[A-Za-z0-9](?:[A-Za-z0-9_\-.]{0,252}[A-Za-z0-9.])?"
_HOST_PORT = re.compile(rf"({HOST})(?::([0-9]{{1,6}}))?")
_PARAM = re.compile(
    rf";((?:[A-Za-z0-9\-_.!~*'()\[\]/:&+$]|{_ESCAPED})+)(?:=((?:[A-Za-z0-9\-_.!~*'()\[\]/:&+$]|{_ESCAPED})+))?"
)
_HEADERS = re.compile(rf"\?(?:[A-Za-z0-9\-_.!~*'()\[\]/?:+$&=]|{_ESCAPED})+")


class Uri(NamedTuple):
    """A URI. `host` keeps the brackets of an IPv6 reference off; `user` and parameters keep their escapes.

    For schemes other than sip and sips, `opaque` holds everything behind the colon and `host` is empty.
    """

    scheme: str
    host: str = ""
    user: str | None = None
    password: str | None = None
    port: int | None = None
    params: Params = ()
    headers: str = ""
    opaque: str = ""

    @classmethod
    def parse(cls, text: str, where: str = "URI") -> Uri:
        """Read one URI that is the whole text; raises `MalformedMessage`."""
        return _remembered(text, where) if len(text) <= REMEMBERED_LENGTH else cls.read(text, where)

    @classmethod
    def read(cls, text: str, where: str) -> Uri:
        """As `parse`, without the memory of what was read before."""
        scheme_match = _SCHEME.match(text)
        if scheme_match is None:
            raise MalformedMessage(where, "no scheme")
        scheme, rest = scheme_match[1].lower(), text[scheme_match.end() :]
        if scheme not in {"sip", "sips"}:
            if _OPAQUE.fullmatch(rest) is None:
                raise MalformedMessage(where, "space, control character or bracket within a URI")
            return cls(scheme, opaque=rest)
        return cls._parse_sip(scheme, rest, where)

    @classmethod
    def _parse_sip(cls, scheme: str, rest: str, where: str) -> Uri:
        userinfo, at, location = rest.rpartition("@")
        user: str | None = None
        password: str | None = None
        if at:
            user, colon, secret = userinfo.partition(":")
            password = secret if colon else None
            if _USER.fullmatch(user) is None or (password is not None and not _PASSWORD.fullmatch(password)):
                raise MalformedMessage(where, "a character that may not stand in a user part")
        place = _HOST_PORT.match(location)
        if place is None:
            raise MalformedMessage(where, "no host")
        position = place.end()
        params: list[tuple[str, str | None]] = []
        while found := _PARAM.match(location, position):
            params.append((found[1].lower(), found[2]))
            position = found.end()
        headers = ""
        if tail := _HEADERS.match(location, position):
            headers, position = tail[0][1:], tail.end()
        if position != len(location):
            raise MalformedMessage(where, "a character that may not stand behind the host")
        return cls(
            scheme=scheme,
            host=place[1].strip("[]"),
            user=user,
            password=password,
            port=parse_port(place[2], where),
            params=tuple(params),
            headers=headers,
        )

    @property
    def transport(self) -> str | None:
        """The transport parameter in lower case: `transport=UDP` in a Contact is the same as `udp`."""
        value = param(self.params, "transport")
        return value.lower() if value else None

    @property
    def effective_port(self) -> int:
        """The port, or the default one."""
        return self.port or DEFAULT_PORT

    @property
    def number(self) -> str | None:
        """The user part with its escapes undone, without user parameters: what was dialled or who calls."""
        if self.scheme == "tel":
            return self.opaque.partition(";")[0]
        if self.user is None:
            return None
        return unescape(self.user).partition(";")[0]

    @property
    def aor(self) -> str:
        """The canonical address of record: escapes undone (section 10.3, step 5), host in lower case, no parameters."""
        user = "" if self.user is None else f"{unescape(self.user)}@"
        return f"{self.scheme}:{user}{self.host.lower()}"

    def bare(self) -> Uri:
        """The URI without parameters, headers and password: fit for From and To."""
        return Uri(self.scheme, self.host, self.user, None, self.port, (), "", self.opaque)

    def __str__(self) -> str:
        if self.scheme not in {"sip", "sips"}:
            return f"{self.scheme}:{self.opaque}"
        secret = "" if self.password is None else f":{self.password}"
        user = "" if self.user is None else f"{self.user}{secret}@"
        headers = f"?{self.headers}" if self.headers else ""
        return f"{self.scheme}:{user}{write_host(self.host, self.port)}{write_params(self.params)}{headers}"


@lru_cache(maxsize=1024)
def _remembered(text: str, where: str) -> Uri:
    """A hotline is called at few addresses, and its telephones are at few."""
    return Uri.read(text, where)


def parse_port(text: str | None, where: str) -> int | None:
    """A port between 1 and 65535; one that no socket has (`Via: …:99999`) is refused, not stumbled over later."""
    if text is None:
        return None
    port = int(text)
    if not 1 <= port <= 65535:
        raise MalformedMessage(where, "no such port")
    return port


def write_host(host: str, port: int | None = None) -> str:
    """Host and port as they stand in a URI or a Via: IPv6 in brackets."""
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"


def unescape(text: str) -> str:
    """Undo %-escapes; %00 is a character like any other and ends nothing (RFC 4475, section 3.1.1.4)."""
    if "%" not in text:
        return text
    return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
