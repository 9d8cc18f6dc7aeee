"""A city's app brings a matter to the hotline: both ways, over a gateway that is killed, and it is called back."""

import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.conftest import Eventually
from tests.peers.platform import CLIENT, OLD_SECRET, SECRET, Platform, Receiver, Request, receiving
from tests.peers.ports import free_pair
from tests.peers.yihao import Yihao
from tests.scenarios.conftest import SHORT_WAITS, running
from tests.scenarios.kinds import OpensDesk


@pytest.fixture(scope="module")
def callback() -> int:
    """The port of the platform's callback."""
    return free_pair()


@pytest.fixture(scope="module")
def hotline(callback: int) -> Iterator[Yihao]:
    url = f"http://127.0.0.1:{callback}/events"
    client = f'id = "{CLIENT}", secrets = ["{SECRET}", "{OLD_SECRET}"], callback = "{url}", vouches_for_phones = true'
    sets = {"govapi.clients": f"[{{{client}}}]", "govapi.plain_callbacks": "true", "http.port": str(free_pair())}
    yield from running({**SHORT_WAITS, **sets})


@pytest.fixture
async def receiver(callback: int) -> AsyncIterator[Receiver]:
    async with receiving(callback) as one:
        yield one


@pytest.fixture
async def platform(hotline: Yihao, receiver: Receiver) -> AsyncIterator[Platform]:
    async with aiohttp.ClientSession() as http:
        one = Platform(http, hotline.http)
        await one.learn()
        receiver.platform = one
        yield one


async def test_a_matter_from_its_beginning_to_its_rating(
    hotline: Yihao, platform: Platform, receiver: Receiver, desk: OpensDesk, eventually: Eventually
) -> None:
    user = {"id": "u1", "phone": "+8613800138000", "phone_verified": True}
    told = await platform.ask("openSession", {"user": user, "text": "路灯坏了"})
    session = told.body["session"]
    assert (told.status, told.body["phase"]) == (201, "waiting")
    assert await eventually(lambda: _place(platform, session), deadline_s=15) == {
        "position": 1, "waiting": 1, "estimate_s": None,
    }  # fmt: skip

    agent = await desk(hotline, "8001")
    await agent.make_ready()
    offer = await agent.offer()
    assert (offer["session"], offer["medium"]) == (session, "message")
    await agent.accept(offer)
    await agent.saw("contact.state", session=session, phase="active")
    shown = json.loads(await agent.get(f"/api/sessions/{session}/person"))
    schemes = [one["address"].partition(" ")[0] for one in shown["addresses"]]
    assert (schemes, shown["claims"]) == (["gov", "tel"], []), "one citizen with whoever calls from that number"
    await agent.command("msg.send", session=session, text="在哪条路？")
    await eventually(lambda: receiver.texts == ["路灯坏了", "在哪条路？"], deadline_s=15)
    asked = [event["message"] for event in receiver.events if event["type"] == "message"][-1]
    assert asked["from"] == "agent"

    assert (await platform.ask("markRead", {"message": asked["id"]}, session=session)).status == 200
    assert (await platform.ask("sendText", {"text": "人民路"}, session=session)).status == 201
    await eventually(lambda: "人民路" in agent.texts(session), deadline_s=15)

    assert (await platform.ask("endSession", session=session)).status == 200
    await eventually(lambda: _rateable(receiver), deadline_s=15)
    assert (await platform.ask("rateSession", {"score": 5}, session=session)).status == 200
    await eventually(lambda: not _rateable(receiver), deadline_s=15)

    assert agent.texts(session) == ["路灯坏了", "在哪条路？", "人民路"]
    brought = [event["cursor"] for event in receiver.events]
    assert brought == sorted(set(brought)) == [event["cursor"] for event in await platform.events(session)]


async def _place(platform: Platform, session: str) -> object:
    return (await platform.ask("getSession", session=session)).body["place"]


def _rateable(receiver: Receiver) -> bool:
    states = [event for event in receiver.events if event["type"] == "state"]
    return bool(states) and bool(states[-1]["may_rate"])


async def test_a_gateway_killed_before_it_answers_keeps_what_it_took_and_doubles_nothing(
    hotline: Yihao, platform: Platform, receiver: Receiver, desk: OpensDesk, eventually: Eventually
) -> None:
    agent = await desk(hotline, "8002")
    await agent.make_ready()
    session = await platform.opens("u2", "0")
    await agent.accept(await agent.offer(20.0))
    with _sent(hotline, platform, session, "1"):
        await eventually(lambda: "1" in agent.texts(session), deadline_s=15)  # so it is durable
        with _sent(hotline, platform, session, "2"):
            hotline.kill()
    await hotline.start()
    await agent.open(30)
    for text in ("1", "2"):
        told = await platform.ask("sendText", {"text": text}, session=session, key=f"the-key-of-{text}")
        assert told.status == 201, told.body
    await eventually(lambda: agent.texts(session) == ["0", "1", "2"], deadline_s=15)
    assert await platform.texts(session) == ["0", "1", "2"]

    # The letter's leg was nobody's own: the session goes on, and the callback too, where the dead process left it.
    await agent.command("msg.send", 20.0, session=session, text="收到")
    await eventually(lambda: "收到" in receiver.texts, deadline_s=30)
    once = {event["cursor"]: event for event in receiver.events}
    assert [one["message"]["text"] for _, one in sorted(once.items()) if one["type"] == "message"] == [
        "0", "1", "2", "收到",
    ]  # fmt: skip


@contextmanager
def _sent(hotline: Yihao, platform: Platform, session: str, text: str) -> Iterator[None]:
    """A whole request is on its way, and its answer is never read."""
    body = json.dumps({"text": text}).encode()
    target = platform.target("sendText", session=session)
    request = platform.signed("POST", target, body, key=f"the-key-of-{text}")
    with socket.create_connection(("127.0.0.1", urlsplit(hotline.http).port or 0)) as connection:
        connection.sendall(_wire(request, body))
        yield


def _wire(request: Request, body: bytes) -> bytes:
    """The request as HTTP/1.1 writes it."""
    url = urlsplit(request.url)
    fields = {"Host": url.netloc, **request.headers, "Content-Length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"POST {url.path} HTTP/1.1\r\n{head}\r\n".encode() + body
