"""The whole city: agents at work, citizens who come, and a line of progress every few seconds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from config.settings import Settings
from gateway.demo.agents import Agent, Credential
from gateway.demo.citizens import Caller, Writer, keep_coming
from gateway.demo.count import Count
from gateway.demo.pace import Pace
from gateway.demo.page import NotTaken
from gateway.demo.telephone import NoAnswer
from session.errors import YihaoError

TOLD_EVERY_S = 5.0
LEFT_FREE = 2
"""The last of the demo agents are a supervisor and an administrator: whoever looks on logs in as them."""


class NobodyServes(YihaoError):
    """No gateway, or none with demo agents, is where it was looked for."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"{what}; start the gateway first (make run), or name it by --http, --sip and --data")


@dataclass(frozen=True, slots=True)
class Town:
    """Where the gateway is, and who works there."""

    http: str
    sip: tuple[str, int]
    number: str
    credentials: Path

    @classmethod
    def of(cls, settings: Settings, http: str, sip: str) -> Town:
        """By the settings, where the command line says nothing else. Raises `NobodyServes`."""
        host, _, port = (sip or f"{settings.sip.host}:{settings.sip.port}").rpartition(":")
        if not port.isdigit():
            raise NobodyServes("--sip wants host:port")
        return cls(
            http=(http or f"http://{settings.http.host}:{settings.http.port}").rstrip("/"),
            sip=(host.strip("[]"), int(port)),
            number=settings.sip.number[0],
            credentials=settings.data / "credentials.json",
        )


async def live(town: Town, pace: Pace, seconds: float, say: Callable[[str], None]) -> Count:
    """Let the city live for that long. Raises `NobodyServes`."""
    count = Count()
    agents = [Agent(town.http, town.sip, who, pace, count) for who in (await _staff(town))[:-LEFT_FREE]]
    callers = keep_coming(pace.between_calls_s, pace, count, lambda: Caller(town.sip, town.number, pace, count).visit())
    writers = keep_coming(pace.between_chats_s, pace, count, lambda: Writer(town.http, pace, count).visit())
    say(f"\n  {len(agents)} 名坐席上班，市民开始来访。监控大屏 / wallboard: {town.http}/desk/wallboard\n")
    work = [*(agent.work() for agent in agents), callers, writers, _tell(count, say)]
    tasks = [asyncio.create_task(one) for one in work]
    ended, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in ended:
        error = task.exception()
        if isinstance(error, aiohttp.ClientError | NoAnswer | NotTaken | OSError):
            raise NobodyServes(f"the gateway is lost ({type(error).__name__})") from error
        if error is not None:
            raise error
    return count


async def _staff(town: Town) -> list[Credential]:
    try:
        kept = json.loads(await asyncio.to_thread(town.credentials.read_text))
        async with aiohttp.ClientSession() as http, http.get(f"{town.http}/readyz") as answer:
            answer.raise_for_status()
        return [Credential(**one) for one in kept]
    except FileNotFoundError as error:
        raise NobodyServes(f"there is no {town.credentials}") from error
    except (aiohttp.ClientError, OSError) as error:
        raise NobodyServes(f"nobody answers at {town.http}") from error


async def _tell(count: Count, say: Callable[[str], None]) -> None:
    while True:
        await asyncio.sleep(TOLD_EVERY_S)
        say(f"  {count.line()}")
