"""A platform's users in their sessions: a real core, and a client that knows nothing but the document."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest

from session.address import Address
from session.belonging import NameClaimed
from session.events import FileReceived, LegClosed, MessageDelivered, MessageRead, RatingGiven, TextReceived
from session.ids import SessionId
from session.state import Party, Phase
from tests.channels.govapi.conftest import AGENT, Api, Core, serving
from tests.conftest import Eventually
from tests.peers.platform import CLIENT, Platform

PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89" + b"x" * 200


async def test_a_dialogue_both_ways(core: Core, api: Api, eventually: Eventually) -> None:
    platform = api.platform
    told = await platform.ask("openSession", {"user": {"id": "u1", "name": "王\n小明"}, "text": "路灯坏了"})
    assert told.status == 201
    session = told.body["session"]
    await core.accepts(session)
    await eventually(lambda: core.post.absorbed(SessionId(session)))
    await core.writes(session, "在哪条路？", "m1")
    (answer,) = await _new(platform, session, "agent")
    assert answer["message"] == {"id": "m1", "from": "agent", "name": "工号8001", "text": "在哪条路？", "file": None}

    assert (await platform.ask("sendText", {"text": "人民路"}, session=session)).status == 201
    assert await platform.texts(session) == ["路灯坏了", "在哪条路？", "人民路"]

    read = await platform.ask("markRead", {"message": "m1"}, session=session)
    assert read.body["cursor"] > 0
    again = await platform.ask("markRead", {"message": "m1"}, session=session)
    assert again.body["cursor"] in (0, read.body["cursor"])
    (seen,) = await core.post.said(SessionId(session), MessageRead)
    assert isinstance(seen, MessageRead)
    assert seen.by is Party.CITIZEN

    await core.finishes(session)
    await eventually(lambda: _phase(platform, session, "ended"))
    rated = await platform.ask("rateSession", {"score": 5, "comment": "很快", "solved": False}, session=session)
    assert rated.status == 200
    (rating,) = await core.post.said(SessionId(session), RatingGiven)
    assert isinstance(rating, RatingGiven)
    assert (rating.score, rating.comment, rating.solved) == (5, "很快", False)
    (named,) = await core.post.said(SessionId(session), NameClaimed)
    assert isinstance(named, NameClaimed)
    assert named.name == "王 小明"
    assert (await platform.ask("rateSession", {"score": 1}, session=session)).body["cursor"] == rated.body["cursor"]
    assert (await platform.ask("sendText", {"text": "还有"}, session=session)).problem == "session-ended"


async def _new(platform: Platform, session: str, sender: str) -> list[dict[str, object]]:
    events = await platform.events(session)
    return [one for one in events if one["type"] == "message" and one["message"]["from"] == sender]


async def _phase(platform: Platform, session: str, phase: str) -> bool:
    told = await platform.ask("getSession", session=session)
    return bool(told.body["phase"] == phase)


async def test_the_place_in_line_is_told(core: Core, api: Api, eventually: Eventually) -> None:
    await core.store.queue.discharge(AGENT)
    first = await api.platform.opens("u1")
    await eventually(lambda: _stands(api.platform, first, 1), deadline_s=10)
    second = await api.platform.opens("u2")
    await eventually(lambda: _stands(api.platform, second, 2), deadline_s=10)
    assert await _stands(api.platform, first, 1)


async def _stands(platform: Platform, session: str, position: int) -> bool:
    place = (await platform.ask("getSession", session=session)).body["place"]
    return place is not None and (place["position"], place["estimate_s"]) == (position, None)


async def test_who_comes_again_goes_on_where_they_were(core: Core, api: Api) -> None:
    platform = api.platform
    session = await platform.opens("u1", "路灯坏了")
    again = await platform.ask("openSession", {"user": {"id": "u1"}, "text": "还没有人来"})
    assert (again.status, again.body["session"]) == (200, session)
    assert await platform.texts(session) == ["路灯坏了", "还没有人来"]
    assert len((await core.post.session(SessionId(session))).legs) == 1, "one leg, however often they come"
    assert await platform.opens("u2") != session


async def test_who_left_begins_anew(core: Core, api: Api, eventually: Eventually) -> None:
    platform = api.platform
    session = await platform.opens("u1")
    assert (await platform.ask("endSession", session=session)).status == 200
    assert (await platform.ask("endSession", session=session)).status == 200, "to have left is no error"
    await eventually(lambda: core.post.phase(SessionId(session)))
    assert len(await core.post.said(SessionId(session), LegClosed)) == 1
    await eventually(lambda: _is(core, session, Phase.CLOSED))
    told = await platform.ask("openSession", {"user": {"id": "u1"}})
    assert (told.status, told.body["session"] != session) == (201, True)


async def _is(core: Core, session: str, phase: Phase) -> bool:
    return await core.post.phase(SessionId(session)) is phase


async def test_a_person_can_always_be_asked_for(core: Core, api: Api) -> None:
    session = await api.platform.opens()
    assert (await api.platform.ask("requestHuman", session=session)).status == 200


async def test_files_go_both_ways(core: Core, api: Api, eventually: Eventually) -> None:
    platform = api.platform
    session = await platform.opens()
    kept = await platform.ask("uploadFile", PNG, content_type="image/png")
    assert (kept.status, kept.body["content_type"], kept.body["size_bytes"]) == (201, "image/png", len(PNG))
    sent = await platform.ask("sendFile", {"file": kept.body["file"], "name": "路灯.png"}, session=session)
    assert sent.status == 201
    (event,) = await core.post.said(SessionId(session), FileReceived)
    assert isinstance(event, FileReceived)
    assert (event.name, event.size_bytes) == ("路灯.png", len(PNG))
    got = await platform.ask("getFile", session=session, file=kept.body["file"])
    assert hashlib.sha256(got.body).digest() == hashlib.sha256(PNG).digest()
    other = await platform.opens("u2")
    assert (await platform.ask("getFile", session=other, file=kept.body["file"])).problem == "file-unknown"
    assert (await platform.ask("sendFile", {"file": "nothing"}, session=session)).problem == "file-unknown"
    assert (await platform.ask("uploadFile", b"MZ" + b"\0" * 99, content_type="image/png")).problem == "file-refused"


async def test_who_waits_hears_at_once(core: Core, api: Api) -> None:
    platform = api.platform
    session = await platform.opens()
    await core.accepts(session)
    cursor = (await platform.ask("getEvents", session=session)).body["cursor"]
    waiting = asyncio.create_task(platform.events(session, cursor, 20))
    await asyncio.sleep(0)
    await core.writes(session, "您好", "m1")
    async with asyncio.timeout(10):
        heard = await waiting
        while not any(one["type"] == "message" for one in heard):  # who has it may be told first
            heard = await platform.events(session, heard[-1]["cursor"], 20)
    assert heard[-1]["message"]["text"] == "您好"


async def test_what_was_fetched_has_arrived(core: Core, api: Api, eventually: Eventually) -> None:
    """The agent sees that the platform has their words; and the platform, that the agent has read its user's."""
    platform = api.platform
    session = await platform.opens()
    await core.accepts(session)
    await eventually(lambda: core.post.absorbed(SessionId(session)))
    await core.writes(session, "您好", "m1")
    (first,) = [one for one in await platform.events(session) if one["type"] == "message" and one["cursor"] < 4]
    await core.reads(session, first["message"]["id"])
    assert not await core.post.said(SessionId(session), MessageDelivered)
    page = (await platform.ask("getEvents", session=session)).body
    await platform.ask("getEvents", session=session, after=page["cursor"])
    await platform.ask("getEvents", session=session, after=page["cursor"])
    (delivered,) = await core.post.said(SessionId(session), MessageDelivered)
    assert isinstance(delivered, MessageDelivered)
    assert (delivered.message, delivered.to) == ("m1", Party.CITIZEN)
    assert [one["progress"] for one in page["events"] if one["type"] == "progress"] == ["read"]


