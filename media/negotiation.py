"""Offer and answer (RFC 3264) about one stream of G.711 and its digits: pure, a far end's description in, terms out."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from media.errors import AudioRefused
from media.g711 import Law
from media.sdp import Description, Format, Media, Ours, Rejected

if TYPE_CHECKING:
    from collections.abc import Sequence

OFFERED = (
    Format(8, "PCMA"),
    Format(0, "PCMU"),
    Format(101, "TELEPHONE-EVENT"),
)
"""What we offer, the best first: A-law is what the trunks of the mainland speak."""

_LAWS = {"PCMA": Law.PCMA, "PCMU": Law.PCMU}
_MIRRORED = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed with a far end: where it is, and what each side may send.

    `far_hears` is false while the far end has put us on hold (sendonly, inactive, or the address 0.0.0.0 of
    RFC 2543); `far_speaks` is false when it announced that it will send nothing.
    """

    address: str
    port: int
    rtcp_port: int
    rtcp_mux: bool
    formats: tuple[Format, ...]
    direction: str

    @property
    def routable(self) -> bool:
        """Whether the address is one; 0.0.0.0 is the hold of RFC 2543."""
        return not ipaddress.ip_address(self.address).is_unspecified

    @property
    def far_hears(self) -> bool:
        """Whether we may send to it."""
        return self.direction in ("sendrecv", "recvonly") and self.routable

    @property
    def far_speaks(self) -> bool:
        """Whether it may send to us."""
        return self.direction in ("sendrecv", "sendonly")

    @property
    def laws(self) -> dict[int, Law]:
        """Payload type → law, the one that we send first."""
        return {each.payload_type: _LAWS[each.encoding] for each in self.formats if each.encoding in _LAWS}

    @property
    def event_type(self) -> int | None:
        """The payload type of digits, if the far end takes them."""
        return next((each.payload_type for each in self.formats if each.is_event), None)


def _is_shared(each: Format) -> bool:
    return each.is_event or (each.encoding in _LAWS and each.clock == 8000)


def _usable(line: Media) -> bool:
    return line.kind == "audio" and line.protocol == "RTP/AVP" and line.port != 0 and line.address is not None


def _offered(description: Description) -> tuple[str, ...]:
    names = []
    for line in description.media:
        if line.protocol == "RTP/AVP" and line.kind == "audio":
            names += [each.encoding for each in line.formats]
        else:
            names.append(f"{line.kind} over {line.protocol}")
    return tuple("".join(letter for letter in name[:32] if letter.isprintable()) for name in names[:16])


def _choose(description: Description) -> tuple[int, Terms]:
    """The first m= line that we can serve, and its terms."""
    for index, line in enumerate(description.media):
        formats = tuple(each for each in line.formats if _is_shared(each))
        if line.address is None or not _usable(line) or all(each.is_event for each in formats):
            continue
        rtcp_port = line.port if line.rtcp_mux else line.rtcp_port or min(line.port + 1, 65535)
        return index, Terms(line.address, line.port, rtcp_port, line.rtcp_mux, formats, line.direction)
    raise AudioRefused("no G.711 audio over RTP/AVP that both ends share", _offered(description))


def answer(description: Description, port: int) -> tuple[Terms, list[Ours | Rejected]]:
    """Terms and our m= lines, one for each of the offer's in its order (section 6). Raises `AudioRefused`."""
    index, terms = _choose(description)
    lines: list[Ours | Rejected] = [
        Rejected(line.kind, line.protocol, line.payload_types) for line in description.media
    ]
    lines[index] = Ours(port, terms.formats, _MIRRORED[terms.direction], terms.rtcp_mux)
    return terms, lines


def accept(description: Description, offered: Sequence[Format]) -> Terms:
    """Terms of an answer to our offer (section 7): of what we offered only. Raises `AudioRefused`."""
    _index, terms = _choose(description)
    encodings = {each.encoding for each in offered}
    if not all(each.encoding in encodings for each in terms.formats):
        raise AudioRefused("the answer holds what was not offered", _offered(description))
    return terms


def family(description: Description) -> int | None:
    """The IP version of the first audio line's address, by which our own address is chosen."""
    for line in description.media:
        if _usable(line) and line.address is not None:
            return ipaddress.ip_address(line.address).version
    return None
