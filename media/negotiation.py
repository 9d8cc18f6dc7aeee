"""Offer and answer (RFC 3264) about one stream of sound, its digits and its keys: pure, a description in, terms out."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

from media.codecs import G722, OPUS, coders
from media.errors import AudioRefused
from media.g711 import Law
from media.interpreter import INSIDE
from media.keying import Crypto, Page, Sdes
from media.sdp import Description, Format, Media, Ours, Rejected, ip_version
from session.audio import Secrecy

if TYPE_CHECKING:
    from collections.abc import Iterable

_FORMATS = {
    "PCMA": Format(8, "PCMA"),
    "PCMU": Format(0, "PCMU"),
    "G722": Format(9, G722),
    "OPUS": Format(111, OPUS, 48000),
}
_EVENTS = {8000: Format(101, "TELEPHONE-EVENT"), 48000: Format(102, "TELEPHONE-EVENT", 48000)}
OFFERED = (_FORMATS["PCMA"], _FORMATS["PCMU"], _EVENTS[8000])
"""What we offer unless told otherwise, the best first: A-law is what the trunks of the mainland speak."""

_LAWS = {"PCMA": Law.PCMA, "PCMU": Law.PCMU}
_MIRRORED = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


_NOWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
_CLEAR, _KEYED = "RTP/AVP", "RTP/SAVP"
_UNDER_DTLS = ("UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP")


class Means(Protocol):
    """What we can keep a stream secret by. Keys and page are asked for only where they are said: to make them costs."""

    @property
    def secrecy(self) -> Secrecy:
        """How much that is wanted."""
        ...

    @property
    def keys(self) -> Mapping[str, bytes]:
        """Ours, for each suite."""
        ...

    @property
    def page(self) -> Page | None:
        """Us as a page."""
        ...


class Plain(NamedTuple):
    """Means of who keeps nothing secret."""

    secrecy: Secrecy = Secrecy.NEVER
    keys: Mapping[str, bytes] = {}
    page: Page | None = None


PLAIN = Plain()


class Terms(NamedTuple):
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
    keys: Sdes | Page | None = None
    """None is in the clear. A page's address is not what it says: ICE finds it."""

    @property
    def is_placed(self) -> bool:
        """Whether the address is where it is."""
        return self.address not in _NOWHERE and not isinstance(self.keys, Page)

    @property
    def routable(self) -> bool:
        """Whether anything can be sent to it; 0.0.0.0 is the hold of RFC 2543."""
        return isinstance(self.keys, Page) or self.is_placed

    @property
    def far_hears(self) -> bool:
        """Whether we may send to it."""
        return self.direction in ("sendrecv", "recvonly") and self.routable

    @property
    def far_speaks(self) -> bool:
        """Whether it may send to us."""
        return self.direction in ("sendrecv", "sendonly")

    @property
    def laws(self) -> Mapping[int, Law]:
        """Payload type → the law under which the house hears it, the one that we send first."""
        return _laws(self.formats)

    @property
    def is_foreign(self) -> bool:
        """Whether another codec than G.711 may be spoken, and must be interpreted."""
        return any(each.encoding not in _LAWS for each in self.formats if not each.is_event)

    @property
    def event_type(self) -> int | None:
        """The payload type of digits, if the far end takes them: best at the clock of what we speak."""
        events = [each for each in self.formats if each.is_event]
        events.sort(key=lambda each: each.clock != self.formats[0].clock)
        return events[0].payload_type if events else None


@functools.lru_cache(256)
def _laws(formats: tuple[Format, ...]) -> Mapping[int, Law]:
    return {each.payload_type: _LAWS.get(each.encoding, INSIDE) for each in formats if not each.is_event}


def spoken(codecs: Iterable[str]) -> tuple[Format, ...]:
    """What we offer of these, by their names and as far as this machine knows them, and digits at the clock of each."""
    known = tuple(_FORMATS[name] for name in codecs if _is_spoken(_FORMATS[name]))
    return (*known, *(_EVENTS[clock] for clock in dict.fromkeys(each.clock for each in known))) or OFFERED


def _is_spoken(each: Format) -> bool:
    if each.encoding in _LAWS or each.encoding == G722:
        return each.clock == 8000
    return each.encoding == OPUS and each.clock == 48000 and OPUS in coders()


@functools.lru_cache(256)
def _ranked(theirs: tuple[Format, ...], ours: tuple[Format, ...]) -> tuple[Format, ...]:
    """What both speak, in their order, but what we offer ourselves before what we only understand; digits last.

    Nothing where that is no more than digits.
    """
    wanted = {each.encoding for each in ours}
    shared = [each for each in theirs if _is_spoken(each)]
    if len(shared) > 1:
        shared.sort(key=lambda each: each.encoding not in wanted)
    return (*shared, *[each for each in theirs if each.is_event]) if shared else ()


def _of_one_clock(formats: tuple[Format, ...]) -> tuple[Format, ...]:
    """What goes along with the first, so that the stream keeps one clock: G.711 with G.711, another codec alone."""
    best = formats[0]
    along = _LAWS.keys() if best.encoding in _LAWS else {best.encoding}
    return tuple(each for each in formats if each.clock == best.clock and (each.is_event or each.encoding in along))


