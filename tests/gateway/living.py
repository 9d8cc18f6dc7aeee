"""The whole house in the test's own process, on a free port of each kind."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from config.loading import load
from gateway.house import House, open_house
from tests.peers.pages import DeskPage

QUICK = {
    "http.port": "0",
    "sip.port": "0",
    "media.workers": "0",
    "bots.guide": "false",
    "agents.rescind_after_s": "0.3",
    "agents.decline_pause_s": "0.2",
    "session.wrap_s": "30",
}


@dataclass
class Living:
    """A house that serves."""

    house: House
    data: Path

    @property
    def http(self) -> str:
        """Its web address."""
        return f"http://{self.house.http}"

    def password(self, login: str) -> str:
        kept = json.loads((self.data / "credentials.json").read_text())
        return next(str(one["password"]) for one in kept if one["login"] == login)

    def desk(self, login: str) -> DeskPage:
        """An agent's desk, to be opened."""
        return DeskPage(login, self.password(login), self.http)


@asynccontextmanager
async def living(store_url: str, data: Path, **sets: str) -> AsyncIterator[Living]:
    """Settings are named `section__key`."""
    named = {**QUICK, **{key.replace("__", "."): value for key, value in sets.items()}}
    arguments = [f"data={data}", f"store.url={store_url}", *(f"{key}={value}" for key, value in named.items())]
    async with open_house(load(arguments=arguments, environment={})) as house:
        yield Living(house, data)
