"""What a citizen leaves for when people are there (留言): its words, number and name, and whether anybody is away."""

from __future__ import annotations

import logging
from contextlib import suppress

from channels.webchat.ports import Absent, Ports
from channels.webchat.visitor import address_of, key_of
from realtime import citizen
from session.belonging import NameClaimed
from session.errors import YihaoError
from session.ids import LegId, SessionId
from session.naming import self_given
from session.ports import Contact, SessionGone
from session.ways import Obstacle

log = logging.getLogger(__name__)

_NUMBER = "联系电话（本人填写，未核验） · to be called at, not verified: {}"


def written(command: citizen.WordLeave) -> str:
    """As it stands in the conversation. The number is in it as what they wrote, for whoever answers to read."""
    number = command.number.strip()
    return f"{command.about.strip()}\n{_NUMBER.format(number)}" if number else command.about.strip()


async def tell_name(session: SessionId, leg: LegId, command: citizen.WordLeave, ports: Ports) -> None:
    """By which name they go. Raises `StoreUnavailable`: the page then brings the whole again, which is known again."""
    name = self_given(command.name)
    if name:
        with suppress(SessionGone):
            await ports.inbox.post(session, NameClaimed(leg=leg, name=name), dedupe=f"name:{command.id}")


async def claim(visitor: str, number: str, ports: Ports) -> None:
    """Show the number as a claim (自称), which binds nothing. That it is not kept loses nothing: it is in the words."""
    if ports.attests is None or not number.strip():
        return
    try:
        if not await ports.shared.take(f"webchat:claim:{key_of(visitor)}", rate_per_s=1 / 600, burst=5):
            return
        await ports.attests.attest(address_of(visitor), number, vouched=False)
    except YihaoError as error:
        log.warning("claim not kept", extra={"why": type(error).__name__})


async def absence_of(contact: Contact, absent: Absent) -> citizen.Absence | None:
    """What the page is told. Where it cannot be told, nothing is: the chat takes words all the same."""
    try:
        absence = await absent(contact)
    except YihaoError as error:
        log.warning("absence not known", extra={"why": type(error).__name__})
        return None
    if absence is None:
        return None
    is_full = absence.why is Obstacle.FULL
    return citizen.Absence(why="full" if is_full else "closed", until=absence.until, reached=absence.is_reached)
