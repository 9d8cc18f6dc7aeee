"""A session's timeline, as the stories read it."""

import json
from typing import Any

from tests.peers.pages import DeskPage
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
