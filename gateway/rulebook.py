"""The policy in force, as one immutable value that is looked at again every few seconds."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from importlib import resources

from gateway.routing import Routing, read_routing
from session.errors import YihaoError
from storage.database import Database
from storage.policies import Policies, PolicyMoved

log = logging.getLogger(__name__)

KIND = "routing"
LOOK_S = 5.0


class Rulebook:
    """The routing rules. A version that cannot be read is logged and the one before stays in force."""

    def __init__(self, policies: Policies) -> None:
        self._policies = policies
        self._version = 0
        self.routing = Routing(())

    @classmethod
    async def open(cls, database: Database) -> Rulebook:
        """Read the rules; the very first start writes those that we ship as version 1."""
        book = cls(Policies(database))
        if await book._policies.current(KIND) is None:
            shipped = resources.files("gateway").joinpath("routing.toml").read_text(encoding="utf-8")
            with contextlib.suppress(PolicyMoved):  # another node starts at the same time
                await book._policies.write(KIND, 1, shipped, author="yihao", at=time.time())
        await book.look()
        return book

    async def look(self) -> None:
        """Take up a new version. Raises `StorageError`, `BadRoutingRule`."""
        policy = await self._policies.current(KIND)
        if policy is not None and policy.version != self._version:
            self.routing = read_routing(policy.body)
            self._version = policy.version

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except YihaoError as error:
                log.warning("policy not read", extra={"why": type(error).__name__})
