"""Which channel brings a notice, and how it stands in the timeline."""

from dataclasses import dataclass

import pytest

from channels.contract import ChannelError
from gateway.notices import NobodyReaches, Notices
from queueing.memory import MemoryStore
from session.address import Address
from session.events import Event, MessageFailed, NoticeSent
from session.ids import AssigneeId, MessageId, SessionId
from session.notice import Notice, Template
from session.state import Failure, Medium
from tests.conftest import Eventually
from tests.gateway.town import Device, Post, a_chat, post_on

HOME, VISITOR = Address("tel", "+8613800138000"), Address("web", "visitor-1")
AGENT = AssigneeId("8001")


@dataclass
class Mast(Device):
    """A channel that reaches numbers."""

    templates: frozenset[str] = frozenset({"link"})

    async def may_notify(self, to: Address, template: str) -> bool:
        return to.scheme == "tel" and template in self.templates

    async def notify(self, to: Address, notice: Notice) -> None:
        await self._note("notify", to, notice.id)


class Later(ChannelError):
    retryable = True


class Never(ChannelError):
    failure, code = Failure.OPTED_OUT, 21610


def link(session: SessionId | None = None, number: int = 1) -> Notice:
    return Notice(id=MessageId(f"n{number}"), template=Template("link", {"url": "x"}), session=session)


async def rig(memory: MemoryStore, eventually: Eventually) -> tuple[Post, SessionId, Mast, Mast, Notices]:
    post = post_on(memory, "a")
    admission = await post.inbox.open(a_chat())
    await eventually(lambda: post.absorbed(admission.session))
    first, second = Mast("first", Medium.MESSAGE), Mast("second", Medium.MESSAGE, templates=frozenset({"link", "code"}))
    channels = {"chats": post.chat, "first": first, "second": second}
    return post, admission.session, first, second, Notices(channels, post.inbox)


async def said(post: Post, session: SessionId) -> list[Event]:
    return [event for event in await post.events(session) if isinstance(event, NoticeSent | MessageFailed)]


async def test_the_first_that_has_a_way_brings_it(memory: MemoryStore, eventually: Eventually) -> None:
    post, session, first, second, notices = await rig(memory, eventually)
    assert await notices.ways(HOME, "link") == ["first", "second"]
    assert await notices.ways(HOME, "code") == ["second"]
    assert await notices.ways(VISITOR, "link") == []
    for _ in range(2):
        assert await notices.tell(HOME, link(session), by=AGENT) == "first"
    assert first.asked == [("notify", HOME, "n1")] * 2, "the channel knows one that is asked for again"
    (sent,) = await said(post, session)
    assert sent == NoticeSent(at=sent.at, message=MessageId("n1"), channel="first", template="link", by=AGENT)
    assert await notices.tell(HOME, link(number=2), channel="second") == "second"
    assert second.asked == [("notify", HOME, "n2")]
    assert len(await said(post, session)) == 1, "a notice of no session stands in none"
    await post.mailboxes.stop()


async def test_what_does_not_come_says_so_now_and_for_good(memory: MemoryStore, eventually: Eventually) -> None:
    post, session, first, _, notices = await rig(memory, eventually)
    first.failure = Later("quiet hours")
    with pytest.raises(Later):
        await notices.tell(HOME, link(session))
    assert [type(event).__name__ for event in await said(post, session)] == ["NoticeSent", "MessageFailed"]
    first.failure = Never("no")
    with pytest.raises(Never):
        await notices.tell(HOME, link(session))
    failed = (await said(post, session))[-1]
    assert failed == MessageFailed(
        at=failed.at, message=MessageId("n1"), channel="first", reason=Failure.OPTED_OUT, code="21610"
    )
    await post.mailboxes.stop()


async def test_nobody_reaches_a_visitor(memory: MemoryStore, eventually: Eventually) -> None:
    post, session, first, _, notices = await rig(memory, eventually)
    for to, template, channel in ((VISITOR, "link", ""), (HOME, "none", ""), (HOME, "link", "chats")):
        notice = Notice(id=MessageId("n"), template=Template(template), session=session)
        with pytest.raises(NobodyReaches) as refused:
            await notices.tell(to, notice, channel=channel)
        assert to.identifier not in str(refused.value)
    assert await said(post, session) == []
    assert first.asked == []
    await post.mailboxes.stop()
