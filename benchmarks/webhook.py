"""Signed webhooks to durable acknowledgements: one process and its store, beside a handler that only verifies.

The server, a process of its own on uvloop, is the whole channel (WeChat's official account, or texts by Twilio) on the
node's own inbox over an embedded Valkey that writes every event to disk before it answers. Nothing is answered that is
not durable. Mailboxes are not awake: what becomes of an event afterwards is the question of `queue`. The limit is the
same server with a handler that proves and reads the same requests by the same functions (bounds, age, signature,
cipher, guarded XML), and answers at once.

`wechat` is the safe mode, which a city runs. `--kind` measures one, and the account's other modes too:
`wechat-compatible` sends the plain fields beside the sealed ones, `wechat-plain` seals nothing.

Every tenth push begins a session, and every tenth is a repetition of one that was taken. Requests are signed
beforehand. `value` and `limit` are pushes a second with 64 connections, one request under way on each (closed loop);
"per_processor_s" counts by the second of the server's processor. Then pushes come at 500 a second whatever becomes of
them (open loop), and their times from then on are given in ms. Rounds take turns, and are many and short, since a
machine that shares its processors is within seconds twice as fast as it was: a ratio is of two rounds that followed
each other, and medians are printed. The last line but one of each kind is its figures, the last line of all the smaller
ratio. `--short` makes fewer rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import itertools
import json
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast
from urllib.parse import urlencode

from aiohttp import web
from twilio.request_validator import RequestValidator

from channels.contract import Channel
from channels.sms.adapter import SmsChannel
from channels.sms.door import bounded_body
from channels.sms.settings import SmsSettings
from channels.sms.twilio.carrier import TwilioCarrier
from channels.sms.twilio.settings import TwilioSettings
from channels.sms.twilio.signature import proven
from channels.wechat.adapter import WeChatChannel
from channels.wechat.cipher import MessageKey
from channels.wechat.incoming import read
from channels.wechat.push import Account, open_push
from channels.wechat.settings import WeChatSettings
from channels.wechat.signature import sign
from channels.wechat.webhook import body_of
from gateway.inbox import StoreInbox
from gateway.process import collect_seldom
from queueing.embedded import EmbeddedValkey
from queueing.store import RedisStore
from rulebook.routing import LAST_RESORT, Named, Routing
from session.address import Address
from session.ids import NodeId
from storage.files import FileStore

APPID, TOKEN = "wxba5fad812f8e6fb9", "a token that only benchmarks have"
AES_KEY = base64.b64encode(bytes(range(32))).decode().rstrip("=")
WECHAT = WeChatSettings(appid=APPID, secret="s", token=TOKEN, aes_keys=(AES_KEY,), api="http://127.0.0.1:9")
ACCOUNT, PUBLIC = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "https://hotline.example.org"
TWILIO = TwilioSettings(account=ACCOUNT, tokens=(TOKEN,), sender="+18005551212", public_url=PUBLIC)
TWILIO_PATH = "/api/sms/twilio/up"
KINDS = ("wechat", "twilio", "wechat-compatible", "wechat-plain")
ROUTING = Routing(queues=(Named(name=LAST_RESORT, title="综合"),))
TEXT = "我家门口的路灯坏了三天了，在长江路12号，麻烦派人来看一下。"

CONNECTIONS = 64
WORDS_EACH = 9
"""Of one citizen, so that every tenth push, repetitions counted, is a first word."""
MOST_PER_S = 12_000
"""No server of these answers more, so that a round never runs out of requests."""
ROUND_S = 0.4
PACE_PER_S = 500
LONGEST_MS = 4000.0

Handler = Callable[[web.Request], Awaitable[web.Response]]


# --- the servers ----------------------------------------------------------------------------------------------------


def only_verifies(kind: str) -> Handler:
    """The limit."""
    account = Account(TOKEN, [MessageKey.parse(key, APPID) for key in wechat_settings(kind).aes_keys], WECHAT.fresh_s)

    async def wechat(request: web.Request) -> web.Response:
        read(open_push(account, request.query, await body_of(request), time.time()).fields)
        return web.Response(text="success")

    async def twilio(request: web.Request) -> web.Response:
        body = await bounded_body(request)
        proven(TWILIO, request.raw_path, request.headers, request.content_type, body)
        return web.Response(text="<Response/>", content_type="text/xml")

    return twilio if kind == "twilio" else wechat


def wechat_settings(kind: str) -> WeChatSettings:
    return replace(WECHAT, aes_keys=()) if kind == "wechat-plain" else WECHAT


def path_of(kind: str) -> str:
    return TWILIO_PATH if kind == "twilio" else WECHAT.path


@asynccontextmanager
async def whole_channel(kind: str, folder: Path) -> AsyncIterator[Channel]:
    """The channel on the node's inbox and an embedded store."""
    async with AsyncExitStack() as stack:
        valkey = await stack.enter_async_context(EmbeddedValkey(folder / "store"))
        store = await stack.enter_async_context(RedisStore.connect(valkey.url, tenant="bench", pepper=b"bench"))
        node = NodeId("bench")
        await store.mailboxes.beat(node, ttl_s=3600.0)
        inbox = StoreInbox(store, node, ROUTING.route, lambda _: None)
        if kind != "twilio":
            files = FileStore(folder / "files")
            opened = WeChatChannel.open(
                wechat_settings(kind), inbox=inbox, shared=store.shared, files=files, on_scan=_nowhere
            )
            yield await stack.enter_async_context(opened)
            return
        settings = SmsSettings(pepper=b"bench", ways=(("+", "twilio"),))
        sms = SmsChannel(settings, [TwilioCarrier(TWILIO)], node=node, inbox=inbox, shared=store.shared)
        yield await stack.enter_async_context(sms)