def _usable(line: Media) -> bool:
    return line.kind == "audio" and bool(line.formats) and line.port != 0 and line.address is not None


def _offered(description: Description) -> tuple[str, ...]:
    names = []
    for line in description.media:
        if line.protocol == _CLEAR and line.kind == "audio":
            names += [each.encoding for each in line.formats]
        else:
            names.append(f"{line.kind} over {line.protocol}")
    return tuple("".join(letter for letter in name[:32] if letter.isprintable()) for name in names[:16])


def _keys(line: Media, means: Means) -> tuple[bool, int, Sdes | Page | None]:
    """Whether the line is as secret as it must be, and by what: the tag of a=crypto, or the page."""
    if line.protocol in _UNDER_DTLS:
        is_page = line.page is not None and means.page is not None and line.rtcp_mux
        return is_page, 0, line.page
    if means.secrecy in {Secrecy.OFFER, Secrecy.REQUIRE}:
        for crypto in line.crypto:
            if crypto.suite in means.keys:
                return True, crypto.tag, Sdes(crypto.suite, means.keys[crypto.suite], crypto.key)
    return line.protocol == _CLEAR and means.secrecy in {Secrecy.NEVER, Secrecy.OFFER}, 0, None


def _choose(description: Description, means: Means, ours: tuple[Format, ...]) -> tuple[int, int, Terms]:
    """The first m= line that we can serve, the tag of its keys, and its terms."""
    for index, line in enumerate(description.media):
        formats = _ranked(line.formats, ours) if _usable(line) else ()
        if line.address is None or not formats:
            continue
        is_secret, tag, keys = _keys(line, means)
        if not is_secret:
            continue
        rtcp_port = line.port if line.rtcp_mux else line.rtcp_port or min(line.port + 1, 65535)
        return (
            index,
            tag,
            Terms(line.address, line.port, rtcp_port, line.rtcp_mux, formats, line.direction, keys),
        )
    raise AudioRefused("no audio that both ends share, as secret as it must be", _offered(description))


def answer(
    description: Description, port: int, means: Means = PLAIN, ours: tuple[Format, ...] = OFFERED
) -> tuple[Terms, list[Ours | Rejected]]:
    """Terms and our m= lines, one for each of the offer's in its order (section 6). Raises `AudioRefused`."""
    index, tag, terms = _choose(description, means, ours)
    if len(terms.formats) > 1:
        terms = terms._replace(formats=_of_one_clock(terms.formats))
    crypto = (Crypto(tag, terms.keys.suite, terms.keys.ours),) if isinstance(terms.keys, Sdes) else ()
    page = None
    if isinstance(terms.keys, Page) and means.page is not None:
        page = replace(means.page, setup="passive", mid=terms.keys.mid)
    protocol = description.media[index].protocol
    served = Ours(port, terms.formats, _MIRRORED[terms.direction], terms.rtcp_mux, protocol, crypto, page)
    return terms, [
        served if at == index else Rejected(line.kind, line.protocol, line.payload_types)
        for at, line in enumerate(description.media)
    ]


def placed(lines: Iterable[Ours | Rejected], port: int) -> list[Ours | Rejected]:
    """The same lines, of an answer for which there is a port now: to refuse one takes none."""
    return [line._replace(port=port) if isinstance(line, Ours) else line for line in lines]


def offer(means: Means, port: int, formats: tuple[Format, ...], *, rtcp_mux: bool) -> Ours:
    """Our m= line. Where secrecy is only offered it stands as plain audio, which who knows no keys can take."""
    if means.secrecy is Secrecy.NEVER:
        return Ours(port, formats, rtcp_mux=rtcp_mux)
    if means.secrecy is Secrecy.PAGE:
        page = means.page and replace(means.page, setup="actpass", mid="0")
        return Ours(port, formats, rtcp_mux=True, protocol=_UNDER_DTLS[0], page=page)
    crypto = tuple(Crypto(tag, suite, key) for tag, (suite, key) in enumerate(means.keys.items(), 1))
    protocol = _KEYED if means.secrecy is Secrecy.REQUIRE else _CLEAR
    return Ours(port, formats, rtcp_mux=rtcp_mux, protocol=protocol, crypto=crypto)


def accept(description: Description, offered: tuple[Format, ...], means: Means = PLAIN) -> Terms:
    """Terms of an answer to our offer (section 7): of what we offered only. Raises `AudioRefused`."""
    _index, _tag, terms = _choose(description, means, offered)
    encodings = {each.encoding for each in offered}
    if not encodings.issuperset([each.encoding for each in terms.formats]):
        raise AudioRefused("the answer holds what was not offered", _offered(description))
    if isinstance(terms.keys, Page) is not (means.secrecy is Secrecy.PAGE):
        raise AudioRefused("the answer is a page's to no page's offer, or none's to one", _offered(description))
    return terms


def family(description: Description) -> int | None:
    """The IP version of the first audio line's address, by which our own address is chosen; a page has none yet."""
    for line in description.media:
        if _usable(line) and line.address is not None:
            return None if line.page is not None else ip_version(line.address)
    return None
