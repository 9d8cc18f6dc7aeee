"""The desk of an agent, through the real house and a real socket: what they see, and what their commands do."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from channels.webchat.translate import RECALLED
from gateway.feed import Feed, Follower
from queueing.contract import AssigneeView
from session.events import AssigneeAway
from session.ids import AssigneeId, SessionId
from session.ports import Entry
from session.state import Medium
from tests.conftest import Eventually
from tests.gateway.living import Living, living
from tests.gateway.town import a_call
from tests.peers.pages import OWN_PAGE, CitizenPage, DeskPage, Refused

Desk = Callable[[str], Awaitable[DeskPage]]
Citizen = Callable[[], Awaitable[CitizenPage]]
Frame = dict[str, Any]


@pytest.fixture
async def town(valkey_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Living]:
    monkeypatch.setattr("gateway.desk.LOOK_S", 0.2)
    monkeypatch.setattr("gateway.desk.REFRESH_S", 0.4)
    async with living(valkey_url, tmp_path, session__assignee_grace_s="1", session__wrap_s="30") as opened:
        yield opened


@pytest.fixture
async def desk(town: Living) -> AsyncIterator[Desk]:
    """Opens the desk of a demo agent, ready."""
    async with AsyncExitStack() as stack:

        async def make(login: str) -> DeskPage:
            page = await stack.enter_async_context(town.desk(login))
            await page.open()
            await page.make_ready()
            return page

        yield make


@pytest.fixture
async def citizen(town: Living) -> AsyncIterator[Citizen]:
    async with AsyncExitStack() as stack:

        async def make() -> CitizenPage:
            page = await stack.enter_async_context(CitizenPage(town.http))
            await page.open()
            return page

        yield make


async def _talking(desk: DeskPage, citizen: CitizenPage) -> str:
    """They are connected; gives the session."""
    await citizen.write("你好")
    offer = await desk.offer()
    await desk.accept(offer)
    await desk.saw("contact.state", session=offer["session"], phase="active")
    return str(offer["session"])


def _timeline(page: DeskPage, session: str, kind: str) -> list[Frame]:
    entries = [frame for frame in page.frames if frame["t"] == "contact.timeline" and frame["session"] == session]
    return [frame["entry"] for frame in entries if frame["entry"]["kind"] == kind]


async def test_the_first_frame_is_all_that_there_is(town: Living) -> None:
    async with town.desk("8001") as page:
        await page.open()
        snapshot = await page.saw("snapshot")
        assert snapshot["presence"]["presence"] == "off"
        assert snapshot["devices"] == {"desk": True, "phone": None}
        assert (snapshot["offers"], snapshot["contacts"]) == ([], [])
        assert [line["queue"] for line in snapshot["queues"]] == ["general"]


async def test_from_offer_to_wrap_up(desk: Desk, citizen: Citizen, eventually: Eventually) -> None:
    agent, visitor = await desk("8001"), await citizen()
    asked = await visitor.write("路灯坏了")
    offer = await agent.offer()
    assert (offer["medium"], offer["queue"]) == ("chat", "general")
    assert offer["why"]["winner"] == "8001"
    assert offer["ring_until"] > offer["waited_s"]
    assert visitor.visitor is not None
    assert visitor.visitor not in str(offer), "the citizen is masked"
    await agent.accept(offer)
    session = offer["session"]
    await agent.saw("offer.revoked", session=session, token=offer["token"], reason="accepted")
    await agent.saw("contact.state", session=session, phase="active", assignee="8001")
    (first,) = await eventually(lambda: _timeline(agent, session, "text"))
    assert (first["text"], first["message"], first["who"]["kind"]) == ("路灯坏了", asked, "citizen")

    sent = (await agent.command("msg.send", session=session, text="在哪条路？"))["id"]
    await eventually(lambda: "在哪条路？" in visitor.texts())
    assert [entry["text"] for entry in _timeline(agent, session, "text")] == ["路灯坏了", "在哪条路？"]
    await agent.until(lambda frame: _progress(frame, sent, "delivered"), what="delivery")
    await visitor.command("msg.read", message=sent)
    await agent.until(lambda frame: _progress(frame, sent, "read"), what="reading")
    stands = [{**frame, "seq": 0} for frame in agent.frames if frame["t"] == "contact.state"]
    assert all(one != other for one, other in pairwise(stands)), "words change nothing of where it stands"

    await agent.command("note.add", session=session, text="老客户")
    await agent.command("contact.finish", session=session)
    wrapping = await agent.saw("contact.state", session=session, phase="wrapping")
    assert wrapping["wrap_until"] is not None
    await eventually(lambda: visitor.phase == "ended")
    assert "老客户" not in str(visitor.frames)
    with pytest.raises(Refused, match="kind_needed"):
        await agent.command("wrap.save", session=session, note="已转路灯所")
    until = [wrapping["wrap_until"]]
    for _ in range(3):
        await agent.command("wrap.extend", session=session)
        later = await agent.until(lambda one: one.get("wrap_until", 0) > until[-1] + 50, what="more time")
        until.append(later["wrap_until"])
    with pytest.raises(Refused, match="no_more_time"):
        await agent.command("wrap.extend", session=session)
    await agent.command("wrap.save", session=session, kind="求助", note="已转路灯所")
    await agent.saw("contact.gone", session=session)
    await agent.saw("presence.self", routing="ready")


def _progress(frame: Frame, message: str, state: str) -> bool:
    entry = frame.get("entry", {})
    return entry.get("kind") == "progress" and (entry["message"], entry["state"]) == (message, state)


async def test_what_a_citizen_wrote_is_delivered_and_read(desk: Desk, citizen: Citizen, eventually: Eventually) -> None:
    """Also what they wrote before anybody was there; but not to a desk that may yet decline."""
    visitor = await citizen()
    early = await visitor.write("有人吗？")
    agent = await desk("8001")
    offer = await agent.offer()
    in_offer = await visitor.write("喂？")
    await agent.until(lambda frame: frame["t"] == "offer.new")
    assert not [frame for frame in visitor.frames if frame["t"] == "msg.state" and frame["state"] != "sent"]
    await agent.accept(offer)
    session = offer["session"]
    await eventually(lambda: {_state_of(visitor, one) for one in (early, in_offer)} == {"delivered"})
    late = await visitor.write("在吗")
    await eventually(lambda: _state_of(visitor, late) == "delivered")
    await agent.command("msg.read", session=session, message=late)
    await eventually(lambda: _state_of(visitor, late) == "read")


def _state_of(page: CitizenPage, message: str) -> str:
    """As the page draws it: `read` goes for every earlier message too, `delivered` for its own alone."""
    order = [str(one["id"]) for one in page.messages()]
    state = "sent"
    for frame in page.frames:
        if frame["t"] != "msg.state" or frame["id"] not in order:
            continue
        if frame["id"] == message and state == "sent":
            state = frame["state"]
        if frame["state"] == "read" and order.index(frame["id"]) >= order.index(message):
            state = "read"
    return state


async def test_what_is_not_yours_is_refused(desk: Desk, citizen: Citizen) -> None:
    first, visitor = await desk("8001"), await citizen()
    session = await _talking(first, visitor)
    second = await desk("8002")
    commands: list[tuple[str, dict[str, Any]]] = [
        ("msg.send", {"text": "hello"}),
        ("msg.read", {"message": "m"}),
        ("note.add", {"text": "note"}),
        ("contact.finish", {}),
        ("contact.park", {}),
        ("contact.resume", {}),
        ("wrap.save", {}),
        ("wrap.extend", {}),
        ("file.send", {"file": "f", "name": "n"}),
    ]
    for kind, fields in commands:
        with pytest.raises(Refused) as refused:
            await second.command(kind, session=session, **fields)
        assert refused.value.code == "not_yours", kind
    with pytest.raises(Refused) as refused:
        await second.command("offer.accept", session=session, token=1)
    assert refused.value.code in {"taken", "not_offered"}
    assert visitor.texts() == ["你好"]


async def test_presence_needs_a_reason(desk: Desk) -> None:
    page = await desk("8001")
    for presence in ("break", "off"):
        with pytest.raises(Refused) as refused:
            await page.command("presence.set", presence=presence, reason="  ")
        assert refused.value.code == "reason_needed"
    await page.command("presence.set", presence="break", reason="午餐")
    await page.saw("presence.self", presence="break", reason="午餐", routing="off")


async def test_a_decline_asks_another(desk: Desk, citizen: Citizen) -> None:
    first, visitor = await desk("8001"), await citizen()
    await visitor.write("你好")
    offer = await first.offer()
    second = await desk("8002")
    await first.command("offer.decline", session=offer["session"], token=offer["token"], reason="busy")
    await first.saw("offer.revoked", session=offer["session"], token=offer["token"], reason="declined")
    again = await second.offer()
    assert again["session"] == offer["session"]
    assert again["waited_s"] >= offer["waited_s"]
    with pytest.raises(Refused) as refused:
        await first.command("offer.decline", session=offer["session"], token=offer["token"])
    assert refused.value.code == "not_offered"


async def test_a_second_desk_is_refused_unless_it_takes(town: Living, desk: Desk, eventually: Eventually) -> None:
    first = await desk("8001")
    async with town.desk("8001") as second:
        await eventually(lambda: second.closed_with == 4001)
    assert first.closed_with is None
    socket = await _hello(town, first, take=True)
    assert (await socket.receive_json())["t"] == "welcome"
    await eventually(lambda: first.closed_with == 4001)
    await socket.close()


async def _hello(town: Living, page: DeskPage, **fields: object) -> Any:
    """One more socket of that agent."""
    ticket = await page.ticket(town.http)
    socket = await page.http.ws_connect(f"ws{town.http[4:]}{page.path}", origin=town.http)
    await socket.send_json({"t": "hello", "v": 1, "ticket": ticket, **fields})
    return socket


async def test_desks_are_kept_together_so_that_none_is_taken_for_gone(
    town: Living, desk: Desk, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    """Each is told to be there while the others are: in a row, two hundred of a busy node outlived their time."""
    queue, waiting = town.house.node._store.queue, set[str]()
    reach, together = queue.reach, asyncio.Event()

    async def waits_for_all(agent: AssigneeId, via: str, media: frozenset[Medium], *, ttl_s: float) -> AssigneeView:
        waiting.add(agent)
        if len(waiting) == len(logins):
            together.set()
        await together.wait()
        return await reach(agent, via, media, ttl_s=ttl_s)

    logins = ("8001", "8002", "8003")
    for login in logins:
        await desk(login)
    monkeypatch.setattr(queue, "reach", waits_for_all)
    try:
        await eventually(together.is_set)
    finally:
        together.set()


async def test_a_ticket_is_good_once(town: Living, desk: Desk) -> None:
    page = await desk("8001")
    ticket = await page.ticket(town.http)
    closes = []
    for _ in range(2):
        socket = await page.http.ws_connect(f"ws{town.http[4:]}{page.path}", origin=town.http)
        await socket.send_json({"t": "hello", "v": 1, "ticket": ticket})
        while not socket.closed:
            await socket.receive()
        closes.append(socket.close_code)
    assert closes == [4001, 4003], "the first was refused as a second desk, and used its ticket up"


async def test_a_desk_that_vanishes_in_an_offer(desk: Desk, citizen: Citizen) -> None:
    """The newcomer's third minute: the citizen is offered to another, with their wait kept."""
    first, visitor = await desk("8001"), await citizen()
    await visitor.write("你好")
    offer = await first.offer()
    second = await desk("8002")
    first.stay_away()
    again = await second.offer()
    assert again["session"] == offer["session"]
    assert again["waited_s"] > offer["waited_s"]
    await second.accept(again)
    made = [entry for entry in _timeline(second, offer["session"], "offer") if entry["what"] == "rescinded"]
    assert [entry["who"]["name"] for entry in made] == ["8001"]


