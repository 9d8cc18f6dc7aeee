"""From a link that a citizen opens to the agent who sees them there.

`yihao up` runs as a child with its embedded store, which syncs each event to disk. An agent has a chat; a link to its
session is opened by another browser (POST /api/go), and the time is taken until the agent's desk shows the leg. Each
session has a few links, then the next begins. The limit is 200 ms at the median; beside it stands how long a message
needs to the same desk: what of the figure is the way that every word goes.

`--short` takes 3 sessions instead of 30.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import secrets
import statistics
import tempfile
import time
from pathlib import Path

from session.address import Address
from session.ids import SessionId
from session.switch import Link, Purpose
from tests.peers.pages import CitizenPage, DeskPage
from tests.peers.yihao import COMMAND, Yihao

LIMIT_MS = 200.0
KEY = "a key that only this benchmark has, to sign links with"
GOOD_FOR_S = 3600.0
PACE_S = 0.1
LINKS = 10
"""Opened of each session."""


def citizen_of(page: CitizenPage) -> Address:
    """Whose the chat is: the name that the page's token has signed."""
    payload = str(page.visitor).partition(".")[0]
    _, visitor = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return Address("web", visitor)


async def opened(page: CitizenPage, desk: DeskPage, session: SessionId, number: int) -> float:
    """Milliseconds from one link opened to the leg at the desk."""
    link = Link(session, Purpose.PICTURE, float(int(time.time() + GOOD_FOR_S)), (number, 0))
    body = {"token": link.sealed(KEY.encode(), citizen_of(page)), "claim": secrets.token_hex(16)}
    server = page.servers[0]
    known = legs(desk, session)
    began = time.perf_counter()
    async with page.http.post(f"{server}/api/go", json=body, headers={"Origin": server}) as answer:
        answer.raise_for_status()
    await desk.until(lambda _: legs(desk, session) > known, what="the citizen's new leg")
    return (time.perf_counter() - began) * 1000


def legs(desk: DeskPage, session: SessionId) -> int:
    """How many of the citizen's legs the desk has been shown."""
    entries = (one["entry"] for one in desk.frames if one["t"] == "contact.timeline" and one["session"] == session)
    return sum(entry["kind"] == "leg" and entry["what"] == "opened" for entry in entries)


async def written(page: CitizenPage, desk: DeskPage, session: SessionId, number: int) -> float:
    """Milliseconds from one message sent to the desk."""
    began = time.perf_counter()
    await page.write(f"第 {number} 条")
    await desk.until(lambda _: f"第 {number} 条" in desk.texts(session), what="the message")
    return (time.perf_counter() - began) * 1000


async def measure(data: Path, sessions: int) -> tuple[list[float], list[float]]:
    links, words = list[float](), list[float]()
    sets = {"secrets.resume_key": KEY, "bots.guide": "false", "http.trusted_proxies": "127.0.0.1/32"}
    async with Yihao(data, sets, program=COMMAND) as yihao:
        agent = yihao.agent("8001")
        async with DeskPage(agent.login, agent.password, yihao.http) as desk:
            await desk.open()
            await desk.make_ready()
            for turn in range(sessions):
                async with CitizenPage(yihao.http) as page:
                    page.http.headers["X-Forwarded-For"] = f"10.0.{turn}.1"  # a network of its own
                    session = await accepted(page, desk)
                    for number in range(LINKS):
                        links.append(await opened(page, desk, session, number))
                        words.append(await written(page, desk, session, number))
                        await asyncio.sleep(PACE_S)
                    await desk.command("contact.finish", session=session)
                    await desk.command("wrap.save", session=session, kind="咨询", note="")
    return links, words


async def accepted(page: CitizenPage, desk: DeskPage) -> SessionId:
    """A new matter, with the agent."""
    known = {frame["session"] for frame in desk.frames if frame["t"] == "offer.new"}
    await page.open()
    await page.write("路灯坏了")
    offer = await desk.until(lambda frame: frame["t"] == "offer.new" and frame["session"] not in known, what="offer")
    await desk.accept(offer)
    return SessionId(str(offer["session"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--short", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yh-switch-") as folder:
        links, words = asyncio.run(measure(Path(folder), 3 if arguments.short else 30))
    value, word = statistics.median(links), statistics.median(words)
    line = {
        "name": "switch",
        "value": round(value, 2),
        "limit": LIMIT_MS,
        "ratio": round(LIMIT_MS / value, 3),
        "unit": "ms from a link opened to the agent who sees it, median",
        "p99_ms": round(statistics.quantiles(links, n=100)[98], 2),
        "message_ms": round(word, 2),
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