async def _nowhere(_: Address, __: str) -> None:
    """No scan comes."""


async def serve(kind: str, *, whole: bool) -> None:
    """Until the process is ended."""
    app = web.Application()
    async with AsyncExitStack() as stack:
        if whole:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="yh-"))
            app.add_routes((await stack.enter_async_context(whole_channel(kind, Path(folder)))).routes())
        else:
            app.router.add_post(path_of(kind), only_verifies(kind))
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        collect_seldom()
        print(json.dumps({"port": runner.addresses[0][1]}), flush=True)
        await asyncio.to_thread(sys.stdin.read)  # until our parent lets go


# --- the requests ---------------------------------------------------------------------------------------------------


def wechat_push(kind: str, citizen: str, number: int) -> bytes:
    """One push in the kind's mode."""
    to = "<ToUserName><![CDATA[gh_1]]></ToUserName>"
    fields = (
        f"<FromUserName><![CDATA[{citizen}]]></FromUserName><CreateTime>{int(time.time())}</CreateTime>"
        f"<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{TEXT}]]></Content><MsgId>{number}</MsgId>"
    )
    timestamp, nonce = str(int(time.time())), str(number)
    query = {"signature": sign(TOKEN, timestamp, nonce), "timestamp": timestamp, "nonce": nonce, "openid": citizen}
    shown = "" if kind == "wechat" else fields
    if kind != "wechat-plain":
        sealed = MessageKey.parse(AES_KEY, APPID).encrypt(f"<xml>{to}{fields}</xml>")
        query |= {"encrypt_type": "aes", "msg_signature": sign(TOKEN, timestamp, nonce, sealed)}
        shown += f"<Encrypt><![CDATA[{sealed}]]></Encrypt>"
    return _http(f"{WECHAT.path}?{urlencode(query)}", f"<xml>{to}{shown}</xml>".encode(), "text/xml")


