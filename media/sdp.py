"""Session descriptions (RFC 8866): reading any, writing ours. What is agreed on is `media.negotiation`'s matter."""

from __future__ import annotations

import functools
import ipaddress
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from media.errors import SdpInvalid
from media.keying import MAX_CRYPTO, Crypto, Page

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_SDP_BYTES = 16_384
_HIGHEST_PORT = 65_535
_MAX_MEDIA = 16
_MAX_FORMATS = 64

_USUAL = re.compile(r"v=0\no=[^\n]*\n(?P<before>(?:[^m\n][^\n]*\n)*)m=audio (?P<port>[0-9]{1,5})(?P<after> (?s:.*))")
"""What one device says differs from call to call by its o= line and its first port: the rest is read once."""
_USUAL_LETTERS = 2_048
_SECRET = re.compile("\na=(?:crypto|ice-)")
"""Is not remembered, and no two are alike."""

PROTOCOLS = ("RTP/AVP", "RTP/SAVP", "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF")
"""What carries audio that we can read: in the clear, under keys that are written beside it, under DTLS (RFC 5764)."""
DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")


class Format(NamedTuple):
    """One payload type and what it means: `PCMA/8000`."""

    payload_type: int
    encoding: str
    clock: int = 8000
    parameters: str = ""

    @property
    def is_event(self) -> bool:
        """Whether it carries digits (RFC 4733), at the clock of a codec that we speak."""
        return self.encoding == "TELEPHONE-EVENT" and self.clock in {8000, 48000}


STATIC_FORMATS = {
    0: Format(0, "PCMU"),
    3: Format(3, "GSM"),
    4: Format(4, "G723"),
    8: Format(8, "PCMA"),
    9: Format(9, "G722"),
    13: Format(13, "CN"),
    18: Format(18, "G729"),
}
"""RFC 3551, table 4, as far as telephones use it: an `a=rtpmap` may be left out for these."""


class Media(NamedTuple):
    """One m= line with what belongs to it. `address` is None where neither it nor the session names one."""

    kind: str
    port: int
    protocol: str
    payload_types: tuple[str, ...]
    formats: tuple[Format, ...]
    address: str | None
    direction: str
    rtcp_port: int | None
    rtcp_mux: bool
    crypto: tuple[Crypto, ...] = ()
    page: Page | None = None


class Description(NamedTuple):
    """A far end's description: its m= lines in their order."""

    media: tuple[Media, ...]


@dataclass(slots=True)
class _Section:
    """The lines below one m= (or the session's own), gathered before they are understood."""

    kind: str = ""
    port: int = 0
    protocol: str = ""
    payload_types: tuple[str, ...] = ()
    address: str | None = None
    direction: str | None = None
    rtcp_port: int | None = None
    rtcp_mux: bool = False
    crypto: list[Crypto] = field(default_factory=list)
    named: dict[str, str] = field(default_factory=dict)
    """`ice-ufrag` and the like, as they stand."""
    maps: dict[int, tuple[str, int]] = field(default_factory=dict)
    parameters: dict[int, str] = field(default_factory=dict)


def parse(octets: bytes) -> Description:
    """Read a description; unknown lines and attributes are passed over. Raises `SdpInvalid`."""
    if len(octets) > MAX_SDP_BYTES:
        raise SdpInvalid(f"a description of {len(octets)} octets, {MAX_SDP_BYTES} at most")
    text = octets.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    usual = _USUAL.fullmatch(text) if len(text) <= _USUAL_LETTERS and _SECRET.search(text) is None else None
    if usual is None or int(usual["port"]) > _HIGHEST_PORT:
        return _read(text)
    first, *others = _remembered(usual["before"], usual["after"]).media
    return Description((first._replace(port=int(usual["port"])), *others))


@functools.lru_cache(256)
def _remembered(before: str, after: str) -> Description:
    return _read(f"v=0\n{before}m=audio {_HIGHEST_PORT}{after}")


