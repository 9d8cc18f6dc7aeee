"""Transfers that are asked for by telephone: the desk's rules, and nobody else's contact."""

from gateway.handover import WHY, TelephoneHandover
from gateway.parking import Parking
from queueing.memory import MemoryStore
from session.events import SessionTransferred
from session.ids import SessionId
from session.ports import Verdict
from session.rules import Rules
from session.state import Offer, Phase
from tests.channels.phone.core import Core
from tests.conftest import Eventually
from tests.gateway.town import a_call, agents_leg, hire, open_post


async def test_who_has_it_hands_it_on(memory: MemoryStore, eventually: Eventually) -> None:
    first, second, away = [await hire(memory, f"a800{number}") for number in (1, 2, 3)]
    await memory.queue.reach(away, "test", frozenset(), ttl_s=60.0)
    async with open_post(memory, "n1") as post:
        session = (await post.inbox.open(a_call())).session

        async def offered() -> Offer | None:
            held = await memory.log.open_session_of(session)
            return held.offer if held is not None else None

        offer = await eventually(offered)
        assert offer is not None
        has, token = offer.assignee, offer.token
        assert await post.inbox.accept(session, has, token) is Verdict.ACCEPTED
        await post.inbox.post(session, agents_leg(post.id))

        async def is_talking() -> bool:
            held = await memory.log.open_session_of(session)
            return held is not None and held.phase is Phase.ACTIVE

        await eventually(is_talking)
        other = second if has == first else first
        parking = Parking(memory.shared, memory.log, memory.queue, post.inbox, Rules())
        handover = TelephoneHandover(memory, Core(), post.inbox, parking, "*5")
        for by, target, code in (
            (other, "8001", "not_yours"),
            (has, has.removeprefix("a"), "unknown_agent"),
            (has, "8003", "agent_away"),
            (has, "8004", "unknown_agent"),
            (has, "nobody", "unknown_queue"),
            (other, "*507", "not_yours"),
            (has, "*599", "unknown_queue"),
            (has, "", "one_destination"),
            (has, "+8613800138000", "unknown_queue"),
        ):
            assert await handover.hand_on(session, by, target) == code, target
        assert await handover.hand_on(SessionId("no-such-session"), has, "8002") == "not_yours"
        assert await handover.hand_on(session, has, other.removeprefix("a")) == ""
        events = [entry.event for entry in await memory.log.read(session)]
        (handed,) = [one for one in events if isinstance(one, SessionTransferred)]
        assert (handed.by, handed.to, handed.why) == (has, other, WHY)
        again = await eventually(offered)
        assert again is not None
        assert (again.assignee, again.token > token) == (other, True)