def twilio_push(citizen: str, number: int) -> bytes:
    """One form, signed by the SDK."""
    sid = f"SM{number:032x}"
    fields = {
        "MessageSid": sid, "SmsSid": sid, "AccountSid": ACCOUNT, "From": citizen, "To": TWILIO.sender, "Body": TEXT,
        "NumMedia": "0", "NumSegments": "1", "SmsStatus": "received", "ApiVersion": "2010-04-01",
    }  # fmt: skip
    signature = RequestValidator(TOKEN).compute_signature(PUBLIC + TWILIO_PATH, fields)
    body = urlencode(fields).encode()
    return _http(TWILIO_PATH, body, "application/x-www-form-urlencoded", f"X-Twilio-Signature: {signature}\r\n")


def _http(path: str, body: bytes, kind: str, headers: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}{headers}\r\n".encode() + body


def pushes(kind: str, many: int) -> list[bytes]:
    """So many, every tenth a repetition of one that came a hundred before."""
    numbers, run = itertools.count(1), secrets.randbelow(10**6)
    made: list[bytes] = []
    while len(made) < many:
        if len(made) % 10 == 9 and len(made) > 100:
            made.append(made[-100])
            continue
        number = next(numbers)
        citizen = f"{run}-{number // WORDS_EACH}"
        if kind == "twilio":
            made.append(twilio_push(f"+1{run:06}{number // WORDS_EACH:07}"[:15], run * 10**8 + number))
        else:
            made.append(wechat_push(kind, f"o{citizen.replace('-', '_')}", run * 10**8 + number))
    return made


# --- the one who asks -----------------------------------------------------------------------------------------------


@dataclass
class Tally:
    """What was answered."""

    answered: int = 0
    refused: int = 0
    times_ms: list[float] = field(default_factory=list)


class Line(asyncio.Protocol):
    """One connection: asks the next when the last one is answered, or one at a time as it is told."""

    def __init__(self, source: Iterator[bytes] | None, tally: Tally) -> None:
        self._source, self._tally, self._rest = source, tally, b""
        self.transport: asyncio.WriteTransport
        self.due_at = 0.0
        self.on_free: Callable[[Line], None] = lambda _: None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.WriteTransport", transport)

    def next(self) -> None:
        """Ask."""
        request = next(self._source, None) if self._source is not None else None
        if request is not None:
            self.transport.write(request)

    def ask(self, request: bytes, due_at: float) -> None:
        self.due_at = due_at
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._rest += data
        head, found, body = self._rest.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(body) < length:
            return
        self._rest = b""
        self._tally.answered += 1
        self._tally.refused += not head.startswith(b"HTTP/1.1 200")
        if self._source is not None:
            self.next()
        else:
            self._tally.times_ms.append((time.perf_counter() - self.due_at) * 1000)
            self.on_free(self)


async def _lines(port: int, source: Iterator[bytes] | None, tally: Tally, many: int = CONNECTIONS) -> list[Line]:
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(lambda: Line(source, tally), "127.0.0.1", port) for _ in range(many)]
    return [line for _, line in made]


async def at_full_speed(kind: str, port: int, pid: int, seconds: float) -> tuple[float, float]:
    """Pushes a second, and a second of the server's processor."""
    tally, source = Tally(), iter(pushes(kind, round(seconds * MOST_PER_S)))
    lines = await _lines(port, source, tally)
    used, began = cpu_s(pid), time.perf_counter()
    for line in lines:
        line.next()
    await asyncio.sleep(seconds)
    rates = tally.answered / (time.perf_counter() - began), tally.answered / (cpu_s(pid) - used)
    for line in lines:
        line.transport.abort()
    if tally.refused:
        raise SystemExit(f"{tally.refused} of {tally.answered} were refused")
    await asyncio.sleep(0.1)
    return rates