def _read(text: str) -> Description:
    lines = text.split("\n")
    session = _Section()
    sections: list[_Section] = []
    if lines[0].strip() != "v=0":
        raise SdpInvalid("it does not begin with v=0")
    for line in lines[1:]:
        key, _, value = line.partition("=")
        current = sections[-1] if sections else session
        match key:
            case "m":
                sections.append(_media_line(value))
            case "c":
                current.address = _connection(value)
            case "a":
                _attribute(current, value)
    if len(sections) > _MAX_MEDIA:
        raise SdpInvalid(f"{len(sections)} m= lines, {_MAX_MEDIA} at most")
    return Description(tuple(_understand(section, session) for section in sections))


def _number(text: str, limit: int, what: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= limit):
        raise SdpInvalid(f"{what} is no number up to {limit}")
    return int(text)


def _media_line(value: str) -> _Section:
    fields = value.split()
    if len(fields) < 4:
        raise SdpInvalid("an m= line with fewer than four fields")
    kind, port, protocol, *payload_types = fields
    if len(payload_types) > _MAX_FORMATS:
        raise SdpInvalid(f"an m= line with {len(payload_types)} formats, {_MAX_FORMATS} at most")
    number = _number(port.partition("/")[0], _HIGHEST_PORT, "a port in an m= line")
    return _Section(kind.lower(), number, protocol.upper(), tuple(payload_types))


def _connection(value: str) -> str:
    fields = value.split()
    if len(fields) != 3 or fields[0] != "IN" or fields[1] not in ("IP4", "IP6"):
        raise SdpInvalid("a c= line that is not IN IP4 or IN IP6 with an address")
    return _address(fields[1], fields[2])


@functools.lru_cache(256)
def _address(family: str, text: str) -> str:
    """As it is written everywhere. Remembered: trunks and sites have few, and to read one takes as long as the rest."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise SdpInvalid("a c= line without a numeric address") from None
    if address.is_multicast or address == ipaddress.IPv4Address("255.255.255.255"):
        raise SdpInvalid("a c= line with a group address")
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id:
        raise SdpInvalid("a c= line with a zone, which means nothing to another host")
    if f"IP{address.version}" != family:
        raise SdpInvalid("a c= line whose address is of the other family")
    return str(address)


def _attribute(section: _Section, value: str) -> None:
    name, _, argument = value.strip().partition(":")
    match name:
        case "rtpmap":
            _rtpmap(section, argument)
        case "fmtp":
            payload_type, _, parameters = argument.partition(" ")
            section.parameters[_number(payload_type, 127, "a payload type in a=fmtp")] = parameters[:255]
        case "rtcp":
            section.rtcp_port = _number(argument.split(" ")[0], _HIGHEST_PORT, "the port in a=rtcp")
        case "rtcp-mux":
            section.rtcp_mux = True
        case "crypto" if len(section.crypto) < MAX_CRYPTO:
            crypto = Crypto.parse(argument)
            section.crypto += [crypto] if crypto is not None else []
        case "ice-ufrag" | "ice-pwd" | "setup" | "mid":
            section.named[name] = argument.strip()
        case "fingerprint":
            section.named.setdefault(name, argument.strip().lower())
        case name if name in DIRECTIONS:
            section.direction = name


def _rtpmap(section: _Section, argument: str) -> None:
    """`<payload type> <encoding>/<clock>[/<channels>]`; another count of channels makes it another codec."""
    number, _, encoding = argument.partition(" ")
    name, _, rest = encoding.strip().partition("/")
    clock, _, channels = rest.partition("/")
    payload_type = _number(number, 127, "a payload type in a=rtpmap")
    if channels not in ("", "1"):
        name = f"{name}/{channels}"
    section.maps[payload_type] = (name.upper()[:32], _number(clock, 10_000_000, "a clock in a=rtpmap"))


def _understand(section: _Section, session: _Section) -> Media:
    return Media(
        kind=section.kind,
        port=section.port,
        protocol=section.protocol,
        payload_types=section.payload_types,
        formats=tuple(_formats(section)),
        address=section.address or session.address,
        direction=section.direction or session.direction or "sendrecv",
        rtcp_port=section.rtcp_port,
        rtcp_mux=section.rtcp_mux,
        crypto=tuple(section.crypto),
        page=_page({**session.named, **section.named}) if session.named or section.named else None,
    )


def _page(named: dict[str, str]) -> Page | None:
    said = (named.get(name, "") for name in ("ice-ufrag", "ice-pwd", "fingerprint", "setup", "mid"))
    return Page.said(*said)


def _formats(section: _Section) -> Iterable[Format]:
    if section.protocol not in PROTOCOLS:
        return
    for text in dict.fromkeys(section.payload_types):
        payload_type = _number(text, 127, "a payload type in an m= line")
        if payload_type in section.maps:
            encoding, clock = section.maps[payload_type]
            yield Format(payload_type, encoding, clock, section.parameters.get(payload_type, ""))
        elif payload_type in STATIC_FORMATS:
            yield STATIC_FORMATS[payload_type]


class Rejected(NamedTuple):
    """An m= line of the far end's that we do not take: given back with port 0 (RFC 3264, section 6)."""

    kind: str
    protocol: str
    payload_types: tuple[str, ...]


