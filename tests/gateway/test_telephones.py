"""What a registered telephone means to the queue."""

import pytest

from gateway.telephones import TelephonesReach
from queueing.contract import Presence, Routing
from queueing.memory import MemoryStore
from session.ids import AssigneeId
from session.state import Medium
from tests.gateway.town import hire

AGENT = AssigneeId("8001")


async def nobody_new() -> None:
    """The roster is as it was."""


@pytest.mark.parametrize(
    ("ready_on_register", "first", "presence"),
    [
        (True, True, Presence.READY),
        (True, False, Presence.BREAK),
        (False, True, Presence.BREAK),
        (False, False, Presence.BREAK),
    ],
)
async def test_only_the_first_registration_makes_ready(
    memory: MemoryStore, ready_on_register: bool, first: bool, presence: Presence
) -> None:
    """A refresh never does, nor any where the setting does not say so."""
    await hire(memory, "8001", Medium.CHAT)
    await memory.queue.present(AGENT, Presence.BREAK, "lunch")
    reach = TelephonesReach(memory, nobody_new, ready_on_register=ready_on_register, ttl_s=60.0)
    await reach.registered(AGENT, first=first)
    view = await memory.queue.view(AGENT)
    assert view.presence is presence
    assert view.reachable == {Medium.CHAT, Medium.VOICE}


async def test_the_last_telephone_goes(memory: MemoryStore) -> None:
    await hire(memory, "8001", Medium.CHAT)
    reach = TelephonesReach(memory, nobody_new, ready_on_register=True, ttl_s=60.0)
    await reach.registered(AGENT, first=True)
    await reach.unregistered(AGENT)
    view = await memory.queue.view(AGENT)
    assert view.reachable == {Medium.CHAT}
    assert view.routing is Routing.READY


async def test_an_account_that_was_taken_away_is_no_error(memory: MemoryStore) -> None:
    reach = TelephonesReach(memory, nobody_new, ready_on_register=True, ttl_s=60.0)
    await reach.registered(AssigneeId("gone"), first=True)
    await reach.unregistered(AssigneeId("gone"))


async def test_an_account_younger_than_the_last_look_is_enlisted_by_its_registration(memory: MemoryStore) -> None:
    async def look() -> None:
        await hire(memory, "8001", Medium.CHAT)
        await memory.queue.present(AGENT, Presence.OFF, "new")

    reach = TelephonesReach(memory, look, ready_on_register=True, ttl_s=60.0)
    await reach.registered(AGENT, first=True)
    view = await memory.queue.view(AGENT)
    assert (view.presence, Medium.VOICE in view.reachable) == (Presence.READY, True)
