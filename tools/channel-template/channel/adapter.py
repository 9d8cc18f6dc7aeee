"""Postbox as a channel."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from channels.contract import Capabilities, Content, LegUnknown, Text
from channels.postbox.errors import FileNotCarried, LetterRefused, LetterTooLarge, ProviderAway, ProviderRefused
from channels.postbox.letter import SIGNATURE, TIME, Letter, check, read, signed
from channels.postbox.settings import PostboxSettings
from channels.threads import Threads, Word
from session.address import Address
from session.errors import YihaoError
from session.events import TextReceived
from session.ids import LegId, MessageId, SessionId
from session.ports import Inbox, SharedState
from session.state import LegEnd, Medium

log = logging.getLogger(__name__)

NAME = SCHEME = "postbox"


class PostboxChannel:
    """A `Channel`. Its legs are no node's own: any node takes a letter, and any node sends."""

    def __init__(
        self, settings: PostboxSettings, threads: Threads, http: aiohttp.ClientSession, clock: Callable[[], float]
    ) -> None:
        """Use `open`."""
        self.name = NAME
        self.capabilities = Capabilities(
            schemes=(SCHEME,),
            medium=Medium.MESSAGE,
            survives_node=True,
            follows_timeline=False,
            longest_text=settings.longest_text,
        )
        self._settings, self._threads, self._http, self._clock = settings, threads, http, clock

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: PostboxSettings,
        *,
        inbox: Inbox,
        shared: SharedState,
        clock: Callable[[], float] = time.time,
    ) -> AsyncIterator[PostboxChannel]:
        """What is opened here is closed at the end of the block."""
        timeout = aiohttp.ClientTimeout(total=settings.timeout_s)
        async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as http:
            threads = Threads(
                inbox,
                shared,
                channel=NAME,
                number=settings.number,
                name=NAME,
                pepper=settings.pepper,
                ttl_s=settings.thread_ttl_s,
            )
            yield cls(settings, threads, http, clock)

    def routes(self) -> Sequence[web.RouteDef]:
        """The webhook."""
        return [web.post("/api/postbox/letters", self._take)]

    async def send(self, session: SessionId, leg: LegId, content: Content) -> None:
        """Send by the provider. An effect may be performed twice, and is one letter by its id.

        Raises `ChannelError`; what it means for the message is the error's `failure`, and the gateway tells the agent.
        """
        reached = await self._threads.reaches(leg)
        if reached is None:
            raise LegUnknown(leg)
        if not isinstance(content, Text):
            raise FileNotCarried
        letter = {"id": f"{session}-{content.message}", "to": reached[0].identifier, "text": content.text}
        body = json.dumps(letter, ensure_ascii=False).encode()
        headers = signed(body, int(self._clock()), self._settings.secret)
        url = f"{self._settings.url}/letters"
        try:
            async with self._http.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ProviderAway from error
        if status == 429 or status >= 500:
            raise ProviderAway
        if status >= 300:
            raise ProviderRefused(status)

    async def close_leg(self, session: SessionId, leg: LegId, reason: LegEnd) -> None:  # noqa: ARG002 - the contract's
        """The citizen's next letter begins another leg."""
        await self._threads.end(leg)

    async def drain(self, within_s: float) -> None:
        """Nothing runs here between two letters; another node takes the next."""

    async def _take(self, request: web.Request) -> web.Response:
        """Answered 200 only once the letter is durable; until then the provider brings it again."""
        try:
            body = await self._body(request)
            signature, at = request.headers.get(SIGNATURE, ""), request.headers.get(TIME, "")
            settings = self._settings
            check(body, signature, at, settings.secret, now=self._clock(), fresh_s=settings.fresh_s)
            await self._threads.take(_word(read(body)))
        except LetterRefused as error:
            log.info("letter refused", extra={"why": type(error).__name__})
            return web.Response(status=error.status, text="refused")
        except YihaoError as error:
            log.warning("letter not taken", extra={"why": type(error).__name__})
            return web.Response(status=503, text="not accepted yet", headers={"Retry-After": "1"})
        return web.Response(text="taken")

    async def _body(self, request: web.Request) -> bytes:
        """All of it. Raises `LetterTooLarge` at the first byte too many."""
        body = bytearray()
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > self._settings.largest_bytes:
                raise LetterTooLarge(self._settings.largest_bytes)
        return bytes(body)


def _word(letter: Letter) -> Word:
    """Named by the provider's own id: a letter that comes again changes nothing. Nobody vouches for its sender."""
    message, text = MessageId(f"{NAME}-{letter.id}"), letter.text
    return Word(
        Address(SCHEME, letter.citizen),
        lambda leg: TextReceived(leg=leg, message=message, text=text),
        f"{NAME}:{letter.id}",
        vouched=False,
    )
