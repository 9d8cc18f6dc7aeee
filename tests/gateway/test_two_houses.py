"""Two nodes of one hotline: whatever is shown of one side's doings is shown at the other's node too."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.conftest import Eventually
from tests.gateway.living import Living, living
from tests.peers.pages import CitizenPage, DeskPage

REPLACED = 4001


@pytest.fixture
async def two(valkey_url: str, tmp_path: Path) -> AsyncIterator[tuple[Living, Living]]:
    history = {"storage__url": f"sqlite+aiosqlite:///{tmp_path / 'history.db'}"}
    async with (
        living(valkey_url, tmp_path / "one", **history) as one,
        living(valkey_url, tmp_path / "other", **history) as other,
    ):
        yield one, other


async def test_citizen_and_agent_at_two_nodes_see_each_other_write_and_read(
    two: tuple[Living, Living], eventually: Eventually
) -> None:
    one, other = two
    desk = DeskPage("8001", one.password("8001"), other.http)
    async with CitizenPage(one.http) as page, desk as agent:
        await page.open()
        await agent.open()
        await agent.make_ready()
        asked = await page.write("你好")
        offer = await agent.offer(15)
        await agent.accept(offer)
        session = str(offer["session"])
        await page.saw("session.state", 15, phase="talking")

        async def both_type() -> bool:
            await page.mention("typing")
            await agent.mention("typing", session=session)
            shown = {"t": "typing", "session": session} in agent.mentions
            return shown and {"t": "typing", "from": "agent"} in page.mentions

        await eventually(both_type, deadline_s=15)
        await page.saw("msg.state", 15, id=asked, state="delivered")
        await agent.command("msg.read", session=session, message=asked)
        await page.saw("msg.state", 15, id=asked, state="read")
        answer = str((await agent.command("msg.send", session=session, text="您好"))["id"])
        await page.saw("msg.new", 15, id=answer)
        await eventually(lambda: "delivered" in _states(agent, session, answer), deadline_s=15)
        await page.command("msg.read", message=answer)
        await eventually(lambda: "read" in _states(agent, session, answer), deadline_s=15)


def _states(desk: DeskPage, session: str, message: str) -> list[str]:
    return [one["state"] for one in desk.timeline(session) if one.get("message") == message and "state" in one]


async def test_a_second_desk_at_another_node_is_refused_until_it_takes_the_first_ones_place(
    two: tuple[Living, Living], eventually: Eventually
) -> None:
    """As it is at one node: the same code, and the first is told. Of two that come at once, one is the second."""
    one, other = two
    async with AsyncExitStack() as desks:

        async def opens(*at: Living, takes: bool = False) -> DeskPage:
            page = DeskPage("8001", one.password("8001"), *(node.http for node in at))
            page.takes = takes
            return await desks.enter_async_context(page)

        at_once = await asyncio.gather(opens(one, other), opens(other, one))
        await eventually(lambda: any(page.closed_with for page in at_once), deadline_s=15)
        first, second = sorted(at_once, key=lambda page: page.closed_with is not None)
        assert (second.refused_as, second.closed_with) == ("already_open", REPLACED)
        await first.open(15)
        first.cut()
        await first.open(15)
        assert first.closed_with is None, "which moves with its link, to the other node"

        third = await opens(one, takes=True)
        await third.open(15)
        await eventually(lambda: first.closed_with == REPLACED, deadline_s=15)
        await third.make_ready()
        assert third.closed_with is None