async def test_a_reload_keeps_the_offer(desk: Desk, citizen: Citizen, eventually: Eventually) -> None:
    """Also beyond the moment at which it would have been taken back."""
    agent, visitor = await desk("8001"), await citizen()
    await visitor.write("你好")
    offer = await agent.offer()
    agent.cut()
    cut_at = time.monotonic()
    await agent.open()
    await eventually(lambda: time.monotonic() > cut_at + 0.6)
    await agent.accept(offer)
    await agent.saw("contact.state", session=offer["session"], phase="active")


async def test_chats_of_a_vanished_desk_wait_for_it(desk: Desk, citizen: Citizen, eventually: Eventually) -> None:
    agent, visitor = await desk("8001"), await citizen()
    session = await _talking(agent, visitor)
    agent.stay_away()
    await visitor.write("还在吗？")
    other = await desk("8002")
    agent.come_back()
    await agent.open()
    await eventually(lambda: "还在吗？" in [entry["text"] for entry in _timeline(agent, session, "text")])
    await agent.command("msg.send", session=session, text="在")
    assert not [frame for frame in other.frames if frame["t"] == "offer.new"]


async def test_chats_of_a_desk_that_stays_away_come_back_to_the_same_agent(desk: Desk, citizen: Citizen) -> None:
    agent, visitor = await desk("8001"), await citizen()
    session = await _talking(agent, visitor)
    agent.stay_away()
    other = await desk("8002")
    elsewhere = await other.offer()
    assert elsewhere["session"] == session, "after the grace another is asked"
    agent.come_back()
    await agent.open()
    await other.command("offer.decline", session=session, token=elsewhere["token"])
    back = await agent.offer(after=int(elsewhere["token"]))
    assert back["session"] == session
    await agent.accept(back)
    await agent.command("msg.send", session=session, text="我回来了")


