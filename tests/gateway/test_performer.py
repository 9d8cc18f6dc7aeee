"""The performer: to whom an effect goes, and what becomes of one that cannot be done."""

import pytest

from channels.contract import ChannelError, FileLink, LegUnknown, Text
from gateway.performer import announcements
from queueing.memory import MemoryStore
from session.audio import Announcement
from session.effects import CloseLeg, Deliver, LetGo, OfferWays, Play, TakeMessage
from session.events import FileSent, MessageFailed, NoteAdded, PlaceAnnounced, TextSent
from session.ids import AssigneeId, FileId, LegId, RecordingId, SessionId
from session.ports import Admission, Contact, Place, StoreUnavailable
from session.rules import Rules
from session.state import AssigneeKind, Failure, LegEnd, Phase
from session.ways import Way
from tests.conftest import Eventually
from tests.gateway.town import LETTERS, Post, a_call, a_chat, message_id, open_post, post_on

AGENT = AssigneeId("8001")


async def _opened(post: Post, contact: Contact, eventually: Eventually) -> Admission:
    admission = await post.inbox.open(contact)
    await eventually(lambda: post.absorbed(admission.session))
    return admission


async def test_what_belongs_to_anothers_leg_is_passed_there(memory: MemoryStore, eventually: Eventually) -> None:
    async with open_post(memory, "owner") as owner, open_post(memory, "holder") as holder:
        admission = await _opened(owner, a_call(), eventually)
        session = await owner.session(admission.session)
        await holder.performer.perform(session, "9.0", CloseLeg(admission.leg, LegEnd.CLOSED))
        await eventually(lambda: owner.telephone.of("close"))
        assert owner.telephone.of("close") == [("close", admission.leg, LegEnd.CLOSED)]
        assert holder.telephone.asked == []


async def test_a_passed_effect_survives_a_store_that_is_away(memory: MemoryStore, eventually: Eventually) -> None:
    """The node that passed it has struck it off; and the receiving node lives on."""
    async with open_post(memory, "owner") as owner, open_post(memory, "holder") as holder:
        admission = await _opened(owner, a_call(), eventually)
        session = await owner.session(admission.session)
        answers, real = [StoreUnavailable("once")], memory.log.open_session_of

        async def away_once(session_id: SessionId) -> object:
            if answers:
                raise answers.pop()
            return await real(session_id)

        memory.log.open_session_of = away_once  # type: ignore[method-assign,assignment]
        await holder.performer.perform(session, "9.0", CloseLeg(admission.leg, LegEnd.CLOSED))
        await eventually(lambda: owner.telephone.of("close"))
        assert not answers
        assert not owner.duties[0].done()


