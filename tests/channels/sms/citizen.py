"""Somebody who texts."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from tests.channels.citizen import Citizen, Side, Written
from tests.conftest import Eventually
from tests.peers.twilio import ACCOUNT, PUBLIC, TOKEN, TwilioApi, open_api, sign, texted
from tests.peers.yihao import Yihao

_UP = "/api/sms/twilio/up"


@dataclass
class ByText(Written):
    api: TwilioApi = field(kw_only=True)
    bring: Callable[[dict[str, str]], Awaitable[int]] = field(kw_only=True)
    number: str = "+14155550100"
    channel: str = "sms"
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def says(self, words: str) -> None:
        assert await self.bring(texted(f"SM{next(self._numbers)}", self.number, words)) == 200

    def got(self) -> list[str]:
        return [one["Body"] for one in self.api.sent if one["To"] == self.number]

    async def leaves(self) -> bool:
        return False


@asynccontextmanager
async def living(eventually: Eventually) -> AsyncIterator[Side]:
    """A carrier with which we have an account."""
    async with open_api() as api:

        @asynccontextmanager
        async def comes(hotline: Yihao) -> AsyncIterator[Citizen]:
            api.gateway = hotline.http
            async with aiohttp.ClientSession() as http:

                async def bring(fields: dict[str, str]) -> int:
                    async with http.post(hotline.http + _UP, data=fields, headers=sign(_UP, fields)) as answer:
                        return answer.status

                yield ByText(eventually, api=api, bring=bring)

        account = {"account": ACCOUNT, "tokens": TOKEN, "sender": "+18005551212", "public_url": PUBLIC, "url": api.url}
        ways = {"sms.ways": '["+=twilio"]'}
        yield Side(comes, {**ways, **{f"sms.twilio.{key}": value for key, value in account.items()}})
