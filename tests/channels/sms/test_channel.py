"""Citizens' texts into sessions and agents' texts out, whatever breaks between."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from channels.contract import Channel, FileLink, LegUnknown, Notifies, Text
from channels.sms.carrier import Fate, Report, Uplink, Wish
from channels.sms.dispatch import Standing
from channels.sms.errors import (
    CarrierMissing,
    FileNotCarried,
    OptedOut,
    OutcomeUnknown,
    QuietHours,
    SubmitDelayed,
    SubmitRefused,
    TemplateNeeded,
    TooMany,
)
from channels.sms.quiet import Hours
from session import events as ev
from session.address import Address
from session.ids import LegId, MessageId, SessionId
from session.notice import Notice, Template
from session.ports import StoreUnavailable
from session.state import Failure, LegEnd, Medium, Party
from tests.channels.sms.rig import CITIZEN, OTHER, ServingNode, StandIn, World, node
from tests.conftest import Eventually

HOME = Address("tel", f"+86{CITIZEN}")


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def carrier() -> StandIn:
    return StandIn()


@pytest.fixture
async def serving(world: World, carrier: StandIn, tmp_path: Path) -> AsyncIterator[ServingNode]:
    async with node(world, [carrier], tmp_path) as one:
        yield one


def link(number: int = 1, **changes: object) -> Notice:
    fields: dict[str, object] = {"id": f"notice-{number}", "template": Template("link", {"url": "example.cn/a"})}
    return Notice(**{**fields, **changes})  # type: ignore[arg-type]


# --- in -------------------------------------------------------------------------------------------------------------


async def test_it_is_a_channel(serving: ServingNode) -> None:
    channel: Channel = serving.channel
    assert channel.capabilities.schemes == ("tel",)
    assert channel.capabilities.medium is Medium.MESSAGE
    assert channel.capabilities.survives_node
    assert not channel.capabilities.follows_timeline


async def test_texts_of_a_citizen_are_one_session(world: World, serving: ServingNode, carrier: StandIn) -> None:
    await carrier.writes("路灯坏了", "1")
    await carrier.writes("在中山路", "2", sender="+86 138 0013 8000")
    await carrier.writes("别人", "3", sender=OTHER)
    mine, theirs = await world.sessions()
    assert await world.texts(mine) == ["路灯坏了", "在中山路"]
    assert await world.texts(theirs) == ["别人"]
    (opened,) = await world.events(ev.LegOpened, mine)
    assert opened.leg.address == HOME
    assert opened.leg.asserted
    assert opened.leg.medium is Medium.MESSAGE


async def test_ten_thousand_repetitions_are_one(world: World, serving: ServingNode, carrier: StandIn) -> None:
    for _ in range(20):
        await asyncio.gather(*(carrier.writes("路灯坏了", "1") for _ in range(500)))
    assert await world.texts() == ["路灯坏了"]


async def test_first_texts_at_once_on_two_nodes_open_one_leg(world: World, tmp_path: Path) -> None:
    here, there = StandIn(), StandIn()
    async with node(world, [here], tmp_path, name="a"), node(world, [there], tmp_path, name="b"):
        await asyncio.gather(*(one.writes(f"{number}", f"{number}") for number, one in enumerate([here, there] * 5)))
    assert sorted(await world.texts()) == [str(number) for number in range(10)]
    assert len(await world.events(ev.LegOpened)) == 1, "each leg more is one more copy of each answer"


async def test_texts_stay_in_the_order_in_which_they_came(
    world: World, serving: ServingNode, carrier: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening, slow = world.store.log.open, asyncio.Event()
    calls: list[int] = []

    async def slowly_at_first(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            await slow.wait()
        return await opening(*args, **kwargs)

    monkeypatch.setattr(world.store.log, "open", slowly_at_first)
    first = asyncio.create_task(carrier.writes("一", "1"))
    while not calls:
        await asyncio.sleep(0)
    second = asyncio.create_task(carrier.writes("二", "2"))
    await carrier.writes("别人", "3", sender=OTHER)
    slow.set()
    await asyncio.gather(first, second)
    assert [text for text in await world.texts() if text != "别人"] == ["一", "二"]


async def test_after_the_end_a_text_begins_another_session(
    world: World, serving: ServingNode, carrier: StandIn
) -> None:
    await carrier.writes("路灯坏了", "1")
    (first,) = await world.sessions()
    await world.close(first, serving.channel)
    await carrier.writes("路灯坏了", "1")
    await carrier.writes("又坏了", "2")
    _, second = await world.sessions()
    assert await world.texts(first) == ["路灯坏了"]
    assert await world.texts(second) == ["又坏了"]
    assert await world.leg(first) != await world.leg(second)


async def test_the_end_is_noticed_where_nobody_told_of_it(world: World, serving: ServingNode, carrier: StandIn) -> None:
    await carrier.writes("一", "1")
    (first,) = await world.sessions()
    world.store.log._world.sessions[first].closed_at = 1
    await carrier.writes("二", "2")
    assert [await world.texts(one) for one in await world.sessions()] == [["一"], ["二"]]


@pytest.mark.parametrize("trouble", ["is_away", "loses_answers"])
async def test_an_unacknowledged_text_is_taken_once(
    world: World, serving: ServingNode, carrier: StandIn, trouble: str
) -> None:
    setattr(world, trouble, True)
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await carrier.writes("路灯坏了", "1")
    setattr(world, trouble, False)
    await carrier.writes("路灯坏了", "1")
    await carrier.writes("路灯坏了", "1")
    assert await world.texts() == ["路灯坏了"]
    assert len(await world.events(ev.LegOpened)) == 1


async def test_what_cannot_be_told_apart_is_kept_and_marked(
    world: World, serving: ServingNode, carrier: StandIn
) -> None:
    async def arrives() -> None:
        assert carrier.reception is not None
        await carrier.reception.text(
            Uplink(
                carrier="t", id="", sender=CITIZEN, recipient="1", text="好", vouched=True, fingerprint="好@1457336869"
            )
        )

    world.is_away = True
    with pytest.raises(StoreUnavailable):
        await arrives()
    world.is_away = False
    await asyncio.gather(arrives(), arrives())
    assert sorted(await world.texts()) == ["好", "好〔可能是重复推送〕"]
    await asyncio.gather(*(arrives() for _ in range(100)))
    assert len(await world.texts()) == 8, "one carrier repeating itself is bounded"


async def test_very_long_and_empty_texts_are_kept(world: World, serving: ServingNode, carrier: StandIn) -> None:
    await carrier.writes("字" * 25_000, "1")
    await carrier.writes("", "2")
    texts = await world.texts()
    assert "".join(texts[:-1]) == "字" * 25_000
    assert texts[-1] == "〔空白短信〕"


async def test_no_key_holds_a_number_or_a_text(world: World, serving: ServingNode, carrier: StandIn) -> None:
    await carrier.writes("我的秘密", "1")
    (session,) = await world.sessions()
    await serving.answer(world, session, "回答", "m1")
    shared = world.store.shared
    names = [*shared._values, *shared._maps, *shared._buckets, *shared._leases]
    names += [name for fields, _ in shared._maps.values() for name in fields]
    assert names
    assert not [name for name in names if CITIZEN in name or "秘密" in name]


# --- out ------------------------------------------------------------------------------------------------------------


async def test_an_answer_is_sent_once_and_told_delivered(world: World, serving: ServingNode, carrier: StandIn) -> None:
    carrier.ids_per_message = 2
    await carrier.writes("路灯坏了", "1")
    (session,) = await world.sessions()
    await asyncio.gather(*(serving.answer(world, session, "已派人", "m1") for _ in range(5)))
    await serving.answer(world, session, "已派人", "m1")
    assert [(one.to, one.text) for one in carrier.sent] == [(HOME.identifier, "已派人")]
    assert await serving.channel.standing_of(session, "m1") is Standing.ACCEPTED
    await carrier.reports(Report("stand-in", "id-1-0", Fate.DELIVERED))
    await carrier.reports(Report("stand-in", "id-1-0", Fate.DELIVERED))
    assert await world.events(ev.MessageDelivered) == [], "half of it has come"
    await carrier.reports(Report("stand-in", "id-1-1", Fate.ON_ITS_WAY))
    for _ in range(3):
        await carrier.reports(Report("stand-in", "id-1-1", Fate.DELIVERED))
    (delivered,) = await world.events(ev.MessageDelivered, session)
    assert (delivered.message, delivered.to) == ("m1", Party.CITIZEN)
    assert await serving.channel.standing_of(session, "m1") is Standing.DELIVERED
    await carrier.reports(Report("stand-in", "id-1-1", Fate.FAILED, "late"))
    assert await serving.channel.standing_of(session, "m1") is Standing.DELIVERED


async def test_a_report_may_overtake_the_answer(
    world: World, serving: ServingNode, carrier: StandIn, eventually: Eventually
) -> None:
    carrier.hangs = asyncio.Event()
    await carrier.writes("路灯坏了", "1")
    (session,) = await world.sessions()
    sending = asyncio.create_task(serving.answer(world, session, "已派人", "m1"))
    await eventually(lambda: carrier.sent)
    await carrier.reports(Report("stand-in", "id-1-0", Fate.DELIVERED))
    carrier.hangs.set()
    await sending
    assert len(await world.events(ev.MessageDelivered, session)) == 1


async def test_a_failed_message_says_so(world: World, serving: ServingNode, carrier: StandIn) -> None:
    await carrier.writes("路灯坏了", "1")
    (session,) = await world.sessions()
    await serving.answer(world, session, "已派人", "m1")
    await carrier.reports(Report("stand-in", "id-1-0", Fate.FAILED, "UNDELIV"))
    assert await serving.channel.standing_of(session, "m1") is Standing.FAILED
    assert await world.events(ev.MessageDelivered) == []
    (failed,) = await world.events(ev.MessageFailed, session)
    assert (failed.message, failed.channel, failed.reason, failed.code) == (
        "m1",
        "sms",
        Failure.UNDELIVERED,
        "UNDELIV",
    )
    assert serving.settled == [("stand-in", Standing.ACCEPTED), ("stand-in", Standing.FAILED)]


async def test_a_refusal_is_final(world: World, serving: ServingNode, carrier: StandIn) -> None:
    carrier.troubles = [SubmitRefused("stand-in", "13")]
    await carrier.writes("路灯坏了", "1")
    (session,) = await world.sessions()
    for _ in range(2):
        with pytest.raises(SubmitRefused) as refused:
            await serving.answer(world, session, "已派人", "m1")
        assert refused.value.code == "13"
    assert carrier.sent == []
    (failed,) = await world.events(ev.MessageFailed, session)
    assert (failed.reason, failed.code) == (Failure.REFUSED, "13")


async def test_what_was_surely_not_sent_is_tried_again(
    world: World, serving: ServingNode, carrier: StandIn, eventually: Eventually
) -> None:
    carrier.troubles = [SubmitDelayed("stand-in", "busy", 0.05)] * 3
    await carrier.writes("路灯坏了", "1")
    (session,) = await world.sessions()
    await serving.answer(world, session, "已派人", "m1")
    assert carrier.sent == []
    await eventually(lambda: carrier.sent)
    assert await serving.channel.standing_of(session, "m1") is Standing.ACCEPTED
    assert len(carrier.sent) == 1


async def test_it_is_given_up_when_it_makes_no_sense_any_more(
    world: World, carrier: StandIn, tmp_path: Path, eventually: Eventually
) -> None:
    async with node(world, [carrier], tmp_path, try_for_s=0.2) as serving:
        carrier.troubles = [SubmitDelayed("stand-in", "busy", 0.05)] * 1000
        await carrier.writes("路灯坏了", "1")
        (session,) = await world.sessions()
        await serving.answer(world, session, "已派人", "m1")
        await eventually(lambda: serving.settled == [("stand-in", Standing.REFUSED)])


async def test_an_unknown_outcome_is_never_sent_twice(world: World, serving: ServingNode, carrier: StandIn) -> None:
    await carrier.writes("路灯坏了", "1")
    (session,) = await world.sessions()
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            await serving.answer(world, session, "vanish", "m1")
    assert len(carrier.sent) == 1


async def test_a_crash_within_the_attempt_leaves_it_unknown(
    world: World, tmp_path: Path, eventually: Eventually
) -> None:
    """The node dies while the carrier has not answered; the gateway asks another node for the same."""
    dying, living = StandIn(hangs=asyncio.Event()), StandIn()
    async with node(world, [dying], tmp_path, name="dying", sweep_s=60.0) as crashed:
        await dying.writes("路灯坏了", "1")
        (session,) = await world.sessions()
        sending = asyncio.create_task(crashed.answer(world, session, "已派人", "m1"))
        await eventually(lambda: dying.sent)
        sending.cancel()
        for task in crashed.channel._outbox._running.values():
            task.cancel()
    async with node(world, [living], tmp_path, name="living") as serving:
        await serving.answer(world, session, "已派人", "m1")
        assert await serving.channel.standing_of(session, "m1") is Standing.WAITING, "the other may still be at it"
        world.offset_s = 10.0
        await eventually(lambda: serving.settled == [("stand-in", Standing.UNKNOWN)])
        with pytest.raises(OutcomeUnknown):
            await serving.answer(world, session, "已派人", "m1")
        assert living.sent == []


async def test_a_crash_before_the_attempt_loses_nothing(world: World, tmp_path: Path, eventually: Eventually) -> None:
    dying, living = StandIn(), StandIn()
    dying.troubles = [SubmitDelayed("stand-in", "busy", 60.0)] * 10
    async with node(world, [dying], tmp_path, name="dying", sweep_s=60.0) as crashed:
        await dying.writes("路灯坏了", "1")
        (session,) = await world.sessions()
        await crashed.answer(world, session, "已派人", "m1")
    async with node(world, [living], tmp_path, name="living"):
        world.offset_s = 10.0
        await eventually(lambda: living.sent)
    assert [one.text for one in living.sent] == ["已派人"]


@pytest.mark.parametrize("at", ["sms:sent", "sms:to", "sms:attempt"])
async def test_the_store_going_away_before_the_attempt_loses_nothing(
    world: World, serving: ServingNode, carrier: StandIn, eventually: Eventually, at: str
) -> None:
    await carrier.writes("路灯坏了", "1")
    (session,) = await world.sessions()
    world.refuses = at
    with pytest.raises(StoreUnavailable):
        await serving.answer(world, session, "已派人", "m1")
    assert carrier.sent == []
    world.refuses = None
    if at == "sms:sent":
        await serving.answer(world, session, "已派人", "m1")  # the gateway knows that it was not taken
    await eventually(lambda: carrier.sent)
    assert await serving.channel.standing_of(session, "m1") is Standing.ACCEPTED


async def test_a_slow_carrier_holds_up_nobody(
    world: World, carrier: StandIn, tmp_path: Path, eventually: Eventually
) -> None:
    async with node(world, [carrier], tmp_path, submit_patience_s=0.05) as serving:
        carrier.hangs = asyncio.Event()
        await carrier.writes("路灯坏了", "1")
        (session,) = await world.sessions()
        await serving.answer(world, session, "已派人", "m1")
        carrier.hangs.set()
        await eventually(lambda: serving.settled == [("stand-in", Standing.ACCEPTED)])
    assert len(carrier.sent) == 1


async def test_the_answer_goes_back_by_the_carrier_that_the_citizen_used(world: World, tmp_path: Path) -> None:
    one, two = StandIn("one"), StandIn("two")
    async with node(world, [one, two], tmp_path, ways=(("+", "one"),)) as serving:
        await one.writes("一", "1")
        await two.writes("二", "2")
        (session,) = await world.sessions()
        await serving.answer(world, session, "好", "m1")
    assert (len(one.sent), len(two.sent)) == (0, 1)


async def test_free_words_go_in_the_template_that_the_carrier_has(world: World, tmp_path: Path) -> None:
    strict = StandIn(templates=frozenset({"reply"}))
    async with node(world, [strict], tmp_path, reply_template="reply") as serving:
        await strict.writes("一", "1")
        (session,) = await world.sessions()
        await serving.answer(world, session, "已派人{x}", "m1")
        with pytest.raises(TemplateNeeded):
            await serving.channel.notify(HOME, link())
    (sent,) = strict.sent
    assert sent.text == "【12345】已派人{x}"
    assert sent.template == Template("reply", {"text": "已派人{x}"})
    async with node(world, [strict], tmp_path, name="bare") as bare:
        with pytest.raises(TemplateNeeded):
            await bare.answer(world, session, "再见", "m2")


async def test_what_a_text_cannot_do(world: World, serving: ServingNode, carrier: StandIn) -> None:
    await carrier.writes("一", "1")
    (session,) = await world.sessions()
    leg = await world.leg(session)
    with pytest.raises(FileNotCarried):
        await serving.channel.send(session, leg, FileLink(MessageId("m"), "f", "n", "image/png", 1))
    with pytest.raises(LegUnknown):
        await serving.channel.send(session, LegId("nobody"), Text(MessageId("m"), "x"))
    await serving.channel.close_leg(session, LegId("nobody"), LegEnd.CLOSED)


# --- bounds ---------------------------------------------------------------------------------------------------------


async def test_one_number_gets_no_more_than_its_share(
    world: World, carrier: StandIn, tmp_path: Path, eventually: Eventually
) -> None:
    async with node(world, [carrier], tmp_path, number_burst=3, number_per_hour=3600 * 20) as serving:
        await carrier.writes("一", "1")
        (session,) = await world.sessions()
        for number in range(6):
            await serving.answer(world, session, f"{number}", f"m{number}")
        assert len(carrier.sent) < 6
        await eventually(lambda: len(carrier.sent) == 6)


async def test_notices_keep_the_campaigns_pace(world: World, carrier: StandIn, tmp_path: Path) -> None:
    async with node(world, [carrier], tmp_path, campaign_burst=3, campaign_per_s=0.001) as serving:
        for number in range(3):
            await serving.channel.notify(HOME, link(number, campaign="回访"))
        with pytest.raises(TooMany) as refused:
            await serving.channel.notify(HOME, link(3, campaign="回访"))
        assert refused.value.retryable
        await serving.channel.notify(HOME, link(0, campaign="回访"))
        await serving.channel.notify(HOME, link(4, campaign="另一个"))
    assert [one.text for one in carrier.sent] == ["【12345】点此继续：example.cn/a"] * 4


async def test_quiet_hours_hold_notices_and_not_answers(world: World, carrier: StandIn, tmp_path: Path) -> None:
    day = 1_700_000_000 - (1_700_000_000 + 8 * 3600) % 86400
    world.store = type(world.store)(clock=lambda: day + 23 * 3600.0)
    async with node(world, [carrier], tmp_path, quiet=Hours("21:00", "08:00")) as serving:
        with pytest.raises(QuietHours) as refused:
            await serving.channel.notify(HOME, link(1))
        assert refused.value.retry_after_s == pytest.approx(9 * 3600)
        await serving.channel.notify(HOME, link(2, asked_for=True))
        await carrier.writes("一", "1")
        (session,) = await world.sessions()
        await serving.answer(world, session, "好", "m1")
    assert len(carrier.sent) == 2


@pytest.mark.parametrize("word", ["TD", " 退订。", "STOP"])
async def test_an_opt_out_ends_notices_and_not_answers(
    world: World, serving: ServingNode, carrier: StandIn, word: str
) -> None:
    await carrier.writes(word, "1")
    assert await world.sessions() == [], "it is no matter of its own"
    with pytest.raises(OptedOut):
        await serving.channel.notify(HOME, link(1))
    await carrier.writes("路灯坏了，退订了也要修", "2")
    (session,) = await world.sessions()
    await serving.answer(world, session, "好", "m1")
    await carrier.writes(word, "3")
    assert await world.texts(session) == ["路灯坏了，退订了也要修", word]
    await carrier.writes("START", "4")
    await serving.channel.notify(HOME, link(2))
    assert [one.text for one in carrier.sent] == ["好", "【12345】点此继续：example.cn/a"]


async def test_the_carrier_may_know_of_an_opt_out(world: World, serving: ServingNode, carrier: StandIn) -> None:
    carrier.troubles = [SubmitRefused("stand-in", "21610", opted_out=True)]
    with pytest.raises(SubmitRefused) as refused:
        await serving.channel.notify(HOME, link(1))
    assert refused.value.failure is Failure.OPTED_OUT
    with pytest.raises(OptedOut):
        await serving.channel.notify(HOME, link(2))
    assert carrier.reception is not None
    await carrier.reception.text(
        Uplink(carrier="x", id="9", sender=CITIZEN, recipient="", text="ok", vouched=True, wishes=Wish.START)
    )
    await serving.channel.notify(HOME, link(3))


async def test_a_notice_in_a_session_is_told_delivered(world: World, serving: ServingNode, carrier: StandIn) -> None:
    await carrier.writes("一", "1")
    (session,) = await world.sessions()
    await serving.channel.notify(HOME, link(1, session=SessionId(session)))
    known = await serving.channel._outbox.standing(serving.channel._keys.dispatch(f"notice:{session}", "notice-1"))
    assert known is not None
    assert known.text == "", "what it said is not kept"
    (accepted,) = await world.events(ev.MessageAccepted, session)
    assert (accepted.message, accepted.channel) == ("notice-1", "sms")
    await carrier.reports(Report("stand-in", "id-1-0", Fate.DELIVERED))
    (delivered,) = await world.events(ev.MessageDelivered, session)
    assert delivered.message == "notice-1"


@pytest.mark.parametrize(
    ("address", "template", "may"),
    [
        (HOME, "link", True),
        (HOME, "none", False),
        (Address("tel", "+861065551234"), "link", False),
        (Address("tel", "12345"), "link", False),
        (Address("web", "x"), "link", False),
    ],
)
async def test_whom_it_has_a_way_to(serving: ServingNode, address: Address, template: str, *, may: bool) -> None:
    assert isinstance(serving.channel, Notifies)
    assert await serving.channel.may_notify(address, template) is may


async def test_notices_that_cannot_be(serving: ServingNode) -> None:
    with pytest.raises(CarrierMissing):
        await serving.channel.notify(Address("web", "x"), link())
    with pytest.raises(TemplateNeeded):
        await serving.channel.notify(HOME, Notice(id=MessageId("1"), template=Template("none")))
    with pytest.raises(TemplateNeeded):
        await serving.channel.notify(HOME, Notice(id=MessageId("1"), template=Template("link")))