@pytest.mark.parametrize("failure", [LegUnknown(LegId("gone")), OSError("broken"), ZeroDivisionError()])
async def test_a_channels_failure_never_stops_the_session(
    memory: MemoryStore, eventually: Eventually, failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even a defect of the channel: the session goes on, the failure is counted, and logged as this one's."""
    post = post_on(memory, "a")
    post.telephone.failure = failure
    admission = await _opened(post, a_call(), eventually)
    await eventually(lambda: b'effects_failed_total{effect="Play"} 1.0' in post.metrics.exposition())
    await post.inbox.post(admission.session, NoteAdded(by=AGENT, text="goes on"))
    await eventually(lambda: post.absorbed(admission.session))
    assert len(post.telephone.of("play")) == 1, "a failed effect is done with"
    assert [vars(one)["session"] for one in caplog.records if one.name == "gateway.performer"] == [admission.session]
    mailbox = await memory.mailboxes.claim(admission.session, post.id)
    assert mailbox is not None
    await eventually(lambda: post.mailboxes.holds(admission.session))
    await post.mailboxes.stop()


async def test_a_channel_that_hangs_is_given_up(
    memory: MemoryStore, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.performer.EFFECT_TIMEOUT_S", 0.05)
    post = post_on(memory, "a")
    post.telephone.gate.clear()
    await _opened(post, a_call(), eventually)
    await eventually(lambda: b'effects_failed_total{effect="Play"} 1.0' in post.metrics.exposition())
    await post.mailboxes.stop()


async def test_a_call_effect_on_a_silent_channel_is_counted(memory: MemoryStore, eventually: Eventually) -> None:
    post = post_on(memory, "a")
    admission = await _opened(post, a_chat(), eventually)
    session = await post.session(admission.session)
    await post.performer.perform(session, "9.0", Play(admission.leg, ()))
    assert b'effects_failed_total{effect="Play"} 1.0' in post.metrics.exposition()
    await post.mailboxes.stop()


async def test_a_leg_that_is_not_there_asks_nothing_of_anybody(memory: MemoryStore, eventually: Eventually) -> None:
    post = post_on(memory, "a")
    admission = await _opened(post, a_call(), eventually)
    asked = list(post.telephone.asked)
    session = await post.session(admission.session)
    await post.performer.perform(session, "9.0", CloseLeg(LegId("nobody"), LegEnd.CLOSED))
    assert post.telephone.asked == asked
    await post.mailboxes.stop()


async def test_content_is_found_in_the_longest_log(memory: MemoryStore, eventually: Eventually) -> None:
    """A thousand events are one page of the log; the message stands after them."""
    post = post_on(memory, "a")
    admission = await _opened(post, a_chat(channel=LETTERS), eventually)
    for _ in range(1100):
        await memory.log.append(admission.session, NoteAdded(by=AGENT, text="."))
    text = TextSent(by=AGENT, kind=AssigneeKind.AGENT, message=message_id(), text="after all that")
    file = FileSent(
        by=AGENT,
        kind=AssigneeKind.AGENT,
        message=message_id(),
        file=FileId("f-0.png"),
        name="图.png",
        content_type="image/png",
        size_bytes=7,
    )
    await post.inbox.post(admission.session, text)
    await eventually(lambda: post.letters.of("send"), deadline_s=10)
    assert post.letters.of("send")[-1][2] == Text(text.message, text.text)
    session = await post.session(admission.session)
    version = await memory.log.append(admission.session, file)
    await post.performer.perform(session, f"{version}.0", Deliver(admission.leg, file.message))
    assert post.letters.of("send")[-1][2] == FileLink(file.message, file.file, file.name, "image/png", 7)
    await post.mailboxes.stop()


@pytest.mark.parametrize(
    ("error", "reason"), [(LegUnknown(LegId("gone")), Failure.NO_WAY), (ChannelError("no"), Failure.REFUSED)]
)
async def test_a_message_that_will_not_come_says_so_in_the_timeline(
    memory: MemoryStore, eventually: Eventually, error: ChannelError, reason: Failure
) -> None:
    post = post_on(memory, "a")
    admission = await _opened(post, a_chat(channel=LETTERS), eventually)
    post.letters.failure = error
    text = TextSent(by=AGENT, kind=AssigneeKind.AGENT, message=message_id(), text="您好")
    version = await post.inbox.post(admission.session, text)
    await eventually(lambda: post.said(admission.session, MessageFailed), deadline_s=10)
    session = await post.session(admission.session)
    await post.performer.perform(session, f"{version}.0", Deliver(admission.leg, text.message))
    (failed,) = await post.said(admission.session, MessageFailed)
    assert isinstance(failed, MessageFailed)
    assert (failed.message, failed.channel, failed.reason) == (text.message, LETTERS, reason)
    await post.mailboxes.stop()


async def test_a_channel_that_follows_the_timeline_is_sent_nothing(memory: MemoryStore, eventually: Eventually) -> None:
    post = post_on(memory, "a")
    admission = await _opened(post, a_chat(), eventually)
    text = TextSent(by=AGENT, kind=AssigneeKind.AGENT, message=message_id(), text="by the timeline")
    await post.inbox.post(admission.session, text)
    await eventually(lambda: post.absorbed(admission.session))
    assert post.chat.of("send") == []
    await post.mailboxes.stop()


async def test_a_waiting_caller_is_told_their_place(memory: MemoryStore, eventually: Eventually) -> None:
    async with open_post(memory, "a", Rules(announce_s=(0.1, 3600.0))) as post:
        callers = [await post.inbox.open(a_call(f"+861380013800{n}")) for n in range(2)]
        positions = set()
        for caller in callers:
            await eventually(lambda one=caller: _told(post, one.session))  # type: ignore[misc]
            (told,) = await post.said(caller.session, PlaceAnnounced)
            assert isinstance(told, PlaceAnnounced)
            positions.add(told.position)
            said = [one for one in post.telephone.of("play") if one[1] == caller.leg]
            place = Announcement("position", (told.position,))
            assert said[-1] == ("play", caller.leg, (place, Announcement("keep_waiting")), True)
            assert await post.phase(caller.session) is Phase.QUEUED
        assert positions == {1, 2}, "who came in the same millisecond stands in either order"


async def _told(post: Post, session: SessionId) -> bool:
    return bool(await post.said(session, PlaceAnnounced))


@pytest.mark.parametrize(
    ("estimate_s", "second"),
    [
        (None, Announcement("keep_waiting")),
        (0.0, Announcement("wait_short")),
        (60.0, Announcement("wait_short")),
        (61.0, Announcement("wait_minutes", (1,))),
        (150.0, Announcement("wait_minutes", (2,))),
        (1e9, Announcement("wait_minutes", (999,))),
    ],
)
def test_the_announcement_says_whole_minutes(estimate_s: float | None, second: Announcement) -> None:
    assert announcements(Place(3, 9, estimate_s)) == (Announcement("position", (3,)), second)


async def test_a_caller_is_shown_out_by_the_ways_that_there_are(memory: MemoryStore, eventually: Eventually) -> None:
    """Where no link can be sent none is offered; a message is asked for, and the caller is let go."""
    post = post_on(memory, "a")
    admission = await _opened(post, a_call(), eventually)
    session = await post.session(admission.session)
    leg, first, goodbye = admission.leg, Announcement("line_full"), (Announcement("goodbye"),)
    await post.performer.perform(session, "9.0", OfferWays(leg, (first,), tuple(Way)))
    said = (first, Announcement("way_call_back"), Announcement("way_message"))
    assert post.telephone.of("play")[-1] == ("play", leg, said, True)
    await post.performer.perform(session, "9.1", TakeMessage(leg, RecordingId("m-1"), 60.0))
    await post.performer.perform(session, "9.2", LetGo(leg, goodbye))
    assert post.telephone.asked[-2:] == [("take_message", leg, "m-1", 60.0), ("let_go", leg, goodbye)]
    await post.mailboxes.stop()
