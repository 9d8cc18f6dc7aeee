"""What stands between a far end's sockets and its sound: nothing, keys that were agreed beside it, or a page's DTLS."""

from __future__ import annotations

import secrets
from dataclasses import replace
from functools import cached_property
from time import monotonic
from typing import Protocol

from media.dtls import Certificate, Handshake, Handshakes
from media.ice import IceLite
from media.keying import KEY_BYTES, SUITES, Page, Sdes
from media.negotiation import Means, Terms
from media.srtp import BY_SUITE, Srtp
from session.audio import Secrecy, Slot

_Address = tuple[str | int, ...]


class Shield(Protocol):
    """Both ways of one far end's packets."""

    def opened(self, data: bytes, addr: _Address, /) -> bytes | None:
        """The RTP or RTCP in a datagram; None where it is nobody's, or the shield's own matter."""
        ...

    def sealed(self, packet: bytes, /) -> bytes | None:
        """RTP or RTCP as it goes out; None where it cannot yet."""
        ...

    def close(self) -> None:
        """Stop what runs. Idempotent."""
        ...


class Wire(Protocol):
    """The end whose packets they are."""

    def send_raw(self, data: bytes, addr: _Address) -> None:
        """Send a datagram of the shield's own."""
        ...

    def found(self, addr: _Address) -> None:
        """The far end is there, or is there from now on."""
        ...


class Doors:
    """What all far ends of an engine share.

    The certificates are made with it, and not for the first call, which would wait for that (some 15 to 50 ms). Each
    slot has its own: whom an agent has called, and brings to the citizen's call, comes from one slot to another. A page
    that saw the same fingerprint there took it for the same association (RFC 8842, section 3.1) and kept its keys.
    """

    def __init__(self, handshakes: int) -> None:
        self.handshakes = Handshakes(handshakes)
        self.certificates = {slot: Certificate() for slot in Slot}


class Protection:
    """What one slot brings to keep its stream secret (`negotiation.Means`); it lasts as long as its far end."""

    def __init__(self, doors: Doors, slot: Slot) -> None:
        self.secrecy = Secrecy.NEVER
        self._doors, self._certificate = doors, doors.certificates[slot]
        self._agreed: Sdes | Page | None = None
        self._shield: Shield | None = None

    @cached_property
    def keys(self) -> dict[str, bytes]:
        """As the page's below: made when they are first said, since most slots of most calls have nobody."""
        return {suite: secrets.token_bytes(KEY_BYTES) for suite in SUITES}

    @cached_property
    def _ice(self) -> IceLite:
        return IceLite()

    @property
    def page(self) -> Page:
        """Us, as a page is told of us."""
        return Page(self._ice.ufrag, self._ice.password, self._certificate.fingerprint, "passive")

    def wanting(self, secrecy: Secrecy | None) -> Means:
        """The means, with another wish from now on unless None."""
        self.secrecy = secrecy or self.secrecy
        return self

    def agree(self, terms: Terms, wire: Wire) -> Shield | None:
        """The shield for these terms: the one there is, as long as its keys are the same."""
        keys = terms.keys
        if isinstance(keys, Page):
            self.secrecy = Secrecy.PAGE
            keys = replace(keys, setup="", mid="")
        if keys == self._agreed:
            return self._shield
        if isinstance(keys, Sdes) and isinstance(self._agreed, Sdes) and keys.suite != self._agreed.suite:
            self.close()
        if isinstance(keys, Page) and isinstance(self._shield, PageShield):
            self._shield.renew(keys)
        elif isinstance(keys, Sdes) and isinstance(self._shield, Srtp) and isinstance(self._agreed, Sdes):
            self._shield.renew(keys.theirs)
        else:
            self.close()
            self._shield = self._made(keys, wire)
        self._agreed = keys
        return self._shield

    def _made(self, keys: Sdes | Page | None, wire: Wire) -> Shield | None:
        match keys:
            case Sdes():
                return Srtp(BY_SUITE[keys.suite], keys.ours, keys.theirs)
            case Page():
                return PageShield(self._ice, keys, self._certificate, self._doors.handshakes, wire)
        return None

    def close(self) -> None:
        """The far end is gone."""
        if self._shield is not None:
            self._shield.close()
        self._shield = None


class PageShield:
    """A page's: checks, then DTLS, then SRTP, all on one port, told apart by their first octet (RFC 7983).

    DTLS and sound are taken only from the address that was nominated in a check under the description's password.
    """

    def __init__(self, ice: IceLite, far: Page, certificate: Certificate, handshakes: Handshakes, wire: Wire) -> None:
        self._ice = ice
        self._far = far
        self._certificate, self._handshakes = certificate, handshakes
        self._wire = wire
        self._addr: _Address | None = None
        self._srtp: Srtp | None = None
        self._handshake = self._shake()

    def _shake(self) -> Handshake:
        return Handshake(self._certificate, self._far.fingerprint, self._handshakes, self._send, self._keyed)

    def renew(self, far: Page) -> None:
        """A description anew: the page gathers again, or is another one by its certificate."""
        is_same = far.fingerprint == self._far.fingerprint
        self._far = far
        if not is_same:
            self._handshake.close()
            self._srtp = None
            self._handshake = self._shake()

    def opened(self, data: bytes, addr: _Address) -> bytes | None:
        """See the class."""
        kind = data[0] if data else 255
        if 128 <= kind <= 191:
            return self._srtp.opened(data) if self._srtp is not None and addr == self._addr else None
        if kind <= 3:
            self._check(data, addr)
        elif 20 <= kind <= 63 and addr == self._addr:
            self._handshake.take(data)
        return None

    def sealed(self, packet: bytes) -> bytes | None:
        """See the protocol."""
        return self._srtp.sealed(packet) if self._srtp is not None else None

    def close(self) -> None:
        """See the protocol."""
        self._handshake.close()
        self._srtp = None

    def _check(self, data: bytes, addr: _Address) -> None:
        checked = self._ice.check(data, addr, self._far.ufrag, monotonic())
        if checked is None:
            return
        self._wire.send_raw(checked.response, addr)
        if checked.is_nominated and addr != self._addr:
            self._addr = addr
            if self._srtp is not None:
                self._wire.found(addr)

    def _send(self, data: bytes) -> None:
        if self._addr is not None:
            self._wire.send_raw(data, self._addr)

    def _keyed(self, srtp: Srtp) -> None:
        self._srtp = srtp
        if self._addr is not None:
            self._wire.found(self._addr)