async def at_a_pace(kind: str, port: int, seconds: float) -> list[float]:
    """The time of each push in ms, from the moment at which it came."""
    tally, requests = Tally(), pushes(kind, round(seconds * PACE_PER_S))
    free = await _lines(port, None, tally, 512)
    lines = list(free)
    for line in lines:
        line.on_free = free.append
    began = time.perf_counter()
    for number, request in enumerate(requests):
        due_at = began + number / PACE_PER_S
        if (early_s := due_at - time.perf_counter()) > 0:
            await asyncio.sleep(early_s)
        while not free:
            await asyncio.sleep(0.001)
        free.pop().ask(request, due_at)
    async with asyncio.timeout(30):
        while tally.answered < len(requests):
            await asyncio.sleep(0.01)
    for line in lines:
        line.transport.abort()
    if tally.refused:
        raise SystemExit(f"{tally.refused} of {tally.answered} were refused")
    return sorted(tally.times_ms)


def cpu_s(pid: int) -> float:
    """The processor's time that a process has used."""
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def started(kind: str, *, whole: bool) -> AsyncIterator[tuple[int, int]]:
    """A server of its own process: its pid and its port."""
    arguments = ("--serve", kind, *(("--whole",) if whole else ()))
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.webhook", *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdin is not None
    try:
        async with asyncio.timeout(30):
            said = await child.stdout.readline()
        yield child.pid, int(json.loads(said)["port"])
    finally:
        child.stdin.close()
        await child.wait()


async def measure(kind: str, rounds: int, paced_s: float) -> dict[str, object]:
    found: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    async with started(kind, whole=False) as limit, started(kind, whole=True) as whole:
        for turn in range(rounds):
            for is_whole in (False, True) if turn % 2 == 0 else (True, False):
                pid, port = whole if is_whole else limit
                found[is_whole].append(await at_full_speed(kind, port, pid, ROUND_S))
                name = f"{kind} {'whole' if is_whole else 'limit'}"
                print("{:13} {:7.0f} pushes/s, {:7.0f} a second of its processor".format(name, *found[is_whole][-1]))
        times_ms = await at_a_pace(kind, whole[1], paced_s)
    per_s, per_processor_s = (
        _compared([one[place] for one in found[True]], [one[place] for one in found[False]]) for place in (0, 1)
    )
    paced = {"p50": times_ms[len(times_ms) // 2], "p99": times_ms[len(times_ms) * 99 // 100], "max": times_ms[-1]}
    return {
        "name": f"webhook {kind}",
        **per_s,
        "unit": "pushes/s, 64 connections, one process; limit: verifies and parses only",
        "per_processor_s": per_processor_s,
        "at_500_per_s_ms": {name: round(one, 1) for name, one in paced.items()},
        "holds": paced["p99"] < 500 and paced["max"] < LONGEST_MS,
    }


def _compared(values: list[float], limits: list[float]) -> dict[str, float]:
    """Medians of both, and of the ratio of those that followed each other."""
    ratios = [value / limit for value, limit in zip(values, limits, strict=True)]
    value, limit = round(statistics.median(values)), round(statistics.median(limits))
    return {"value": value, "limit": limit, "ratio": round(statistics.median(ratios), 3)}


def main() -> None:
    import uvloop

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--kind", choices=KINDS, help="instead of wechat and twilio")
    parser.add_argument("--serve", choices=KINDS)
    parser.add_argument("--whole", action="store_true")
    arguments = parser.parse_args()
    if arguments.serve:
        uvloop.run(serve(arguments.serve, whole=arguments.whole))
        return
    lines = []
    for kind in (arguments.kind,) if arguments.kind else KINDS[:2]:
        lines.append(uvloop.run(measure(kind, *((16, 4.0) if arguments.short else (40, 20.0)))))
        print(json.dumps(lines[-1]))
    worst = min(lines, key=lambda line: cast("float", line["ratio"]))
    print(json.dumps({**worst, "name": "webhook", "of": {str(line["name"]): line["ratio"] for line in lines}}))


if __name__ == "__main__":
    main()
