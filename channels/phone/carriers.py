"""Trunks: the carriers through whom the city calls. Found by name, asked whether they live, registered with.

A trunk's places are what its name leads to (RFC 3263), asked anew every minute; what was known stays while nobody
answers. Each place has its health, so that a call goes to one that answers, and to the next where it does not.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import random
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

from channels.phone.endpoint import Endpoint
from channels.phone.errors import MalformedMessage
from channels.phone.flow import Flow, Protocol3261
from channels.phone.guard import Guard, Network
from channels.phone.health import Health
from channels.phone.locating import Names, NameUnknown, locate
from channels.phone.resolver import Resolver
from channels.phone.sip.address import NameAddress
from channels.phone.sip.grammar import parse_number
from channels.phone.sip.login import Login
from channels.phone.sip.message import Response
from channels.phone.sip.registration import Ask, Registration, Standing
from channels.phone.sip.uri import Uri
from session.audio import Secrecy

log = logging.getLogger(__name__)

Form = Literal["e164", "national"]
"""`+8613800138000`, or as one dials it within the country: `13800138000`, `057112345678`."""
_chance = random.SystemRandom().random
_LOOK_S = 0.5
_LOCATED_S = 60.0
_MISSING_S = 10.0
_GOODBYE_S = 1.0
_BUSY = 503
_RESTS_S = 5.0
_ATTEMPTS = 4
"""For one call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierSettings:
    """One trunk, as the operator writes it. Times in seconds."""

    name: str
    host: str
    port: int | None = None
    transport: Protocol3261 | None = None
    networks: tuple[Network, ...] = ()
    """Where its calls come from besides the addresses that `host` leads to."""
    login: Login | None = None
    registers: bool = False
    expires_s: int = 3_600
    identity: str = ""
    """Our user part there; empty is the login's name."""
    domain: str = ""
    """Of our address there; empty is the host."""
    proxy: Uri | None = None
    """A proxy of ours by which all goes out to it; None goes there by itself."""
    caller: str = ""
    """The number that citizens see; empty shows the one that they had reached."""
    form: Form = "e164"
    numbers: tuple[str, ...] = ()
    """Beginnings of the numbers that it carries, such as +86571; none carries all."""
    codecs: tuple[str, ...] = ()
    """Those that it may be offered and may offer, the best first; none leaves it to both ends."""
    srtp: Secrecy = Secrecy.NEVER
    calls: int = 100
    """At once, in and out."""
    asked_s: float = 30.0
    """Between two OPTIONS; 0 asks nothing."""

    @property
    def user(self) -> str:
        """Our user part there."""
        return self.identity or (self.login.username if self.login is not None else "")


@dataclass(eq=False)
class Carrier:
    """One trunk and what is known of it now."""

    settings: CarrierSettings
    places: tuple[Flow, ...] = ()
    healths: dict[Flow, Health] = field(default_factory=dict)
    registration: Registration | None = None
    running: int = 0
    located_at: float = -_LOCATED_S
    call_id: str = field(default_factory=lambda: secrets.token_hex(16))
    number: int = 0

    @property
    def name(self) -> str:
        """As the operator calls it."""
        return self.settings.name

    def has(self, host: str) -> bool:
        """Whether an address is one of its own."""
        if self.settings.proxy is None and any(flow.remote[0] == host for flow in self.places):
            return True
        with suppress(ValueError):
            return any(ipaddress.ip_address(host) in network for network in self.settings.networks)
        return False

    def carries(self, number: str) -> bool:
        """Whether it is for that number."""
        return not self.settings.numbers or number.startswith(self.settings.numbers)

    def ranked(self, now: float) -> list[Flow]:
        """Its places, those that answer first."""
        return sorted(self.places, key=lambda flow: not self.healths[flow].may_be_called(now))

    @property
    def is_full(self) -> bool:
        """Whether it carries as many calls as it may."""
        return self.running >= self.settings.calls

    @contextmanager
    def carrying(self) -> Iterator[None]:
        """One more call, until the end of the block."""
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1


