"""What agents write, brought to citizens: through the real core, to a stand-in that counts as WeChat does."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from channels.contract import FileLink, LegUnknown, Text
from channels.wechat.errors import (
    AccountRefused,
    ApiBusy,
    ApiUnreachable,
    BudgetSpent,
    CitizenUnreachable,
    OutcomeUnknown,
    TextTooLong,
    TokenRefused,
    TypeUnsendable,
    WeChatError,
    WindowClosed,
)
from session import events as ev
from session.ids import LegId, MessageId, SessionId
from session.state import Failure, LegEnd
from storage.files import FileStore
from tests.channels.wechat.conftest import Clock
from tests.channels.wechat.rig import AMR, JPEG, OPENID, SETTINGS, ServingNode, World, node
from tests.conftest import Eventually
from tests.peers.wechat import giving, hanging_up, saying, stalling, status

SEND = "/cgi-bin/message/custom/send"
HOUR_S = 3600.0


async def say(
    world: World, here: ServingNode, text: str = "我家停水了", openid: str = OPENID
) -> tuple[SessionId, LegId]:
    """The citizen writes, which WeChat counts too."""
    assert await here.wire.say(text, openid) == (200, "success")
    world.api.windows[openid] = (world.clock() + 48 * HOUR_S, 5)
    return await world.newest()


def text_of(text: str, message: str = "m1") -> Text:
    return Text(MessageId(message), text)


def contents(world: World) -> list[str]:
    return [message["text"]["content"] for message in world.api.sent]


async def test_an_agents_answer_reaches_the_citizen(world: World, here: ServingNode, eventually: Eventually) -> None:
    await say(world, here)
    await here.accept(world)
    await here.write(world, "m1", "您好，请问在哪个小区？😀")
    await eventually(lambda: world.api.sent)
    assert world.api.sent == [{"touser": OPENID, "msgtype": "text", "text": {"content": "您好，请问在哪个小区？😀"}}]
    _, leg = await world.newest()
    assert (await here.channel.allowance(leg)).left == 4
    (accepted,) = await world.events(ev.MessageAccepted)
    assert (accepted.message, accepted.channel) == ("m1", "wechat")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (45015, Failure.WINDOW_CLOSED),
        (45047, Failure.BUDGET_SPENT),
        (45002, Failure.UNSENDABLE),
        (43004, Failure.NO_WAY),
        (48001, Failure.REFUSED),
    ],
)
async def test_an_answer_that_will_not_come_says_why(
    world: World, here: ServingNode, eventually: Eventually, code: int, reason: Failure
) -> None:
    await say(world, here)
    await here.accept(world)
    world.api.interpose(SEND, saying(code))
    await here.write(world, "m1", "您好")
    await eventually(lambda: world.events(ev.MessageFailed))
    (failed,) = await world.events(ev.MessageFailed)
    assert (failed.message, failed.channel, failed.reason, failed.code) == ("m1", "wechat", reason, str(code))
    assert await world.events(ev.MessageAccepted) == []


async def test_five_messages_then_none_until_the_citizen_writes(world: World, here: ServingNode) -> None:
    session, leg = await say(world, here)
    for number in range(5):
        assert (await here.channel.allowance(leg)).left == 5 - number
        await here.channel.send(session, leg, text_of(f"{number}", f"m{number}"))
    with pytest.raises(BudgetSpent) as refused:
        await here.channel.send(session, leg, text_of("一条太多", "m6"))
    assert (refused.value.left, refused.value.needed, refused.value.retryable) == (0, 1, False)
    assert world.api.asked.count(SEND) == 5, "enforced before sending"
    await say(world, here, "还在")
    assert (await here.channel.allowance(leg)).left == 5
    await here.channel.send(session, leg, text_of("一条太多", "m6"))
    assert contents(world)[-1] == "一条太多"


async def test_the_window_closes_after_48_hours(world: World, here: ServingNode, clock: Clock) -> None:
    session, leg = await say(world, here)
    clock.at += 48 * HOUR_S - 1
    await here.channel.send(session, leg, text_of("还来得及"))
    clock.at += 2
    assert (await here.channel.allowance(leg)).left == 0
    with pytest.raises(WindowClosed) as refused:
        await here.channel.send(session, leg, text_of("太晚了", "m2"))
    assert not refused.value.retryable
    assert contents(world) == ["还来得及"]


@pytest.mark.parametrize(("event", "key"), [("subscribe", ""), ("SCAN", "7"), ("CLICK", "x"), ("scancode_push", "x")])
async def test_an_act_allows_three_within_a_minute(
    world: World, here: ServingNode, clock: Clock, event: str, key: str
) -> None:
    _, leg = await say(world, here)
    clock.at += 49 * HOUR_S
    assert (await here.channel.allowance(leg)).left == 0
    await here.wire.push(here.wire.event(event, key))
    assert (await here.channel.allowance(leg)).left == 3
    clock.at += 61
    assert (await here.channel.allowance(leg)).left == 0


async def test_views_and_reports_of_a_place_allow_nothing(world: World, here: ServingNode, clock: Clock) -> None:
    _, leg = await say(world, here)
    clock.at += 49 * HOUR_S
    for event in ("VIEW", "LOCATION", "something_new"):
        await here.wire.push(here.wire.event(event, "https://x.example"))
    assert (await here.channel.allowance(leg)).left == 0


async def test_the_shorter_window_is_used_first(world: World, here: ServingNode, clock: Clock) -> None:
    session, leg = await say(world, here)
    await here.wire.push(here.wire.event("CLICK", "progress"))
    world.api.windows[OPENID] = (clock() + 48 * HOUR_S, 8)
    assert (await here.channel.allowance(leg)).left == 8
    await here.channel.send(session, leg, text_of("一"))
    clock.at += 61
    assert (await here.channel.allowance(leg)).left == 5


async def test_wechats_tries_do_not_refill_the_budget(world: World, here: ServingNode) -> None:
    message = here.wire.message(Content="停水")
    world.losing = 1
    assert (await here.wire.push(message))[0] == 503
    world.api.windows[OPENID] = (world.clock() + 48 * HOUR_S, 5)
    session, leg = await world.newest()
    assert (await here.wire.push(message))[0] == 200
    await here.channel.send(session, leg, text_of("您好"))
    assert (await here.wire.push(message))[0] == 200
    assert (await here.channel.allowance(leg)).left == 4
    assert await world.texts() == ["停水"]


async def test_a_long_text_takes_as_few_as_may_be_and_all_or_none(world: World, here: ServingNode) -> None:
    session, leg = await say(world, here)
    long = "请携带身份证到政务大厅三号窗口办理。" * 100
    await here.channel.send(session, leg, text_of(long))
    assert len(world.api.sent) == 3
    assert "".join(contents(world)) == long
    with pytest.raises(BudgetSpent) as refused:
        await here.channel.send(session, leg, text_of(long, "m2"))
    assert (refused.value.left, refused.value.needed) == (2, 3)
    assert len(world.api.sent) == 3


async def test_two_nodes_spend_one_budget(valkey_world: World, tmp_path: Path) -> None:
    world = valkey_world
    async with node(world, tmp_path) as one, node(world, tmp_path, name="node-2") as other:
        session, leg = await say(world, one)
        outcomes = await asyncio.gather(
            *((one, other)[number % 2].channel.send(session, leg, text_of("x", f"m{number}")) for number in range(12)),
            return_exceptions=True,
        )
        assert outcomes.count(None) == 5
        assert sum(isinstance(outcome, BudgetSpent) for outcome in outcomes) == 7
        assert len(world.api.sent) == world.api.asked.count(SEND) == 5
        assert len(world.api.forced) == 0
        assert world.api.normal_fetches == 1


async def test_what_was_sent_is_not_sent_again(world: World, here: ServingNode) -> None:
    """An effect may be performed twice, after a crash of the node that performed it."""
    session, leg = await say(world, here)
    for _ in range(2):
        await here.channel.send(session, leg, text_of("您好"))
    assert contents(world) == ["您好"]
    assert (await here.channel.allowance(leg)).left == 4


async def test_what_may_have_been_sent_is_not_sent_again(world: World, tmp_path: Path) -> None:
    release = asyncio.Event()
    async with node(world, tmp_path, replace(SETTINGS, api_timeout_s=0.1)) as here:
        session, leg = await say(world, here)
        world.api.interpose(SEND, stalling(release))
        for _ in range(2):
            with pytest.raises(OutcomeUnknown):
                await here.channel.send(session, leg, text_of("您好"))
        release.set()
        assert world.api.asked.count(SEND) == 1
        assert (await here.channel.allowance(leg)).left == 4


@pytest.mark.parametrize(
    "broken",
    [hanging_up(), status(502), giving(b"<html>"), giving(b"[]"), giving(b"[" * 60_000)],
)
async def test_an_answer_that_is_none_is_no_success(world: World, here: ServingNode, broken: object) -> None:
    session, leg = await say(world, here)
    world.api.interpose(SEND, broken)  # type: ignore[arg-type] # each is an answer
    with pytest.raises(OutcomeUnknown):
        await here.channel.send(session, leg, text_of("您好"))
    assert world.api.asked.count(SEND) == 1


async def test_a_part_that_was_sent_stays_sent_when_the_next_fails(world: World, here: ServingNode) -> None:
    session, leg = await say(world, here)
    long = text_of("停水通知。" * 300)
    await here.channel.send(session, leg, text_of("暖场", "m0"))

    async def once(request: object) -> object:
        world.api.interpose(SEND, saying(40003))
        return await world.api._send(request)  # type: ignore[arg-type] # it is one

    world.api.interpose(SEND, once)  # type: ignore[arg-type] # the same
    with pytest.raises(CitizenUnreachable):
        await here.channel.send(session, leg, long)
    await here.channel.send(session, leg, long)
    assert "".join(contents(world)[1:]) == "停水通知。" * 300


@pytest.mark.parametrize(
    ("code", "error", "left"),
    [
        (45015, WindowClosed, 0),
        (45047, BudgetSpent, 0),
        (45002, TextTooLong, 5),
        (43004, CitizenUnreachable, 5),
        (48001, AccountRefused, 5),
        (41234, WeChatError, 5),
    ],
)
async def test_what_wechat_refuses_for_good(
    world: World, here: ServingNode, code: int, error: type[WeChatError], left: int
) -> None:
    session, leg = await say(world, here)
    world.api.interpose(SEND, saying(code))
    with pytest.raises(error) as refused:
        await here.channel.send(session, leg, text_of("您好"))
    assert not refused.value.retryable
    assert world.api.asked.count(SEND) == 1
    assert (await here.channel.allowance(leg)).left == left


@pytest.mark.parametrize("busy", [saying(-1), saying(45011), status(429, Retry_After="0"), status(503)])
async def test_what_wechat_does_later(world: World, here: ServingNode, busy: object) -> None:
    session, leg = await say(world, here)
    world.api.interpose(SEND, busy)  # type: ignore[arg-type] # each is an answer
    await here.channel.send(session, leg, text_of("您好"))
    assert contents(world) == ["您好"]
    assert (await here.channel.allowance(leg)).left == 4


async def test_one_who_is_told_to_wait_for_too_long_gives_up_and_may_try_again(world: World, here: ServingNode) -> None:
    session, leg = await say(world, here)
    world.api.interpose(SEND, status(429, Retry_After="30"))
    with pytest.raises(ApiBusy) as refused:
        await here.channel.send(session, leg, text_of("您好"))
    assert (refused.value.retryable, refused.value.retry_after_s) == (True, 30.0)
    await here.channel.send(session, leg, text_of("您好"))
    assert contents(world) == ["您好"]


async def test_wechat_that_cannot_be_reached(world: World, tmp_path: Path) -> None:
    async with node(world, tmp_path, replace(SETTINGS, send_patience_s=1.5)) as here:
        session, leg = await say(world, here)
        await here.channel.send(session, leg, text_of("一", "m0"))
        calls = here.channel._api._calls
        calls._base = "http://127.0.0.1:9"
        with pytest.raises(ApiUnreachable) as refused:
            await here.channel.send(session, leg, text_of("二", "m1"))
        assert refused.value.retryable
        calls._base = world.api.base
        await here.channel.send(session, leg, text_of("二", "m1"))
        assert contents(world) == ["一", "二"]


# --- the access token ---------------------------------------------------------------------------------------------


async def test_a_refused_token_is_replaced_once(world: World, here: ServingNode) -> None:
    session, leg = await say(world, here)
    await here.channel.send(session, leg, text_of("一", "m0"))
    world.api.void_token()
    await here.channel.send(session, leg, text_of("二", "m1"))
    assert contents(world) == ["一", "二"]
    assert (world.api.normal_fetches, len(world.api.forced)) == (2, 0), "the normal way gave another: no force"


async def test_a_token_that_is_refused_though_it_is_the_current_one_is_forced_once(
    world: World, here: ServingNode, clock: Clock
) -> None:
    session, leg = await say(world, here)
    await here.channel.send(session, leg, text_of("一", "m0"))
    world.api.interpose(SEND, saying(40001))
    await here.channel.send(session, leg, text_of("二", "m1"))
    assert contents(world) == ["一", "二"]
    assert len(world.api.forced) == 1


async def test_a_token_that_stays_refused_is_not_fetched_in_a_loop(world: World, here: ServingNode) -> None:
    session, leg = await say(world, here)
    world.api.interpose(SEND, *[saying(40001)] * 50)
    for number in range(3):
        with pytest.raises(TokenRefused) as refused:
            await here.channel.send(session, leg, text_of("您好", f"m{number}"))
        assert refused.value.retryable
    assert len(world.api.forced) == 1
    assert world.api.asked.count(SEND) <= 6
    assert world.api.normal_fetches <= 4
    assert (await here.channel.allowance(leg)).left == 5


async def test_many_at_once_force_one_token(valkey_world: World, tmp_path: Path) -> None:
    world = valkey_world
    async with node(world, tmp_path) as one, node(world, tmp_path, name="node-2") as other:
        citizens = [f"citizen-{number}" for number in range(8)]
        legs = [await say(world, one, openid=openid) for openid in citizens]
        world.api.distrusted.add("token-1")
        await asyncio.gather(
            *((one, other)[number % 2].channel.send(*leg, text_of("您好")) for number, leg in enumerate(legs))
        )
        assert {message["touser"] for message in world.api.sent} == set(citizens)
        assert (world.api.normal_fetches, len(world.api.forced)) == (2, 1)


async def test_a_token_is_renewed_before_it_runs_out(world: World, here: ServingNode, clock: Clock) -> None:
    session, leg = await say(world, here)
    await here.channel.send(session, leg, text_of("一", "m0"))
    for _ in range(20):
        clock.at += 400
        world.api.windows[OPENID] = (clock() + 48 * HOUR_S, 5)
        await say(world, here, "在吗")
        await here.channel.send(session, leg, text_of("在", f"m{clock.at}"))
    assert world.api.normal_fetches == 2
    assert world.api.asked.count(SEND) == 21, "never was one refused"


async def test_a_wrong_secret_is_somebodys_to_mend(world: World, tmp_path: Path) -> None:
    async with node(world, tmp_path, replace(SETTINGS, secret="wrong")) as here:
        session, leg = await say(world, here)
        with pytest.raises(AccountRefused) as refused:
            await here.channel.send(session, leg, text_of("您好"))
        assert refused.value.code == 40125
        assert "wrong" not in str(refused.value) + repr(SETTINGS)


# --- files, and what is no leg ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "content_type", "kind", "name"),
    [(JPEG, "image/jpeg", "image", "image.jpg"), (AMR, "audio/amr", "voice", "voice.amr")],
)
async def test_a_file_is_uploaded_and_sent(
    world: World, here: ServingNode, tmp_path: Path, content: bytes, content_type: str, kind: str, name: str
) -> None:
    session, leg = await say(world, here)
    stored = await FileStore(tmp_path).keep(_chunks(content), content_type)
    link = FileLink(MessageId("m1"), stored.id, "../x.jpg", content_type, stored.size_bytes)
    for _ in range(2):
        await here.channel.send(session, leg, link)
    assert world.api.uploads == [(kind, name, content_type, content)]
    assert world.api.sent == [{"touser": OPENID, "msgtype": kind, kind: {"media_id": "up-1"}}]


async def test_what_an_account_cannot_send(world: World, here: ServingNode) -> None:
    session, leg = await say(world, here)
    with pytest.raises(TypeUnsendable):
        await here.channel.send(session, leg, FileLink(MessageId("m1"), "x", "x.pdf", "application/pdf", 9))
    assert (await here.channel.allowance(leg)).left == 5


async def test_a_leg_of_nobodys(here: ServingNode) -> None:
    with pytest.raises(LegUnknown):
        await here.channel.send(SessionId("s"), LegId("wechat-0"), text_of("您好"))
    with pytest.raises(LegUnknown):
        await here.channel.allowance(LegId("wechat-0"))
    await here.channel.close_leg(SessionId("s"), LegId("wechat-0"), LegEnd.CLOSED)


async def _chunks(content: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(content), 100):
        yield content[at : at + 100]
