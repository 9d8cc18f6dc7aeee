"""What a gateway tells, as the stories read it: a session's timeline, and figures."""

import asyncio
import json
from typing import Any

import aiohttp

from tests.peers.pages import DeskPage
from tests.peers.yihao import Yihao
from tests.scenarios.kinds import Placed


async def history(agent: DeskPage, session: str) -> Placed:
    """A session's timeline, as any agent may read it."""
    given = json.loads(await agent.get(f"/api/sessions/{session}/timeline"))
    return list(given["entries"] if isinstance(given, dict) else given)


def entries(placed: Placed, kind: str) -> list[dict[str, Any]]:
    """Those of one kind."""
    return [one["entry"] for one in placed if one["entry"]["kind"] == kind]


def legs(placed: Placed) -> list[str]:
    """The citizen's legs as they came."""
    opened = (one for one in entries(placed, "leg") if one["what"] == "opened")
    return [one["channel"] for one in opened if one["who"]["kind"] == "citizen"]


async def figures(node: Yihao, *, waiting: int, owed: int) -> None:
    """Until so many stand in line, and so many are owed a call. Who is owed one stands there when it is to be made."""
    wanted = {f'yihao_calls_owed{{state="owed"}} {owed}.0', f'yihao_waiting{{queue="general"}} {waiting}.0'}
    async with asyncio.timeout(20), aiohttp.ClientSession() as http:
        while True:
            async with http.get(f"{node.http}/metrics") as answer:
                if wanted <= set((await answer.text()).splitlines()):
                    return
            await asyncio.sleep(0.1)
