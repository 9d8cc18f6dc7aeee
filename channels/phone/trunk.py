"""The way to citizens' telephones: which trunk carries a call, how it wants the number written, and what it shows."""

from __future__ import annotations

import asyncio
import socket
from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

from channels.phone.carriers import Carrier, Carriers, CarrierSettings, Form
from channels.phone.errors import PhoneError
from channels.phone.flow import Flow, Protocol3261, SocketAddress
from channels.phone.incoming import IncomingCall
from channels.phone.sip.address import NameAddress
from channels.phone.sip.uri import DEFAULT_PORT, Uri
from session.address import Address
from session.number import dialled_at_home

_WAYS_KEPT = 1_000


class TrunkUnreachable(PhoneError):
    """There is no way to that telephone."""

    retryable = True

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(f"no way to a citizen's telephone: {why}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkSettings:
    """The trunk for calls that we make."""

    host: str = ""
    """Empty: there is none."""
    port: int = DEFAULT_PORT
    transport: Literal["udp", "tcp", "tls"] = "udp"
    caller: str = ""
    """The number that citizens see; empty shows the one that they had reached."""
    form: Form = "e164"
    returns: bool = False
    """Without a trunk, call a telephone where it called from: for a demonstration on one machine."""

    @property
    def leads_anywhere(self) -> bool:
        """Whether anybody can be called."""
        return bool(self.host) or self.returns


@dataclass(frozen=True, slots=True)
class Way:
    """Where an INVITE goes, and whom it names."""

    flow: Flow
    target: Uri
    carrier: Carrier | None = None
    """Whose trunk it is, where that has a name."""


class Trunk:
    """Finds ways. Where it `returns`, it remembers by which way each number came last."""

    def __init__(self, settings: TrunkSettings, carriers: Carriers) -> None:
        self._settings = settings
        self._carriers = carriers
        self._came: OrderedDict[Address, Way] = OrderedDict()

    def remember(self, address: Address, call: IncomingCall) -> None:
        """That number has called."""
        if self._settings.host or not self._settings.returns or not call.request.contacts:
            return
        self._came[address] = Way(call.flow, call.request.contacts[0].uri)
        self._came.move_to_end(address)
        if len(self._came) > _WAYS_KEPT:
            self._came.popitem(last=False)

    @property
    def leads_anywhere(self) -> bool:
        """Whether anybody can be called."""
        return self._settings.leads_anywhere or bool(self._carriers.all)

    async def ways_to(self, address: Address, now: float) -> list[Way]:
        """The ways to a number, in the order in which to try them. Raises `TrunkUnreachable`."""
        if (came := self._came.get(address)) is not None:
            return [came]
        settings = self._settings
        ranked = self._carriers.ranked(address.identifier, now)
        ways = [Way(flow, _target(carrier.settings, address), carrier) for carrier, flow in ranked]
        if settings.host:
            try:
                remote = await _resolved(settings.host, settings.port)
            except TrunkUnreachable:
                if not ways:
                    raise
            else:
                flow = Flow(Protocol3261(settings.transport), remote, name=settings.host)
                ways.append(Way(flow, _target(settings, address)))
        if not ways:
            raise TrunkUnreachable("no trunk is configured, or none that carries this number has room")
        return ways

    def caller(self, number: str, bound: SocketAddress, way: Way) -> NameAddress:
        """What the citizen's telephone shows: a number of ours, which they can call back."""
        host, port = bound
        if way.carrier is None:
            return NameAddress(Uri("sip", host, self._settings.caller or number, port=port))
        there = way.carrier.settings
        return NameAddress(Uri("sip", there.domain or there.host, there.caller or there.user or number))


def _target(settings: TrunkSettings | CarrierSettings, address: Address) -> Uri:
    user = address.identifier if settings.form == "e164" else dialled_at_home(address.identifier)
    host = (settings.domain or settings.host) if isinstance(settings, CarrierSettings) else settings.host
    return Uri("sip", host, user, port=settings.port, params=(("user", "phone"),))


async def _resolved(host: str, port: int) -> SocketAddress:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except OSError as error:
        raise TrunkUnreachable("the trunk's name is not known") from error
    return (str(found[0][4][0]), port)
