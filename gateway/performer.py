"""The one place that performs effects on legs. What belongs to another node's leg is passed to that node.

An effect may be performed twice (after a crash); every channel's methods are idempotent by leg and token. What a
channel cannot do is logged and counted, never raised: the session's own timers bring it on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping

from channels.contract import (
    CarriesAudio,
    Channel,
    ChannelError,
    Content,
    Dials,
    FileLink,
    HandlesCalls,
    ShowsOut,
    Text,
    failed,
)
from gateway.links import Links
from gateway.metrics import Metrics
from gateway.outgoing import CallRefused, Outgoing
from queueing.contract import Store
from session.audio import KEEP_PLACE, Announcement
from session.detouring import offers
from session.effects import (
    AnnouncePlace,
    CallThird,
    CloseLeg,
    Confer,
    Deliver,
    Dial,
    Hold,
    Join,
    LegEffect,
    LetGo,
    Mute,
    OfferWays,
    Play,
    Press,
    Ring,
    SendLink,
    StopRinging,
    Supervise,
    TakeMessage,
)
from session.errors import YihaoError
from session.events import DialFailed, Event, FileSent, PlaceAnnounced, TextSent
from session.ids import LegId, NodeId, SessionId
from session.ports import Inbox, Place
from session.quoting import spoken
from session.state import HELD_NOWHERE, DialFailure, Leg, LegState, Medium, Phase, Session
from session.switch import Purpose
from session.ways import Way

log = logging.getLogger(__name__)

EFFECT_TIMEOUT_S = 10.0
SHORT_WAIT_S = 60.0


class Performer:
    """Performs the effects of this node's mailboxes, and those that other nodes pass to it."""

    def __init__(
        self,
        store: Store,
        node: NodeId,
        channels: Mapping[str, Channel],
        inbox: Inbox,
        metrics: Metrics,
        links: Links,
        outgoing: Outgoing,
    ) -> None:
        self._store, self._node, self._channels = store, node, channels
        self._inbox, self._metrics, self._links = inbox, metrics, links
        self._outgoing = outgoing
        self.veil: Callable[[Event], Event] = _as_it_is
        """Set once: what citizens are shown of an event."""

    async def perform(self, session: Session, name: str, effect: LegEffect) -> None:
        """Perform here, or pass on to the node that owns the leg."""
        if isinstance(effect, SendLink):
            await self._guarded(session, name, effect, self._links.send(session, name, effect))
            return
        leg = session.leg(_leg_of(effect))
        if leg is None:
            return
        is_letter = leg.medium is Medium.MESSAGE  # no node's own: there is no connection
        if leg.owner not in (self._node, HELD_NOWHERE) and not is_letter:
            await self._store.mailboxes.send(leg.owner, (session.id, name, effect))
            return
        await self._perform_here(session, name, effect, leg)

    async def passed(self, session_id: SessionId, name: str, effect: LegEffect) -> None:
        """An effect that another node's mailbox asked for."""
        session = await self._store.log.open_session_of(session_id)
        leg = session.leg(_leg_of(effect)) if session is not None else None
        if session is not None and leg is not None:
            await self._perform_here(session, name, effect, leg)

    async def _perform_here(self, session: Session, name: str, effect: LegEffect, leg: Leg) -> None:
        channel = self._channels.get(leg.channel)
        if channel is not None:
            await self._guarded(session, name, effect, self._do(session, name, effect, channel))

    async def _guarded(self, session: Session, name: str, effect: LegEffect, work: Coroutine[None, None, None]) -> None:
        kind = type(effect).__name__
        try:
            async with asyncio.timeout(EFFECT_TIMEOUT_S):
                await work
        except (YihaoError, TimeoutError) as error:
            self._metrics.effects_failed.labels(effect=kind).inc()
            log.warning(
                "effect failed",
                extra={"session": session.id, "effect": f"{kind} {name}", "why": type(error).__name__},
            )
        except Exception:  # a task's top: an effect that no try will ever pass must not hold up its session
            self._metrics.effects_failed.labels(effect=kind).inc()
            log.exception("effect failed", extra={"session": session.id, "effect": f"{kind} {name}"})

    async def _do(self, session: Session, name: str, effect: LegEffect, channel: Channel) -> None:
        match effect:
            case Deliver():
                await self._deliver(session, name, effect, channel)
            case CloseLeg():
                await channel.close_leg(session.id, effect.leg, effect.reason)
            case Dial():
                await self._dial(session, effect, channel)
            case Hold() | Mute() | Press() | Supervise() | CallThird() | Confer():
                if not isinstance(channel, HandlesCalls):
                    raise CannotCarryAudio(channel.name)
                await _handle(effect, channel)
            case TakeMessage() | LetGo():
                if not isinstance(channel, ShowsOut):
                    raise CannotCarryAudio(channel.name)
                await _show_out(effect, channel)
            case _:
                if not isinstance(channel, CarriesAudio):
                    raise CannotCarryAudio(channel.name)
                await self._sound(session, effect, channel)

    async def _sound(self, session: Session, effect: LegEffect, channel: CarriesAudio) -> None:
        match effect:
            case Play():
                await channel.play(effect.leg, effect.items, music=effect.music)
            case AnnouncePlace():
                await self._announce_place(session, effect.leg, channel)
            case OfferWays():
                ways = [way for way in effect.ways if way is not Way.LINK or await self._may_send_link(session)]
                said = offers(ways, in_line=session.phase is not Phase.CHOOSING)
                await channel.play(effect.leg, (*effect.items, *said), music=True)
            case Ring():
                await _reserved(session, effect.citizen_leg, channel)
                await channel.ring(session.id, effect.citizen_leg, effect.assignee, effect.token, effect.lease_until)
            case StopRinging():
                await channel.stop_ringing(effect.citizen_leg, effect.assignee, effect.token)
            case Join():
                await channel.join(session.id, effect.citizen_leg, effect.assignee_leg, effect.recording)

    async def _dial(self, session: Session, effect: Dial, channel: Channel) -> None:
        """Call the citizen, if the rules let us; and say so in the session if not."""
        leg = session.leg(effect.leg)
        if leg is None or leg.state is not LegState.CALLING:
            return
        if not isinstance(channel, Dials):
            raise CannotCarryAudio(channel.name)
        try:
            await self._outgoing.permit(session, leg, effect.assignee)
        except CallRefused:
            refused = DialFailed(leg=leg.id, reason=DialFailure.REFUSED)
            await self._inbox.post(session.id, refused, dedupe=f"dialled:{leg.id}")
            return
        await channel.dial(leg.id, effect.ring_s)

    async def _announce_place(self, session: Session, leg: LegId, channel: CarriesAudio) -> None:
        place = await self._store.queue.place(session.id)
        if place is None:
            return
        items = announcements(place)
        if not session.kept and await self._may_send_link(session):
            items = (*items, KEEP_PLACE)
        await channel.play(leg, items, music=True)
        event = PlaceAnnounced(leg=leg, position=place.position, estimate_s=place.estimate_s)
        await self._inbox.post(session.id, event, dedupe=f"place:{session.id}:{session.version}")

    async def _may_send_link(self, session: Session) -> bool:
        return await self._links.may_send(session, Purpose.SWITCH)

    async def _deliver(self, session: Session, name: str, effect: Deliver, channel: Channel) -> None:
        """The event that asked for it stands in the log at the version that the effect is named after."""
        if channel.capabilities.follows_timeline:
            return
        version = int(name.partition(".")[0])
        for entry in await self._store.log.read(session.id, after=version - 1, limit=1):
            content = _content(self.veil(entry.event))
            if content is not None:
                await self._send(session.id, effect.leg, channel, content)

    async def _send(self, session: SessionId, leg: LegId, channel: Channel, content: Content) -> None:
        """Whoever wrote it is told when it will not come."""
        try:
            await channel.send(session, leg, content)
        except ChannelError as error:
            event, dedupe = failed(channel.name, content.message, error.failure, error.code)
            await self._inbox.post(session, event, dedupe=dedupe)
            raise


