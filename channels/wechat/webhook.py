"""Where WeChat brings its pushes. Nothing is answered "success" that is not durable, and nothing answers 500."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from aiohttp import web

from channels.deadline import Deadline
from channels.wechat.errors import PushMalformed, PushRefused, PushReplayed, PushTooLarge
from channels.wechat.fields import LARGEST_BYTES
from channels.wechat.incoming import read
from channels.wechat.intake import Intake
from channels.wechat.keys import Keys
from channels.wechat.push import Account, Push, challenge, open_push
from channels.wechat.reply import DONE, text_reply
from channels.wechat.settings import WeChatSettings
from channels.wechat.whole import read_whole
from session.errors import YihaoError
from session.ports import SharedState

log = logging.getLogger(__name__)


class Webhook:
    """One account's address."""

    def __init__(
        self,
        settings: WeChatSettings,
        account: Account,
        shared: SharedState,
        intake: Intake,
        clock: Callable[[], float],
    ) -> None:
        """`clock` is the node's own: of a forgery the store is to hear nothing."""
        self._settings, self._account, self._shared, self._intake = settings, account, shared, intake
        self._clock = clock
        self._keys = Keys(settings.appid)
        self._deadline = Deadline(settings.answer_s)

    def routes(self) -> Sequence[web.RouteDef]:
        """The proof of the address, and the pushes."""
        return [web.get(self._settings.path, self._prove, allow_head=False), web.post(self._settings.path, self._push)]

    async def _prove(self, request: web.Request) -> web.Response:
        try:
            return web.Response(text=challenge(self._account, request.query, self._clock()))
        except PushRefused as error:
            return refused(error)

    async def _push(self, request: web.Request) -> web.Response:
        try:
            with self._deadline.begin():
                push = open_push(self._account, request.query, await body_of(request), self._clock())
                incoming = read(push.fields)
                await self._use_once(push)
                text = await self._intake.take(incoming)
        except PushRefused as error:
            return refused(error)
        except (YihaoError, TimeoutError) as error:
            # WeChat sends it again, at most three times in all; what is durable by then is known again.
            log.warning("push not taken", extra={"why": type(error).__name__})
            return web.Response(status=503, text="not accepted yet")
        return self._answer(push, text)

    async def _use_once(self, push: Push) -> None:
        """A nonce is good for one body. WeChat's own tries have the same one, or a nonce of their own.

        A sealed push needs no asking: its signature covers nonce and body alike.
        """
        if push.key is not None:
            return
        key = self._keys.moment(push.query.moment)
        # A push may lie `fresh_s` in the future, and is then good for twice as long.
        ttl_s = 2 * self._settings.fresh_s + 60.0
        if not await self._shared.put_new(key, push.digest, ttl_s=ttl_s):
            known = await self._shared.get(key)
            if known is not None and known != push.digest:
                raise PushReplayed

    def _answer(self, push: Push, text: str) -> web.Response:
        if not text:
            return web.Response(text=DONE)
        body = text_reply(push, self._account.token, text, self._clock())
        return web.Response(text=body, content_type="application/json" if push.json else "application/xml")


async def body_of(request: web.Request) -> bytes:
    """All of a push. Raises `PushRefused`."""
    if "Content-Encoding" in request.headers:  # WeChat packs nothing; aiohttp would unpack it for whoever asks
        raise PushMalformed("its coding")
    try:
        body = await read_whole(request.content, LARGEST_BYTES)
    except web.RequestPayloadError:
        raise PushMalformed("its transfer") from None
    if body is None:
        raise PushTooLarge(LARGEST_BYTES)
    return body


def refused(error: PushRefused) -> web.Response:
    """The answer, which says no more than that."""
    log.info("push refused", extra={"why": type(error).__name__})
    return web.Response(status=error.status, text="refused")
