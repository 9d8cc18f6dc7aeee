"""The phone as a channel: who may call, how many at once, and the core's effects brought to the right bridge."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import random
import secrets
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, nullcontext, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from channels.calls import Callee, Caller, ExchangeFull
from channels.contract import Capabilities, ChannelError, Content, LegUnknown
from channels.phone.abroad import Abroad
from channels.phone.access import Access
from channels.phone.application import Reply
from channels.phone.asides import Asides
from channels.phone.bridge import Bridge
from channels.phone.calling_page import PageCallingBridge
from channels.phone.carriers import Carrier, Carriers
from channels.phone.debts import Debts
from channels.phone.echo import Echoes
from channels.phone.elsewhere import Elsewhere
from channels.phone.endpoint import Endpoint
from channels.phone.entrusted import EntrustedBridge
from channels.phone.flow import Flow, SocketAddress
from channels.phone.guard import Guard
from channels.phone.incoming import IncomingCall
from channels.phone.incoming_bridge import IncomingBridge
from channels.phone.ladders import Ladders
from channels.phone.load import CallLimits, Seat
from channels.phone.number import SCHEMES, called, caller_of, dialled
from channels.phone.outgoing_bridge import OutgoingBridge
from channels.phone.overload import LOOK_S, Overload
from channels.phone.own_calls import OwnCalls
from channels.phone.ports import BridgePorts, Sounded
from channels.phone.redial import bury_dead
from channels.phone.registrar import Registrar, RegistrarSettings
from channels.phone.relay import Relay
from channels.phone.replacing import replace
from channels.phone.running import Running
from channels.phone.secrecy import Secrecies
from channels.phone.settings import PhoneSettings
from channels.phone.sip.digest import Authenticator
from channels.phone.sip.message import Request
from channels.phone.sip.sdp import has_any
from channels.phone.sip.session_timer import SessionTiming
from channels.phone.sip.timing import Timing
from channels.phone.transport import TransportSettings
from channels.phone.trunk import Trunk
from channels.phone.waiting import WaitingRoom
from session.address import Address
from session.audio import Audio, Slot
from session.errors import YihaoError
from session.ids import AssigneeId, LegId, NodeId, RecordingId, SessionId
from session.ports import (
    Beginnings,
    Choices,
    Contact,
    Credential,
    Handover,
    Inbox,
    NodeMail,
    Note,
    Reachability,
    SharedState,
    StoreUnavailable,
    Telephones,
)
from session.state import LegEnd, Medium

log = logging.getLogger(__name__)

_SWEEP_S = 1.0
_chance = random.SystemRandom().random
_BUSY = (("Retry-After", "5"),)


class SpeaksOnly(ChannelError):
    """A call carries no text."""

    def __init__(self) -> None:
        super().__init__("the phone carries no text")


class PhoneChannel(Running):
    """Opened by `async with`. `bound` is then the address of its UDP and TCP sockets."""

    name = "phone"
    capabilities = Capabilities(
        schemes=SCHEMES, medium=Medium.VOICE, survives_node=False, follows_timeline=False, longest_text=0
    )

    def __init__(
        self,
        settings: PhoneSettings,
        *,
        node: NodeId,
        inbox: Inbox,
        audio: Audio,
        shared: SharedState,
        telephones: Telephones,
        reachability: Reachability,
        recording_path: Callable[[RecordingId], Path] | None,
        choices: Choices | None = None,
        beginnings: Beginnings | None = None,
        handover: Handover | None = None,
        mail: NodeMail | None = None,
        nonce_secret: bytes | None = None,
        timing: Timing | None = None,
        sounded: Sounded = lambda *_: None,
    ) -> None:
        """`choices` hears agents dial codes, `beginnings` numbers, and `handover` whom they hand on to.

        `sounded` hears how calls that run sound.

        `nonce_secret` is shared by the nodes of one hotline, and `mail` joins them; None where there is but one.

        `recording_path` of None records nothing.
        """
        super().__init__()
        self._settings = settings
        self._audio = audio
        self._inbox = inbox
        self._choices = choices
        guard = Guard(settings.guard, settings.networks, settings.proxy_networks)
        secret = nonce_secret or secrets.token_bytes(32)
        authenticator = Authenticator(settings.realm, secret, algorithms=settings.algorithms)
        self._guard = guard
        self._access = Access(authenticator, telephones, guard)
        self._registrar = Registrar(
            RegistrarSettings(
                least_s=int(settings.register_min_s),
                most_s=int(settings.register_max_s),
                authenticate=settings.authenticate,
            ),
            access=self._access,
            shared=shared,
            reachability=reachability,
            guard=guard,
            node=node,
            superseded=self._superseded,
        )
        self._carriers = Carriers(settings.carriers, settings.nameservers, guard)
        transport = TransportSettings(
            host=settings.host,
            host6=settings.host6,
            port=settings.port,
            advertised_host=settings.advertised_host,
            tls=settings.tls,
            tls_port=settings.tls_port,
            verifying=settings.verifying,
        )
        self._ladders = (
            None
            if settings.ladders is None
            else Ladders(settings.ladders, days=settings.ladder_days, captures=settings.captures)
        )
        relay = self._elsewhere = self._abroad = None
        if mail is not None:
            relay = Relay(mail, node)
            self._elsewhere = elsewhere = Elsewhere(node, shared, mail, secret, self._bury_as)
            self._abroad = abroad = Abroad(node, shared, mail, self)
            relay.others = lambda letter: elsewhere.take(letter) or abroad.take(letter)
        self._endpoint = Endpoint(
            self,
            guard,
            transport,
            timing=timing,
            session=SessionTiming(int(settings.session_expires_s), int(settings.session_least_s)),
            relay=relay,
            ladders=self._ladders,
        )
        self._debts = Debts(settings.debts)
        self._room = WaitingRoom(
            inbox,
            self._debts,
            channel=self.name,
            kept_s=settings.kept_call_s,
            patience_s=settings.store_patience_s,
        )
        self._trunk = Trunk(settings.outbound, self._carriers)
        self._secrecies = Secrecies(settings.srtp, self._carriers)
        self._echoes = Echoes(audio, self._secrecies)
        self._ports = BridgePorts(
            endpoint=self._endpoint,
            registrar=self._registrar,
            inbox=inbox,
            telephones=telephones,
            shared=shared,
            node=node,
            channel=self.name,
            recording_path=recording_path,
            vigilance=settings.vigilance,
            secrecies=self._secrecies,
            handover=handover,
            trunk=self._trunk,
            carriers=self._carriers,
            asides=Asides(self._endpoint.calls, self._bridge_of_agent),
            number=settings.numbers[0] if settings.numbers else "",
            sounded=sounded,
            telling=self._telling,
        )
        self._own_calls = OwnCalls(self._ports, audio, beginnings)
        self._is_draining = False
        self._overload = Overload(settings.overload_s)
        self._limits = CallLimits(settings.max_calls, settings.max_calls_per_s)
        self._undo = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as undo:
            await undo.enter_async_context(self._debts)
            if self._ladders is not None:
                await undo.enter_async_context(self._ladders)
            await undo.enter_async_context(self._endpoint)
            for others in (self._elsewhere, self._abroad):
                if others is not None:
                    undo.push_async_callback(others.close)
            undo.push_async_callback(self._carriers.leave)
            undo.push_async_callback(self._hang_up_all)
            for work in (self._room.run(), self._sweep(), self._carriers.run(self._endpoint), self._watch_lateness()):
                task = asyncio.create_task(work)
                undo.push_async_callback(_cancel, task)
            self._undo = undo.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._undo.aclose()

    @property
    def bound(self) -> SocketAddress:
        """Host and port, the same for UDP and TCP."""
        return self._endpoint.bound

    @property
    def tls_port(self) -> int:
        """The port of TLS; 0 where there is none."""
        return self._endpoint.tls_port

    @property
    def takes_calls(self) -> bool:
        """Whether a new call would be taken, as far as the node itself goes: not while it drains."""
        return not self._is_draining

    @property
    def calls_out(self) -> bool:
        """Whether there is a trunk to call citizens by."""
        return self._trunk.leads_anywhere

    # -- the channel's contract --------------------------------------------------------------------------------

    def routes(self) -> Sequence[web.RouteDef]:
        """Where pages connect that are telephones."""
        return self._endpoint.pages(self._settings.origins).routes()

    async def send(self, session: SessionId, leg: LegId, content: Content) -> None:  # noqa: ARG002 - the contract's
        """A call carries no text: always `SpeaksOnly`."""
        raise SpeaksOnly

    async def drain(self, within_s: float) -> None:
        """Refuse new calls with 503, and wait for those that run."""
        self._is_draining = True
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._idle.wait()

    # -- calling citizens --------------------------------------------------------------------------------------

    async def reserve(self, session: SessionId, leg: LegId, contact: Address, number: str, *, is_taken: bool) -> None:
        """A call that is to be made: the agent is rung for it first."""
        called = Contact(leg, self.name, Medium.VOICE, contact, number, asserted=True)
        if not self._stands(leg):
            audio = await self._audio.open(leg)
            self._begin(session, OutgoingBridge(self._ports, called, audio, is_taken=is_taken))

    def _stands(self, leg: LegId) -> bool:
        standing = self._bridges.get(leg)
        return standing is not None and not standing.is_over

    def _begin(self, session: SessionId, bridge: OutgoingBridge) -> None:
        bridge.session = session
        self._bridges[bridge.contact.leg] = bridge
        self._idle.clear()
        self._see_to(self._see_through(bridge), bridge.contact.leg)

    async def dial(self, leg: LegId, ring_s: float) -> None:
        """Call the citizen for whom an agent is on the line."""
        bridge = self._bridge(leg)
        if not isinstance(bridge, OutgoingBridge) or bridge.is_over:
            raise LegUnknown(leg)
        bridge.dial(ring_s)
        for note in self._noted(bridge.contact.address, leg):
            with suppress(StoreUnavailable):
                await self._ports.shared.put(note.key, note.value, ttl_s=note.ttl_s)

    # -- the endpoint's application ----------------------------------------------------------------------------

    async def registered(self, request: Request, flow: Flow) -> Reply:
        """A REGISTER."""
        return await self._registrar.register(request, flow)

    def lost(self, flow: Flow) -> None:
        """A connection is gone."""
        self._registrar.lost(flow)

    def _superseded(self, flow: Flow) -> None:
        """Cut behind the answer to the REGISTER: a page that is called back then knows that it is registered."""
        asyncio.get_running_loop().call_soon(self._endpoint.cut, flow)

    async def invited(self, call: IncomingCall) -> None:
        """A call: refused, or carried to its end."""
        try:
            contact = await self._admit(call)
        except StoreUnavailable:
            call.refuse(503, _BUSY)
            return
        if contact is None:
            return
        carrier = self._carriers.of(call.flow.origin)
        if (seat := self._seat(call, carrier)) is None:
            return
        try:
            with nullcontext() if carrier is None else carrier.carrying():
                await self._carry(call, contact, seat)
        finally:
            seat.leave()

    def _seat(self, call: IncomingCall, carrier: Carrier | None = None, *, is_aside: bool = False) -> Seat | None:
        """Room for one more call; None once it has been refused for want of it.

        `is_aside`: about a call that runs here, so that a node that drains takes it still.
        """
        seat = None
        is_shut = self._overload.is_on or (self._is_draining and not is_aside)
        if not is_shut and not (carrier is not None and carrier.is_full):
            seat = self._limits.take(call.flow.origin, asyncio.get_running_loop().time())
        if seat is None:
            call.refuse(503, (("Retry-After", str(Overload.retry_after_s(_chance()))),))
        return seat

    async def _carry(self, call: IncomingCall, contact: Contact, seat: Seat) -> None:
        try:
            audio = await self._audio.open(contact.leg)
        except YihaoError:
            call.refuse(503, _BUSY)
            return
        bridge = IncomingBridge(self._ports, call, contact, audio, seat, partial(self._bury, contact))
        self._bridges[contact.leg] = bridge
        self._idle.clear()
        try:
            await bridge.serve(self._room)
        finally:
            self._forget(bridge)

    async def _bury(self, contact: Contact) -> None:
        """Let go of who dials again, wherever their call was."""
        here = bury_dead(self._bridges.values(), contact)
        await (here if self._elsewhere is None else asyncio.gather(here, self._elsewhere.bury(contact)))

    async def _bury_as(self, leg: LegId) -> None:
        """The number of that call of ours calls again, at another node."""
        if (bridge := self._bridges.get(leg)) is not None:
            await bury_dead(tuple(self._bridges.values()), bridge.contact)

    async def _see_through(self, bridge: OutgoingBridge) -> None:
        try:
            await bridge.serve()
        except Exception:  # a task's top: the session's own deadline brings it on
            log.exception("a call to a citizen could not be seen through")
        finally:
            self._forget(bridge)

    # -- calls that other channels signal (`channels.calls.Exchange`) ------------------------------------------

    async def take(self, contact: Contact, offer: bytes, caller: Caller) -> bytes:
        """Carry a page's call; gives our description."""
        if self._abroad is not None:
            contact = dataclasses.replace(contact, notes=(*contact.notes, self._abroad.note(contact.leg)))
        if self._is_draining or self._overload.is_on:
            raise ExchangeFull(Overload.retry_after_s(_chance()))
        # Pages come by no address that we see here, so all of a channel have one share.
        seat = self._limits.take(contact.channel, asyncio.get_running_loop().time())
        if seat is None:
            raise ExchangeFull(Overload.retry_after_s(_chance()))
        async with AsyncExitStack() as undo:
            undo.callback(seat.leave)
            audio = await self._audio.open(contact.leg)
            undo.push_async_callback(audio.close)
            bridge = EntrustedBridge(self._ports, contact, audio, caller, seat)
            answer = await bridge.page.answer(offer)
            undo.pop_all()
        self._bridges[contact.leg] = bridge
        self._idle.clear()
        self._see_to(self._see_entrusted_through(bridge, seat), contact.leg)
        return answer

    async def make_ready(self, session: SessionId, contact: Contact, callee: Callee, *, is_taken: bool) -> None:
        """A call that is to be made to a page: the agent is rung for it first."""
        if not self._stands(contact.leg):
            if self._abroad is not None:
                await self._abroad.keep(contact.leg)
            audio = await self._audio.open(contact.leg)
            self._begin(session, PageCallingBridge(self._ports, contact, audio, callee, is_taken=is_taken))

    async def take_over(self, leg: LegId, who: Address, offer: bytes, caller: Caller) -> bytes:
        """A page comes out of a call that another node may have."""
        if self._abroad is None:
            raise LegUnknown(leg)
        return await self._abroad.take_up(leg, who, offer, caller)

    async def take_again(self, leg: LegId, offer: bytes) -> bytes:
        """The page of a call that runs, here or at another node, offers anew."""
        if self._abroad is not None and self._abroad.has(leg):
            return await self._abroad.again(leg, offer)
        return await super().take_again(leg, offer)

    def hang_up(self, leg: LegId, reason: LegEnd) -> None:
        """End a call, here or, where its page is here, at another node."""
        super().hang_up(leg, reason)
        if self._abroad is not None:
            self._abroad.hang_up(leg)

    def _forget(self, bridge: Bridge) -> None:
        super()._forget(bridge)
        if self._abroad is not None:
            self._abroad.over(bridge.contact.leg, bridge.end)

    async def _see_entrusted_through(self, bridge: EntrustedBridge, seat: Seat) -> None:
        try:
            await bridge.serve(self._room)
        except Exception:  # a task's top: the session's own deadline brings it on
            log.exception("a page's call could not be seen through")
        finally:
            seat.leave()
            self._forget(bridge)

    async def _admit(self, call: IncomingCall) -> Contact | None:
        """Who calls and whom; None once the call has been refused. The number is looked at last: a stranger's
        question whether it exists has the same answer for every number.
        """
        request, settings = call.request, self._settings
        carrier = self._carriers.of(call.flow.origin)
        # A page is a telephone, also where it comes by a proxy that stands on a trunk's network.
        is_known = call.flow.can_be_made and (carrier is not None or self._guard.is_trunk(call.flow.origin))
        is_trunk = is_known or not settings.authenticate
        number = dialled(request, is_trunk=is_trunk)
        identity_there = carrier.settings.user if carrier is not None else ""
        ours = called(number, settings.numbers, area=settings.area, identity=identity_there)
        if ours is None and settings.authenticate and is_trunk:
            # So is one that stands there itself: who calls none of our numbers, and is registered by this very flow.
            is_trunk = not await self._registrar.has(request.from_address.uri.user or "", call.flow)
        identity: Credential | None = None
        if not is_trunk:
            identity = await self._identify(call)
            if identity is None or await self._is_code(call, identity.login):
                return None
        if (replacing := request.headers.all("replaces")) and settings.authenticate:
            await replace(call, replacing, identity, self._ports.asides, self._ports.telephones)
            return None
        if ours is None and identity is not None:
            await self._place(call, identity, number)
            return None
        if ours is None and settings.authenticate:
            call.refuse(404)
            return None
        if (carrier is not None and not call.narrow(carrier.settings.codecs)) or not self._is_spoken(call.offer):
            call.refuse(488, (("Warning", '305 yihao "Incompatible media format"'),))
            return None
        leg = LegId(f"call-{secrets.token_hex(12)}")
        registered = identity.extension if identity is not None else None
        caller = caller_of(request, is_trunk=is_trunk, registered=registered, unique=leg, area=settings.area)
        self._trunk.remember(caller.address, call)
        return Contact(
            leg=leg,
            channel=self.name,
            medium=Medium.VOICE,
            address=caller.address,
            number=ours or number,
            asserted=caller.asserted,
            name=caller.name,
            notes=self._noted(caller.address, leg) if caller.asserted else (),
        )

    async def _place(self, call: IncomingCall, by: Credential, number: str) -> None:
        """An agent's telephone dials somebody who is none of our numbers."""
        is_aside = any(bridge.succession.agent == by.login for bridge in self._bridges.values())
        if (seat := self._seat(call, is_aside=is_aside)) is None:
            return
        try:
            bridge = await self._own_calls.place(call, by, number, seat)
            if bridge is not None:
                self._bridges[bridge.contact.leg] = bridge
                self._idle.clear()
                await self._see_through(bridge)
        finally:
            seat.leave()

    def _is_spoken(self, offer: bytes | None) -> bool:
        """Looked at before the core hears of a call, beside whose session its sound is prepared."""
        return offer is None or has_any(offer, self._audio.capabilities.codecs)

    def _noted(self, address: Address, leg: LegId) -> tuple[Note, ...]:
        return () if self._elsewhere is None else (self._elsewhere.note(address, leg),)

    async def _identify(self, call: IncomingCall) -> Credential | None:
        """Whose registered telephone calls; None once it has been refused."""
        identity = await self._access.identify(call.request, call.flow)
        if isinstance(identity, Reply):
            call.refuse(identity.status, identity.headers)
            return None
        if not await self._registrar.bindings(identity.extension):
            call.refuse(403)
            return None
        return identity

    async def _is_code(self, call: IncomingCall, login: AssigneeId) -> bool:
        """Whether it was no number that was dialled; then it is done."""
        code, settings = dialled(call.request), self._settings
        if code and code == settings.echo_code:
            await self._echoes.answer(call)
        elif code in settings.codes:
            await self._choose(call, login, settings.codes[code])
        else:
            return False
        return True

    async def _choose(self, call: IncomingCall, login: AssigneeId, what: str) -> None:
        """An agent dials a code (功能码): taken, the call is answered and ended with a word; else it is refused."""
        if self._choices is None or not await self._choices.choose(login, what):
            call.refuse(403)
            return
        leg = f"code-{secrets.token_hex(12)}"
        try:
            audio = await self._audio.open(leg)
            try:
                described = (
                    audio.answer(Slot.CITIZEN, call.offer, self._secrecies.answering(call.flow))
                    if call.offer
                    else audio.offer(Slot.CITIZEN, self._secrecies.offering(call.flow))
                )
                call.answer(await described)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._settings.store_patience_s):
                        await anext(aiter(call))
            finally:
                await audio.close()
        except YihaoError:
            call.refuse(488)
        call.hang_up(f'SIP;cause=200;text="{what}"')

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            with suppress(StoreUnavailable):
                await self._registrar.sweep()

    async def _watch_lateness(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LOOK_S
            await asyncio.sleep(LOOK_S)
            was_on = self._overload.is_on
            self._overload.looked(loop.time() - due)
            if self._overload.is_on and not was_on:
                log.warning("overload: new calls are put off")

    async def _hang_up_all(self) -> None:
        """The node goes down: say goodbye to every telephone, and give the core a moment to hear of it."""
        for bridge in tuple(self._bridges.values()):
            bridge.hang_up(LegEnd.NODE_LOST)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.store_patience_s):
                await self._idle.wait()
        for task in tuple(self._made):
            await _cancel(task)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