async def test_events_come_page_by_page(core: Core, api: Api) -> None:
    platform = api.platform
    session = await platform.opens(text="0")
    for number in range(1, 8):
        await platform.ask("sendText", {"text": str(number)}, session=session)
    seen: list[str] = []
    after, more = 0, True
    while more:
        page = (await platform.ask("getEvents", session=session, after=after, limit=3)).body
        seen += [one["message"]["text"] for one in page["events"] if one["type"] == "message"]
        after, more = page["cursor"], page["more"]
    assert seen == [str(number) for number in range(8)]


async def test_another_client_sees_nothing(core: Core, api: Api) -> None:
    session = await api.platform.opens("u1")
    other = api.platform.__class__(
        api.platform.http, api.base, client="other-app", secret="another-platforms-secret-which-is-long-enough"
    )
    await other.learn()
    for operation, asked in (
        ("getSession", None), ("getEvents", None), ("sendText", {"text": "x"}), ("endSession", {}),
        ("markRead", {"message": "m"}), ("rateSession", {"score": 1}), ("requestHuman", {}),
    ):  # fmt: skip
        assert (await other.ask(operation, asked, session=session)).problem == "session-unknown"
    assert await other.opens("u1") != session, "the same name of a user, and another user"
    assert len(await core.post.said(SessionId(session), TextReceived)) == 1