async def test_an_agent_who_writes_at_once_need_not_wait_for_the_feed(
    desk: Desk, citizen: Citizen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was accepted is theirs with the very next command, however late the news of it travels."""
    agent, visitor = await desk("8001"), await citizen()
    await visitor.write("你好")
    offer = await agent.offer()
    show, gate = Feed._show, asyncio.Event()

    async def late(feed: Feed, follower: Follower, entry: Entry) -> None:
        await gate.wait()
        await show(feed, follower, entry)

    monkeypatch.setattr(Feed, "_show", late)
    try:
        await agent.accept(offer)
        await agent.command("msg.send", session=offer["session"], text="您好")
    finally:
        gate.set()
    await agent.saw("contact.state", session=offer["session"], phase="active")


async def test_who_logs_out_leaves_no_chat_behind(town: Living, desk: Desk, citizen: Citizen) -> None:
    """Logging out forgets the desk at once; its chats go back in line all the same."""
    agent, visitor = await desk("8001"), await citizen()
    session = await _talking(agent, visitor)
    other = await desk("8002")
    async with agent.http.post(f"{town.http}/api/logout", headers={**OWN_PAGE, "Origin": town.http}) as answer:
        assert answer.status == 200
    offer = await other.offer()
    assert offer["session"] == session


async def test_who_is_taken_off_the_roster_is_told(town: Living, desk: Desk, eventually: Eventually) -> None:
    """A disabled account's open desk can do nothing more, and harms nobody."""
    page = await desk("8001")
    await town.house.node._store.queue.discharge(AssigneeId("8001"))
    with pytest.raises(Refused) as refused:
        await page.command("presence.set", presence="ready")
    assert refused.value.code == "forbidden"


async def test_who_is_taken_off_the_roster_harms_nobody(town: Living, desk: Desk, eventually: Eventually) -> None:
    """The others' desks go on saying that they are there."""
    first, second = await desk("8001"), await desk("8002")
    queue = town.house.node._store.queue
    await queue.discharge(AssigneeId("8001"))
    await eventually(lambda: first.closed_with or not first.welcomed.is_set())
    gone = await queue.reach(AssigneeId("8002"), f"desk:{town.house.node.id}", frozenset(), ttl_s=1.0)
    assert not gone.reachable
    await eventually(lambda: _reachable(town, "8002"), deadline_s=15)
    assert second.closed_with is None


async def _reachable(town: Living, login: str) -> bool:
    return bool((await town.house.node._store.queue.view(AssigneeId(login))).reachable)


async def test_an_absence_that_was_none_is_taken_back(town: Living, desk: Desk, citizen: Citizen) -> None:
    """The store was away for longer than a desk's word holds: every agent with a chat is thought gone."""
    agent, visitor = await desk("8001"), await citizen()
    session = await _talking(agent, visitor)
    await town.house.node._store.log.append(SessionId(session), AssigneeAway(assignee=AssigneeId("8001")))
    await agent.until(lambda frame: frame.get("entry", {}).get("what") == "assignee_back", what="taking back")
    assert not [frame for frame in agent.frames if frame["t"] == "contact.gone"]


async def test_typing_is_shown_both_ways(desk: Desk, citizen: Citizen) -> None:
    agent, visitor = await desk("8001"), await citizen()
    session = await _talking(agent, visitor)
    await agent.mention("typing", session=session)
    await visitor.until(lambda frame: frame["t"] == "typing", what="the agent's typing")
    await visitor.mention("typing")
    await agent.until(lambda frame: frame["t"] == "typing", what="the citizen's typing")


async def test_a_call_is_answered_by_telephone_only(town: Living, desk: Desk, eventually: Eventually) -> None:
    page = await desk("8001")
    store = town.house.node._store
    await store.queue.reach(AssigneeId("8001"), "phone", frozenset({Medium.VOICE}), ttl_s=60.0)
    inbox = town.house.channels["phone"]._inbox  # type: ignore[attr-defined]
    await inbox.open(a_call())
    offer = await page.offer()
    assert offer["medium"] == "voice"
    assert "138****8000" in offer["citizen"]
    with pytest.raises(Refused) as refused:
        await page.accept(offer)
    assert refused.value.code == "use_phone"
    await page.command("offer.decline", session=offer["session"], token=offer["token"])


async def test_a_parked_contact_is_taken_up_again(desk: Desk, citizen: Citizen) -> None:
    agent, visitor = await desk("8001"), await citizen()
    session = await _talking(agent, visitor)
    await agent.command("contact.park", session=session)
    await agent.saw("contact.state", session=session, phase="parked")
    await agent.command("contact.resume", session=session)
    offer = await agent.offer(after=1)
    await agent.accept(offer)
    await agent.saw("contact.state", session=session, phase="active")


async def test_a_break_chosen_during_a_contact_is_shown_as_what_comes_next(desk: Desk, citizen: Citizen) -> None:
    agent, visitor = await desk("8001"), await citizen()
    await _talking(agent, visitor)
    await agent.command("presence.set", presence="break", reason="午餐")
    await agent.saw("presence.self", next="break", routing="engaged")


async def test_a_desk_that_is_loaded_anew_is_shown_the_offer_that_its_coming_makes(
    valkey_url: str, tmp_path: Path, eventually: Eventually
) -> None:
    """The agent stayed ready while their browser was closed and the gateway was renewed; a citizen came meanwhile."""
    agent = AssigneeId("8001")
    async with living(valkey_url, tmp_path) as town, town.desk(agent) as page:
        await page.open()
        await page.make_ready()
    async with living(valkey_url, tmp_path) as town, CitizenPage(town.http) as visitor:
        queue = town.house.node._store.queue

        async def is_gone() -> bool:
            return not (await queue.view(agent)).reachable

        await eventually(is_gone, 15.0)
        await visitor.open()
        await visitor.write("路灯坏了")
        async with town.desk(agent) as page:
            await page.open()
            await page.accept(await page.offer())


async def test_a_contact_is_handed_on_with_its_wait(desk: Desk, citizen: Citizen, eventually: Eventually) -> None:
    first, visitor = await desk("8001"), await citizen()
    session = await _talking(first, visitor)
    second = await desk("8002")
    listed = json.loads(await first.get("/api/desk/destinations"))
    assert [(one["login"], one["may"]) for one in listed["agents"]][:1] == [("8002", True)]
    assert "general" in [one["queue"] for one in listed["queues"]]
    for wrong, code in (
        ({"to": "8002"}, "why_needed"),
        ({"to": "8002", "queue": "general", "why": "查供热"}, "one_destination"),
        ({"to": "8001", "why": "查供热"}, "unknown_agent"),
        ({"to": "nobody", "why": "查供热"}, "unknown_agent"),
        ({"queue": "bots", "why": "查供热"}, "unknown_queue"),
    ):
        with pytest.raises(Refused, match=code):
            await first.command("contact.transfer", session=session, **wrong)
    with pytest.raises(Refused, match="not_yours"):
        await second.command("contact.transfer", session=session, to="8001", why="要过来")

    await first.command("contact.transfer", session=session, to="8002", why="查供热")
    await first.saw("contact.gone", session=session)
    offer = await second.offer()
    assert (offer["session"], offer["token"]) == (session, 2)
    await eventually(lambda: visitor.state["phase"] == "waiting" and visitor.state["transferred"])
    await second.accept(offer)
    await eventually(lambda: visitor.state["phase"] == "talking" and not visitor.state["transferred"])
    (handed,) = await eventually(lambda: _timeline(second, session, "transfer"))
    assert (handed["who"]["name"], handed["to"], handed["why"]) == ("8001", "8002", "查供热")
    assert "查供热" not in str(visitor.frames), "the why is for colleagues"


async def test_an_answer_quotes_and_is_taken_back(desk: Desk, citizen: Citizen, eventually: Eventually) -> None:
    """The citizen sees the quote, then that it was taken back; the desk keeps what was said, and who took it back."""
    agent, visitor = await desk("8001"), await citizen()
    session = await _talking(agent, visitor)
    (asked,) = [entry for entry in agent.timeline(session) if entry["kind"] == "text"]
    await agent.command("msg.send", session=session, text="马上修", quotes=asked["message"])
    await eventually(lambda: visitor.texts() == ["你好", "「你好」\n马上修"])
    (said,) = await eventually(lambda: [one for one in _timeline(agent, session, "text") if one["text"] == "马上修"])
    assert said["quote"] == {"message": asked["message"], "text": "你好"}

    for kind, fields in (("msg.recall", {"message": asked["message"]}), ("msg.send", {"text": "好", "quotes": "none"})):
        with pytest.raises(Refused, match="unknown_message"):
            await agent.command(kind, session=session, **fields)
    await agent.command("msg.recall", session=session, message=said["message"])
    await eventually(lambda: visitor.texts() == ["你好", RECALLED])
    (back,) = await eventually(lambda: _timeline(agent, session, "recall"))
    assert (back["message"], back["who"]["name"]) == (said["message"], "8001")
    assert "马上修" in agent.texts(session)
    with pytest.raises(Refused, match="unknown_message"):
        await agent.command("msg.send", session=session, text="好", quotes=said["message"])


async def test_a_colleague_whom_a_note_names_is_told_until_they_look(
    town: Living, desk: Desk, citizen: Citizen, eventually: Eventually
) -> None:
    agent, visitor = await desk("8001"), await citizen()
    session = await _talking(agent, visitor)
    named, other = await desk("8002"), await desk("8003")

    async def unseen() -> list[tuple[str, str]]:
        found = json.loads(await named.get("/api/desk/mentions"))["mentions"]
        return [(one["by"], one["text"]) for one in found if one["session"] == session]

    for nobody in ("8001", "nobody"):
        with pytest.raises(Refused, match="unknown_agent"):
            await agent.command("note.add", session=session, text="@", mentions=[nobody])
    await agent.command("note.add", session=session, text="@李强 请看", mentions=["8002"])
    told = await named.saw("mention.new", session=session)
    assert (told["by"], told["text"]) == ("8001", "@李强 请看")
    await eventually(unseen)  # where a desk that was away will find it, once the archive has the note
    assert await unseen() == [("8001", "@李强 请看")]
    shown = json.loads(await named.get(f"/api/sessions/{session}/timeline"))["entries"]
    assert "@李强 请看" in [one["entry"].get("text") for one in shown]
    with pytest.raises(aiohttp.ClientResponseError, match="404"):
        await other.get(f"/api/sessions/{session}/timeline")
    with pytest.raises(aiohttp.ClientResponseError, match="404"):
        await named.get(f"/api/sessions/{session}/person")
    headers = {**OWN_PAGE, "Origin": town.http}
    async with named.http.post(f"{town.http}/api/desk/mentions", json={"session": session}, headers=headers) as answer:
        assert answer.status == 200
    assert await unseen() == []
