"""A gateway process killed at each step of each switch: the citizen ends in one of the two places, never in neither.

A step is a word with the store: the node dies before it, or once it is done and before its answer has come. Another
node takes over, the citizen and their page try again what had no answer, and the story must come to its end.
"""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from queueing.contract import Presence, Store
from queueing.memory import MemoryStore
from session import events as ev
from session.ids import MessageId
from session.state import LegEnd, LegState, Medium, Party, Phase, Session
from tests.gateway.switching import AGENTS, Day
from tests.gateway.town import hire

Step = Callable[[Day], Awaitable[None]]
CLAIM = "the citizen's own browser"
PARTS = ("log", "mailboxes", "queue", "shared", "mail", "kin")


class Killed(BaseException):
    """As kill -9 does it: nothing after this line runs."""


class Mortal:
    """A store as one node has it, who dies at its `dies_at`th word with it."""

    def __init__(self, store: MemoryStore, dies_at: int, *, done: bool) -> None:
        self._store, self._dies_at, self._done = store, dies_at, done
        self.words = 0

    def is_dead(self) -> bool:
        return self.words >= self._dies_at

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        return _Part(self, found) if name in PARTS else found

    async def speak(self, word: Callable[..., Awaitable[Any]], args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        if self.is_dead():
            raise Killed
        self.words += 1
        if not self.is_dead():
            return await word(*args, **named)
        if self._done:
            await word(*args, **named)
        raise Killed


class _Part:
    def __init__(self, mortal: Mortal, part: object) -> None:
        self._mortal, self._part = mortal, part

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        if not inspect.iscoroutinefunction(found):
            return found

        async def word(*args: Any, **named: Any) -> Any:
            return await self._mortal.speak(found, args, named)

        return word


# --- the stories -----------------------------------------------------------------------------------------------------


def the(day: Day) -> Session:
    (session,) = day.mine()
    return session


async def calls(day: Day) -> None:
    """Once: who was answered nothing dials again."""
    if not day.mine() or the(day).voice_leg(Party.CITIZEN) is None:
        await day.calls()


async def keeps(day: Day) -> None:
    call = the(day).voice_leg(Party.CITIZEN)
    if call is not None:
        await day.tell(the(day), ev.PlaceKept(leg=call.id), f"kept:{call.id}")


async def hangs_up(day: Day) -> None:
    await _ends(day, LegEnd.HANGUP)


async def drops(day: Day) -> None:
    await _ends(day, LegEnd.LOST)


async def _ends(day: Day, reason: LegEnd) -> None:
    call = the(day).voice_leg(Party.CITIZEN)
    if call is not None:
        await day.tell(the(day), ev.LegClosed(leg=call.id, reason=reason), f"closed:{call.id}")


async def opens_the_link(day: Day) -> None:
    if day.carrier.links:
        await day.links.open(day.carrier.links[-1], CLAIM)


async def writes(day: Day) -> None:
    for leg in the(day).live_legs(Party.CITIZEN):
        if leg.medium is Medium.CHAT:
            await day.tell(the(day), ev.TextReceived(leg=leg.id, message=MessageId("m1"), text="m1"), "m1")


async def is_answered(day: Day) -> None:
    offer = the(day).offer
    if offer is not None:
        await day.post.inbox.accept(the(day).id, offer.assignee, offer.token)


async def is_picked_up(day: Day) -> None:
    await day.telephone_is_picked_up()


async def asks_for_a_picture(day: Day) -> None:
    session = the(day)
    if session.assignee is not None and not day.carrier.links:
        await day.tell(session, ev.PictureRequested(by=session.assignee), "picture")


async def says_where(day: Day) -> None:
    for leg in the(day).live_legs(Party.CITIZEN):
        if leg.medium is Medium.CHAT:
            place = ev.LocationReceived(leg=leg.id, message=MessageId("l1"), latitude=39.9, longitude=116.4)
            await day.tell(the(day), place, "l1")


async def lets_the_page_ring(day: Day) -> None:
    """Once: an agent whose wish was taken asks no second time."""
    if not any(leg.id.startswith("dial-") for leg in the(day).legs):
        await day.a_page_is_to_ring()


async def takes_it(day: Day) -> None:
    """In the page, whose sound is where it rang."""
    dial = the(day).dial
    if dial is not None and dial.state is LegState.CALLING:
        up = replace(dial, state=LegState.LIVE, owner=day.post.id)
        await day.tell(the(day), ev.LegOpened(leg=up), f"dialled:{dial.id}")


STORIES: dict[str, Sequence[Step]] = {
    "keeps the place and goes on in the chat": (calls, keeps, hangs_up, opens_the_link, writes, is_answered),
    "goes on in the chat and hangs up then": (calls, keeps, opens_the_link, writes, hangs_up, is_answered),
    "drops and dials again": (calls, is_answered, is_picked_up, drops, calls, is_picked_up),
    "drops in line and dials again": (calls, drops, calls, is_answered, is_picked_up),
    "the page rings": (calls, keeps, opens_the_link, hangs_up, is_answered, lets_the_page_ring, is_picked_up, takes_it),
    "a picture in the call": (calls, is_answered, is_picked_up, asks_for_a_picture, opens_the_link, says_where),
}
NO_AGENT_YET = frozenset({calls, keeps, drops, hangs_up, opens_the_link, writes})


async def tell(story: Sequence[Step], dies_at: int, *, done: bool) -> bool:
    """The story, with a death in it; False where it was over before."""
    mortal: list[Mortal] = []

    def wrap(store: MemoryStore) -> Store:
        mortal.append(Mortal(store, dies_at, done=done))
        return cast("Store", mortal[0])

    day = Day(lambda _: 1, wrap)
    died = False
    try:
        await day.begin()
    except Killed:
        died = True
    if died:
        await takes_over(day)
    for step in story:
        await _offers(day, ready=step not in NO_AGENT_YET or story[1] is is_answered)
        try:
            await step(day)
            await settle(day, mortal[0])
        except Killed:
            died = True
        if mortal[0].is_dead() and cast("object", day.post.store) is mortal[0]:
            died = True
            await takes_over(day)
            await step(day)
            await day.rest()
        await day.look()
    _look(day)
    await day.post.mailboxes.stop()
    return died


async def _offers(day: Day, *, ready: bool) -> None:
    for agent in AGENTS:
        if agent in day.store.log._world.workers:
            await day.store.queue.present(agent, Presence.READY if ready else Presence.BREAK, "not yet")


async def settle(day: Day, mortal: Mortal) -> None:
    """To rest, unless the node dies of it."""
    try:
        await day.rest()
    except AssertionError:
        if not mortal.is_dead():
            raise


async def takes_over(day: Day) -> None:
    """The citizen's calls are gone with the node that held them; all else goes on at another."""
    await day.node_dies()
    await day.rest()
    for agent in AGENTS:
        await hire(day.store, agent)
    await day.rest()


def _look(day: Day) -> None:
    """At the end: one matter, not lost; and whoever has opened the link is there by it, once."""
    (session,) = day.mine()
    assert session.phase in (Phase.QUEUED, Phase.OFFERED, Phase.ACTIVE, Phase.CALLBACK_PENDING)
    chats = [leg for leg in session.legs if leg.medium is Medium.CHAT]
    assert len(chats) <= 1, "the link was opened twice"
    log = day.store.log._world.sessions[session.id].log
    for kind in (ev.LinkOpened, ev.TextReceived, ev.LocationReceived):
        assert sum(type(event) is kind for event in log) <= 1
    if chats and chats[0].state is LegState.LIVE:
        assert session.phase is not Phase.CALLBACK_PENDING
    assert len(set(day.carrier.links)) <= 1


@pytest.mark.parametrize("done", [False, True], ids=["before its word", "before the answer"])
@pytest.mark.parametrize("story", STORIES)
async def test_a_node_dies_at_each_step(story: str, done: bool, long_run: bool) -> None:
    """In the everyday run at every third step, beginning elsewhere for each kind of death; with `--long` at each."""
    stride = 1 if long_run else 3
    dies_at = 1 + int(done)
    while await tell(STORIES[story], dies_at, done=done):
        dies_at += stride
    assert dies_at > 10, "the story has more steps than that"