class Ours(NamedTuple):
    """The audio m= line that we stand behind."""

    port: int
    formats: tuple[Format, ...]
    direction: str = "sendrecv"
    rtcp_mux: bool = False
    protocol: str = "RTP/AVP"
    crypto: tuple[Crypto, ...] = ()
    page: Page | None = None


def ip_version(address: str) -> int:
    """The IP version of a numeric address."""
    return 6 if ":" in address else 4


def write(session_id: int, version: int, address: str, lines: Iterable[Ours | Rejected]) -> bytes:
    """Our description: nothing in it but what the far end needs."""
    lines = tuple(lines)
    where = f"IN IP{ip_version(address)} {address}"
    text = [
        "v=0",
        f"o=- {session_id} {version} {where}",
        "s=-",
        f"c={where}",
        "t=0 0",
    ]
    for page in (line.page for line in lines if isinstance(line, Ours) and line.page is not None):
        text += ["a=ice-lite", *([f"a=group:BUNDLE {page.mid}"] if page.mid else [])]
    for line in lines:
        text += _write_ours(line, address) if isinstance(line, Ours) else _write_rejected(line)
    return "\r\n".join([*text, ""]).encode()


def _write_rejected(line: Rejected) -> list[str]:
    return [f"m={line.kind} 0 {line.protocol} {' '.join(line.payload_types)}"]


_SPELT = {"TELEPHONE-EVENT": "telephone-event", "OPUS/2": "opus/2"}
_SAID = {
    "TELEPHONE-EVENT": "0-15",
    # A telephone's band, and what a lost packet held in the next one as well (RFC 7587, section 6.1).
    "OPUS/2": "maxplaybackrate=8000;sprop-maxcapturerate=8000;maxaveragebitrate=24000;useinbandfec=1",
}


def _write_ours(line: Ours, address: str) -> list[str]:
    numbers, meanings = _write_formats(line.formats)
    text = [f"m=audio {line.port} {line.protocol} {numbers}", *meanings, "a=ptime:20", f"a={line.direction}"]
    if line.rtcp_mux:
        text.append("a=rtcp-mux")
    text += [f"a=crypto:{each}" for each in line.crypto]
    if line.page is not None:
        text += [f"a={each}" for each in line.page.lines(address, line.port)]
    return text


@functools.lru_cache(256)
def _write_formats(formats: tuple[Format, ...]) -> tuple[str, tuple[str, ...]]:
    """Their numbers, and the lines that say what these mean."""
    text = []
    for each in formats:
        name, _, channels = _SPELT.get(each.encoding, each.encoding).partition("/")
        text.append(f"a=rtpmap:{each.payload_type} {name}/{each.clock}{channels and f'/{channels}'}")
        if each.encoding in _SAID:
            text.append(f"a=fmtp:{each.payload_type} {_SAID[each.encoding]}")
    return " ".join(str(each.payload_type) for each in formats), tuple(text)
