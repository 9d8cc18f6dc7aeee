"""Stands in for Twilio's Messages API: takes and refuses as it does, and calls back, signed by the SDK."""

import asyncio
import base64
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from twilio.request_validator import RequestValidator

ACCOUNT, TOKEN = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "an-auth-token"
PUBLIC = "https://12345.example.gov.cn"


def sign(path: str, fields: Mapping[str, str], token: str = TOKEN) -> dict[str, str]:
    """The header of a form call, by the SDK."""
    signature = RequestValidator(token).compute_signature(PUBLIC + path, dict(fields))
    return {"X-Twilio-Signature": signature}


def texted(sid: str, sender: str, text: str, **more: str) -> dict[str, str]:
    """The fields of a citizen's text, as Twilio brings it."""
    return {
        "MessageSid": sid,
        "SmsSid": sid,
        "AccountSid": ACCOUNT,
        "From": sender,
        "To": "+18005551212",
        "Body": text,
        "NumMedia": "0",
        "NumSegments": "1",
        **more,
    }


@dataclass
class TwilioApi:
    url: str = ""
    gateway: str = ""
    """Where callbacks go instead of the public URL."""
    sent: list[dict[str, str]] = field(default_factory=list)
    blocked: set[str] = field(default_factory=set)
    """Numbers that have written STOP."""
    unreachable: set[str] = field(default_factory=set)
    is_busy: bool = False
    is_broken: bool = False
    hangs: asyncio.Event | None = None
    callbacks: list[int] = field(default_factory=list)
    """What our gateway answered to each."""
    media: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    """By path: status, headers, body."""
    fetched: list[tuple[str, str | None]] = field(default_factory=list)
    """Paths, and the authorization that came with the request."""
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    async def create(self, request: web.Request) -> web.Response:
        wanted = "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        if request.headers.get("Authorization") != wanted:
            return self._error(401, 20003, "Authenticate")
        if self.hangs is not None:
            await self.hangs.wait()
        if self.is_busy:
            return self._error(429, 20429, "Too Many Requests")
        if self.is_broken:
            return self._error(500, 20500, "An internal server error has occurred")
        fields = {name: str(value) for name, value in (await request.post()).items()}
        to = fields.get("To", "")
        if to in self.blocked:
            return self._error(400, 21610, "Attempt to send to unsubscribed recipient")
        if not to.startswith("+"):
            return self._error(400, 21211, f"Invalid 'To' Phone Number: {to}")
        sid = f"SM{next(self._numbers):032x}"
        self.sent.append(fields)
        if "StatusCallback" in fields and self.gateway:
            task = asyncio.create_task(self._go_through_states(sid, to, fields["StatusCallback"]))
            self._tasks.add(task)
        resource = {
            "sid": sid,
            "account_sid": ACCOUNT,
            "status": "queued",
            "to": to,
            "from": fields.get("From"),
            "messaging_service_sid": fields.get("MessagingServiceSid"),
            "body": fields.get("Body"),
            "num_segments": "1",
            "error_code": None,
            "direction": "outbound-api",
        }
        return web.json_response(resource, status=201)

    def _error(self, status: int, code: int, message: str) -> web.Response:
        more_info = f"https://www.twilio.com/docs/errors/{code}"
        body = {"code": code, "message": message, "more_info": more_info, "status": status}
        return web.json_response(body, status=status)

    async def _go_through_states(self, sid: str, to: str, callback: str) -> None:
        states = ["sending", "sent", "undelivered" if to in self.unreachable else "delivered", "sent"]
        for state in states:
            fields = {"MessageSid": sid, "SmsSid": sid, "MessageStatus": state, "To": to, "AccountSid": ACCOUNT}
            if state == "undelivered":
                fields["ErrorCode"] = "30003"
            path = callback.removeprefix(PUBLIC)
            async with (
                aiohttp.ClientSession() as http,
                http.post(self.gateway + path, data=fields, headers=sign(path, fields)) as response,
            ):
                self.callbacks.append(response.status)

    async def give_media(self, request: web.Request) -> web.Response:
        self.fetched.append((request.path, request.headers.get("Authorization")))
        status, headers, body = self.media[request.path]
        return web.Response(status=status, headers=headers, body=body)


@asynccontextmanager
async def open_api() -> AsyncIterator[TwilioApi]:
    api = TwilioApi()
    app = web.Application()
    app.router.add_post(f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json", api.create)
    app.router.add_get("/{path:.*}", api.give_media)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    api.url = f"http://{host}:{port}"
    try:
        yield api
    finally:
        if api.hangs is not None:
            api.hangs.set()
        await asyncio.gather(*api._tasks, return_exceptions=True)
        await runner.cleanup()
