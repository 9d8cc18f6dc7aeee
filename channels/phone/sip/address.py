"""name-addr and addr-spec with header parameters: From, To, Contact, Route (RFC 3261, sections 20.10 and 25.1)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from channels.phone.errors import MalformedMessage
from channels.phone.sip.grammar import (
    Params,
    is_quoted,
    param,
    parse_params,
    quote,
    split_outside,
    unquote,
    write_params,
)
from channels.phone.sip.uri import REMEMBERED_LENGTH, Uri, parse_port

_USUAL = re.compile(
    r"<(sips?):([A-Za-z0-9\-_.!~*'()+]+)@([A-Za-z0-9][A-Za-z0-9.\-]{0,252}[A-Za-z0-9])(?::([0-9]{1,5}))?>"
    r"(?:;tag=([A-Za-z0-9\-.!%*_+`'~]+))?"
)
"""Neither a display name nor parameters but the tag."""
_LEADING_QUOTED = re.compile(r'\s*"(?:[^"\\\r\n]|\\[^\r\n])*"')
# Words of an unquoted display name; bytes above ASCII are let through, for trunks that send GBK unquoted.
_WORDS = re.compile(r"(?:[A-Za-z0-9\-.!%*_+`'~\u0080-\U0010ffff]|[ \t])*")


class NameAddress(NamedTuple):
    """A display name (decoded, may be empty), a URI and the header's own parameters."""

    uri: Uri
    display: str = ""
    params: Params = ()

    @classmethod
    def parse(cls, text: str, where: str) -> NameAddress:
        """Read one value; raises `MalformedMessage`."""
        return _remembered(text, where) if len(text) <= REMEMBERED_LENGTH else cls.read(text, where)

    @classmethod
    def read(cls, text: str, where: str) -> NameAddress:
        """As `parse`, without the memory of what was read before."""
        if usual := _USUAL.fullmatch(text):
            scheme, user, host, port, tag = usual.groups()
            uri = Uri(scheme, host, user, port=parse_port(port, where))
            return cls(uri, params=() if tag is None else (("tag", tag),))
        text = text.strip()
        quoted = _LEADING_QUOTED.match(text)
        if text.startswith('"') and quoted is None:
            raise MalformedMessage(where, "a quoted string is not closed")
        bracket = text.find("<", quoted.end() if quoted else 0)
        if bracket < 0:
            return cls._parse_bare(text, where)
        display = text[:bracket].strip()
        if not is_quoted(display) and _WORDS.fullmatch(display) is None:
            raise MalformedMessage(where, "the display name needs quotes")
        close = text.find(">", bracket)
        if close < 0:
            raise MalformedMessage(where, "the URI's bracket is not closed")
        return cls(
            uri=Uri.read(text[bracket + 1 : close], where),
            display=read_text(unquote(display)),
            params=parse_params(text[close + 1 :], where),
        )

    @classmethod
    def _parse_bare(cls, text: str, where: str) -> NameAddress:
        # Section 20: without brackets, what follows a semicolon belongs to the header, and a URI that holds a
        # comma or question mark is an error (RFC 4475, section 3.1.2.13).
        uri, semicolon, rest = text.partition(";")
        if "," in uri or "?" in uri:
            raise MalformedMessage(where, "the URI needs brackets")
        return cls(uri=Uri.read(uri.strip(), where), params=parse_params(semicolon + rest, where))

    @classmethod
    def parse_list(cls, text: str, where: str) -> tuple[NameAddress, ...]:
        """Read a comma-separated header value."""
        return tuple(cls.parse(part, where) for part in split_outside(text, ",", where))

    @property
    def tag(self) -> str | None:
        """The tag parameter."""
        return param(self.params, "tag") or None

    def with_tag(self, tag: str) -> NameAddress:
        """The same address with this tag."""
        others = tuple(pair for pair in self.params if pair[0] != "tag")
        return NameAddress(self.uri, self.display, (*others, ("tag", tag)))

    def __str__(self) -> str:
        name = f"{quote(self.display)} " if self.display else ""
        return f"{name}<{self.uri}>{write_params(self.params)}"


@lru_cache(maxsize=1024)
def _remembered(text: str, where: str) -> NameAddress:
    """All messages of a dialog name the same two people: each is read once."""
    return NameAddress.read(text, where)


def read_text(text: str) -> str:
    """A display name for people: UTF-8 if it is that, else GB 18030, which trunks at home still send."""
    raw = text.encode("utf-8", "surrogateescape")
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("utf-8", "replace")