async def _show_out(effect: TakeMessage | LetGo, channel: ShowsOut) -> None:
    match effect:
        case TakeMessage():
            await channel.take_message(effect.leg, effect.recording, effect.longest_s)
        case LetGo():
            await channel.let_go(effect.leg, effect.items)


async def _handle(effect: Hold | Mute | Press | Supervise | CallThird | Confer, channel: HandlesCalls) -> None:
    match effect:
        case Hold():
            await channel.hold(effect.leg, held=effect.held)
        case Mute():
            await channel.mute(effect.leg, muted=effect.muted)
        case Press():
            await channel.press(effect.leg, effect.digits, effect.turn)
        case Supervise():
            await channel.supervise(effect.leg, effect.by, effect.what, effect.turn)
        case CallThird():
            await channel.call_third(effect.leg, effect.by, effect.agents, effect.number, effect.turn)
        case Confer():
            await channel.confer(effect.leg, effect.what, effect.turn)


def _as_it_is(event: Event) -> Event:
    return event


def _content(event: Event) -> Content | None:
    match event:
        case TextSent():
            return Text(event.message, spoken(event))
        case FileSent():
            return FileLink(event.message, event.file, event.name, event.content_type, event.size_bytes)
    return None


async def _reserved(session: Session, leg_id: LegId, channel: CarriesAudio) -> None:
    """A call that is yet to be made has a place at which its agent can be rung."""
    leg = session.leg(leg_id)
    if leg is None or leg.state is not LegState.PLANNED or leg.address is None or not isinstance(channel, Dials):
        return
    is_taken = session.phase is Phase.ACTIVE
    await channel.reserve(session.id, leg.id, leg.address, session.number, is_taken=is_taken)


class CannotCarryAudio(ChannelError):
    """A call's effect on a leg of a channel without sound."""

    def __init__(self, channel: str) -> None:
        self.channel = channel
        super().__init__(f"channel {channel} carries no audio")


def announcements(place: Place) -> tuple[Announcement, ...]:
    """What a caller is told: their place, and the wait in whole minutes once it has been measured."""
    position = Announcement("position", (place.position,))
    if place.estimate_s is None:
        return (position, Announcement("keep_waiting"))
    if place.estimate_s <= SHORT_WAIT_S:
        return (position, Announcement("wait_short"))
    return (position, Announcement("wait_minutes", (min(round(place.estimate_s / 60), 999),)))


def _leg_of(effect: LegEffect) -> LegId:
    match effect:
        case SendLink():
            raise TypeError("a link touches no leg")
        case Ring() | StopRinging() | Join():
            return effect.citizen_leg
        case _:
            return effect.leg