@pytest.mark.parametrize("session", ["nobody", "01HZZZZZZZZZZZZZZZZZZZZZZZ", "..", "x" * 200])
async def test_a_session_that_is_not_there(api: Api, session: str) -> None:
    told = await api.platform.ask("getSession", session=session)
    assert told.problem == "session-unknown"


@pytest.mark.parametrize(
    ("trusted", "verified", "vouched"), [(True, True, True), (True, False, False), (False, True, False)]
)
async def test_a_telephone_number_is_passed_on_as_what_it_is(
    core: Core, trusted: bool, verified: bool, vouched: bool
) -> None:
    """A claim stays a claim, unless the client is trusted with its users' numbers, and says that it has verified it."""
    async with serving(core, client={"vouches_for_phones": trusted}) as api:
        user = {"id": "u1", "phone": "+8613800138000", "phone_verified": verified}
        told = await api.platform.ask("openSession", {"user": user})
        assert (await api.platform.ask("openSession", {"user": user})).status == 200
        assert core.attested.said == [(Address("gov", "u1", CLIENT), "+8613800138000", vouched)], "said once"
        await api.platform.ask("openSession", {"user": {**user, "phone": "+8613900139000"}})
        assert len(core.attested.said) == 2
        assert "+8613800138000" not in str(await api.platform.events(told.body["session"]))


async def test_fields_that_nobody_knows_are_passed_over(api: Api) -> None:
    """A newer client's (row 27 of what the hotline is asked)."""
    asked = {"user": {"id": "u1", "级别": 3}, "text": "路灯坏了", "x-new": {"a": [1]}}
    assert (await api.platform.ask("openSession", asked)).status == 201


async def test_a_node_that_drains_lets_go_of_who_waits(core: Core, api: Api, eventually: Eventually) -> None:
    session = await api.platform.opens()
    cursor = (await api.platform.ask("getEvents", session=session)).body["cursor"]
    waiting = asyncio.create_task(api.platform.events(session, cursor + 10, 30))
    await eventually(lambda: api.channel._reception._polls.get("city-app"))
    async with asyncio.timeout(5):
        await api.channel.drain(5.0)
        assert await waiting == []


@pytest.fixture
async def other_node(core: Core) -> AsyncIterator[Api]:
    async with serving(core, "node-2") as opened:
        yield opened


async def test_any_node_serves_any_session(core: Core, api: Api, other_node: Api) -> None:
    session = await api.platform.opens("u1", "一")
    assert (await other_node.platform.ask("sendText", {"text": "二"}, session=session)).status == 201
    assert (await api.platform.ask("sendText", {"text": "三"}, session=session)).status == 201
    assert await other_node.platform.texts(session) == ["一", "二", "三"]
    assert (await other_node.platform.ask("openSession", {"user": {"id": "u1"}})).body["session"] == session