class Carriers:
    """All of them. `run` keeps them up until cancelled; `leave` tells them that we go."""

    def __init__(self, settings: Sequence[CarrierSettings], nameservers: Sequence[str], guard: Guard) -> None:
        self.all = tuple(
            Carrier(one, registration=Registration(one.expires_s) if one.registers else None) for one in settings
        )
        self._names: Names | None = Resolver(nameservers) if settings else None
        self._guard = guard
        self._endpoint: Endpoint | None = None

    def of(self, host: str) -> Carrier | None:
        """The trunk that an address belongs to."""
        return next((carrier for carrier in self.all if carrier.has(host)), None)

    def ranked(self, number: str, now: float) -> list[tuple[Carrier, Flow]]:
        """The places to try for a number, in the operator's order; those that answer stand before those that do not."""
        found = [
            (carrier, flow)
            for carrier in self.all
            if carrier.carries(number) and not carrier.is_full
            for flow in carrier.places
        ]
        found.sort(key=lambda one: not one[0].healths[one[1]].may_be_called(now))
        return found[:_ATTEMPTS]

    async def run(self, endpoint: Endpoint) -> None:
        """Look after them until cancelled."""
        self._endpoint = endpoint
        while self.all:
            for carrier in self.all:
                try:
                    await self._look(carrier, endpoint)
                except Exception:  # the task's top: the other trunks are looked after all the same
                    log.exception("a trunk could not be looked after", extra={"carrier": carrier.name})
            await asyncio.sleep(_LOOK_S)

    async def leave(self) -> None:
        """Take our registrations back."""
        asked = [carrier for carrier in self.all if carrier.registration is not None and carrier.places]
        if self._endpoint is None or not asked:
            return
        for carrier in asked:
            if carrier.registration is not None and carrier.registration.standing is Standing.REGISTERED:
                self._register(carrier, carrier.registration, carrier.registration.leave(), self._endpoint)
        # One round trip: who does not hear it lets the registration run out.
        await asyncio.sleep(_GOODBYE_S)

    async def _look(self, carrier: Carrier, endpoint: Endpoint) -> None:
        now = endpoint.now
        if now - carrier.located_at >= (_LOCATED_S if carrier.places else _MISSING_S):
            await self._locate(carrier, now)
        for flow in carrier.places:
            if carrier.healths[flow].is_due(now):
                self._ask_health(carrier, flow, endpoint)
        registration = carrier.registration
        if registration is None or not carrier.places:
            return
        is_new = registration.standing is Standing.ABSENT and registration.timers.next_deadline is None
        ask = registration.start() if is_new and not carrier.number else registration.due(now)
        if ask is not None:
            self._register(carrier, registration, ask, endpoint)

    async def _locate(self, carrier: Carrier, now: float) -> None:
        settings = carrier.settings
        carrier.located_at = now
        if self._names is None:
            return
        try:
            places = await self._places(settings, self._names)
        except NameUnknown as unknown:
            log.warning("a trunk is not found", extra={"carrier": carrier.name, "why": str(unknown)})
            return
        if set(places) != set(carrier.places):
            log.info("a trunk has places", extra={"carrier": carrier.name, "places": len(places)})
        carrier.places = places
        carrier.healths = {flow: carrier.healths.get(flow) or Health(settings.asked_s) for flow in places}
        direct = (one for one in self.all if one.settings.proxy is None)
        self._guard.trust(frozenset(flow.remote[0] for one in direct for flow in one.places))

    @staticmethod
    async def _places(settings: CarrierSettings, names: Names) -> tuple[Flow, ...]:
        if settings.proxy is not None:
            there = settings.proxy
            return await locate(there.host, there.port, Protocol3261.UDP, names, _chance)
        return await locate(settings.host, settings.port, settings.transport, names, _chance)

    # -- whether they live -------------------------------------------------------------------------------------

    def _ask_health(self, carrier: Carrier, flow: Flow, endpoint: Endpoint) -> None:
        target = Uri("sip", carrier.settings.domain or carrier.settings.host, port=carrier.settings.port)
        us = NameAddress(Uri("sip", endpoint.local(flow)[0], carrier.settings.user or None))
        request = endpoint.compose(
            "OPTIONS", flow, target, caller=us.with_tag(secrets.token_hex(4)), callee=NameAddress(target)
        )
        endpoint.ask(
            request, flow, lambda response: self.heard(carrier, flow, response), lambda: self.unheard(carrier, flow)
        )

    def heard(self, carrier: Carrier, flow: Flow, response: Response) -> None:
        """A place answered anything."""
        health = carrier.healths.get(flow)
        if health is None or not response.is_final or self._endpoint is None:
            return
        if response.status == _BUSY:
            health.overloaded(self._endpoint.now, _retry_after_s(response))
        else:
            health.answered()

    def refused(self, carrier: Carrier, flow: Flow) -> None:
        """A place said 503 to a call."""
        if (health := carrier.healths.get(flow)) is not None and self._endpoint is not None:
            health.overloaded(self._endpoint.now, _RESTS_S)

    def unheard(self, carrier: Carrier, flow: Flow) -> None:
        """A place did not answer, or there is no way to it."""
        health = carrier.healths.get(flow)
        if health is None or self._endpoint is None:
            return
        was_up = health.may_be_called(self._endpoint.now)
        health.silent()
        if was_up and not health.may_be_called(self._endpoint.now):
            log.warning("a trunk's place does not answer", extra={"carrier": carrier.name, "place": str(flow)})

    # -- registrations -----------------------------------------------------------------------------------------

    def _register(self, carrier: Carrier, registration: Registration, ask: Ask, endpoint: Endpoint) -> None:
        settings = carrier.settings
        flow = carrier.ranked(endpoint.now)[0]
        domain = Uri("sip", settings.domain or settings.host)
        us = NameAddress(domain._replace(user=settings.user))
        carrier.number += 1
        host, port = endpoint.local(flow)
        contact = Uri("sip", host, settings.user, port=port, params=(("transport", flow.protocol.value),))
        proof: tuple[tuple[str, str], ...] = ()
        if ask.demand is not None and settings.login is not None:
            proof = (ask.demand.proof(settings.login, "REGISTER", str(domain), ask.count),)
        request = endpoint.compose(
            "REGISTER",
            flow,
            domain,
            caller=us.with_tag(secrets.token_hex(4)),
            callee=us,
            call_id=carrier.call_id,
            number=carrier.number,
            contact=f"<{contact}>;expires={ask.expires_s}",
            extra=(("Expires", str(ask.expires_s)), *proof),
        )

        def heard(response: Response) -> None:
            if not response.is_final:
                return
            self.heard(carrier, flow, response)
            was = registration.standing
            again = registration.heard(response, endpoint.now, _chance()) if ask.expires_s else None
            if again is not None:
                self._register(carrier, registration, again, endpoint)
            elif registration.standing is not was:
                level = logging.INFO if registration.standing is Standing.REGISTERED else logging.WARNING
                more = {"carrier": carrier.name, "standing": registration.standing, "status": registration.status}
                log.log(level, "a registration with a trunk has changed", extra=more)

        def unheard() -> None:
            self.unheard(carrier, flow)
            if ask.expires_s:
                registration.unheard(endpoint.now, _chance())

        endpoint.ask(request, flow, heard, unheard)


def _retry_after_s(response: Response) -> float:
    text = (response.headers.first("retry-after") or "").partition(";")[0].partition("(")[0]
    try:
        return float(parse_number(text, "Retry-After", 2**31))
    except MalformedMessage:
        return _RESTS_S
