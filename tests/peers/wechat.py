"""A stand-in for WeChat's API which counts, limits and refuses as the real one is documented to."""

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
LONGEST_TEXT_BYTES = 2048


@dataclass
class WeChatApi:
    """State and books of one account at WeChat."""

    appid: str
    secret: str
    clock: Callable[[], float] = time.time
    base: str = ""
    sent: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """Paths, in the order of the requests."""
    forced: list[float] = field(default_factory=list)
    normal_fetches: int = 0
    windows: dict[str, tuple[float, int]] = field(default_factory=dict)
    """By openid: until when, and how many messages are left. Absent: 45015."""
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """By media id: content type and content."""
    uploads: list[tuple[str, str, str, bytes]] = field(default_factory=list)
    qr: list[dict[str, Any]] = field(default_factory=list)
    menu: dict[str, Any] | None = None
    reviewed: set[str] = field(default_factory=set)
    """Ids of the account's templates."""
    subscribers: dict[str, int] = field(default_factory=dict)
    """By openid: how many subscribed messages they still allow."""
    templated: list[dict[str, Any]] = field(default_factory=list)
    """Template and subscribed messages that were sent."""
    next_answers: dict[str, deque[Answer]] = field(default_factory=dict)
    """By path: answers that go before the usual one."""
    distrusted: set[str] = field(default_factory=set)
    """Tokens that are refused although `stable_token` still gives them."""
    _tokens: int = 0
    _expires_at: float = 0.0

    @property
    def token(self) -> str:
        return f"token-{self._tokens}"

    def interpose(self, path: str, *answers: Answer) -> None:
        self.next_answers.setdefault(path, deque()).extend(answers)

    def void_token(self) -> None:
        """As when somebody resets the AppSecret, or another system forces a new one."""
        self._tokens += 1
        self._expires_at = self.clock() + 7200

    def app(self) -> web.Application:
        @web.middleware
        async def interposing(request: web.Request, handler: Any) -> web.StreamResponse:
            self.asked.append(request.path)
            waiting = self.next_answers.get(request.path)
            if waiting:
                return await waiting.popleft()(request)
            answer: web.StreamResponse = await handler(request)
            return answer

        app = web.Application(middlewares=[interposing], client_max_size=20 * 2**20)
        app.router.add_post("/cgi-bin/stable_token", self._stable_token)
        app.router.add_post("/cgi-bin/message/custom/send", self._send)
        app.router.add_get("/cgi-bin/media/get", self._media)
        app.router.add_post("/cgi-bin/media/upload", self._upload)
        app.router.add_post("/cgi-bin/qrcode/create", self._qr)
        app.router.add_post("/cgi-bin/menu/create", self._menu)
        app.router.add_post("/cgi-bin/message/template/send", self._template)
        app.router.add_post("/cgi-bin/message/subscribe/bizsend", self._subscribed)
        return app

    async def _stable_token(self, request: web.Request) -> web.Response:
        body = await request.json()
        assert body["grant_type"] == "client_credential"
        if body["appid"] != self.appid:
            return _said(40013, "invalid appid")
        if body["secret"] != self.secret:
            return _said(40125, "invalid appsecret")
        now = self.clock()
        if body.get("force_refresh"):
            if len(self.forced) < 20 and (not self.forced or now - self.forced[-1] >= 30):
                self._tokens += 1
                self._expires_at = now + 7200
            self.forced.append(now)
        else:
            self.normal_fetches += 1
            if self._expires_at - now < 300:
                self._tokens += 1
                self._expires_at = now + 7200
        return web.json_response({"access_token": self.token, "expires_in": int(self._expires_at - now)})

    def _refusal(self, request: web.Request) -> web.Response | None:
        given = request.query.get("access_token")
        if given != self.token or given in self.distrusted:
            return _said(40001, "invalid credential, access_token is invalid or not latest rid: 1")
        if self.clock() > self._expires_at:
            return _said(42001, "access_token expired rid: 1")
        return None

    async def _send(self, request: web.Request) -> web.Response:
        raw = await request.read()
        message = json.loads(raw)
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        assert b"\\u" not in raw, "WeChat shows JSON's escapes to citizens"
        until, left = self.windows.get(message["touser"], (0.0, 0))
        if until <= self.clock():
            return _said(45015, "response out of time limit or subscription is canceled rid: 1")
        if left < 1:
            return _said(45047, "out of response count limit rid: 1")
        if message["msgtype"] == "text" and len(message["text"]["content"].encode()) > LONGEST_TEXT_BYTES:
            return _said(45002, "content size out of limit rid: 1")
        self.windows[message["touser"]] = (until, left - 1)
        self.sent.append(message)
        return _said(0, "ok")

    async def _media(self, request: web.Request) -> web.Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        kept = self.files.get(request.query["media_id"])
        if kept is None:
            return _said(40007, "invalid media_id rid: 1")
        content_type, content = kept
        return web.Response(body=content, content_type=content_type)

    async def _upload(self, request: web.Request) -> web.Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        part = (await request.post())["media"]
        assert isinstance(part, web.FileField)
        content = part.file.read()
        self.uploads.append((request.query["type"], part.filename, part.content_type, content))
        media = f"up-{len(self.uploads)}"
        return web.json_response({"type": request.query["type"], "media_id": media, "created_at": int(self.clock())})

    async def _qr(self, request: web.Request) -> web.Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        body = await request.json()
        self.qr.append(body)
        return web.json_response(
            {"ticket": "gQH47==", "expire_seconds": body["expire_seconds"], "url": "http://weixin.qq.com/q/kZgfwMTm"}
        )

    async def _menu(self, request: web.Request) -> web.Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        self.menu = await request.json()
        return _said(0, "ok")

    async def _template(self, request: web.Request) -> web.Response:
        return self._take_template(request, await request.json())

    async def _subscribed(self, request: web.Request) -> web.Response:
        body = await request.json()
        if self.subscribers.get(body["touser"], 0) < 1:
            return _said(43101, "user refuse to accept the msg rid: 1")
        answer = self._take_template(request, body)
        self.subscribers[body["touser"]] -= 1
        return answer

    def _take_template(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        if body["template_id"] not in self.reviewed:
            return _said(40037, "invalid template_id rid: 1")
        for name, field_ in body["data"].items():
            if name.startswith("thing") and len(field_["value"]) > 20:
                return _said(47003, "argument invalid! data.thing1.value invalid rid: 1")
        self.templated.append(body)
        return _said(0, "ok")


def _said(code: int, text: str) -> web.Response:
    # The real one answers text/plain.
    return web.Response(text=json.dumps({"errcode": code, "errmsg": text}), content_type="text/plain")


def saying(code: int) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return _said(code, "as the test wants it")

    return answer


def status(code: int, body: bytes = b"", **headers: str) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=code, body=body, headers={name.replace("_", "-"): v for name, v in headers.items()})

    return answer


def giving(body: bytes, content_type: str = "application/json") -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body, content_type=content_type)

    return answer


def stalling(release: asyncio.Event) -> Answer:
    """Takes the request, and answers nothing until it is let go."""

    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        await release.wait()
        return _said(0, "ok")

    return answer


def hanging_up() -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    return answer


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    """A real HTTP server on a free port; gives its address."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, lingering_time=0.05)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
