"""The archiver on a real store: its feed, its cursors, its forgetting."""

from pathlib import Path

from gateway.inbox import StoreInbox
from gateway.mailboxes import Mailboxes
from queueing.settings import QueueSettings
from queueing.store import RedisStore
from rulebook.routing import Route
from session import events as ev
from session.address import Address
from session.effects import LegEffect
from session.ids import LegId, MessageId, NodeId
from session.machine import replay
from session.ports import Contact
from session.rules import Rules
from session.state import CloseReason, Demand, LegEnd, Medium, Session
from storage.archiver import Archiver
from storage.database import Database, sqlite_url
from storage.history import History
from storage.timeline import read_timeline
from tests.conftest import Eventually

NODE = NodeId("n1")


async def nothing(session: Session, name: str, effect: LegEffect) -> None:
    pass


async def test_what_a_store_forgets_the_history_has(valkey_url: str, tmp_path: Path, eventually: Eventually) -> None:
    settings = QueueSettings(forget_s=0.0, accept_unsafe=True)
    async with (
        RedisStore.connect(valkey_url, tenant="t", pepper=b"p" * 32, settings=settings) as store,
        Database.open(sqlite_url(tmp_path)) as database,
    ):
        mailboxes = Mailboxes(store, NODE, Rules())
        mailboxes.perform = nothing
        await store.mailboxes.beat(NODE, ttl_s=60)
        route = Route(Demand("general"), "")
        inbox = StoreInbox(store, NODE, lambda _contact, _at: route, mailboxes.wake)
        history = History(database)
        archiver = Archiver(store.log, store.shared, history, holder=NODE)
        sessions = []
        for number in range(5):
            leg = LegId(f"chat-{number}")
            word = ev.TextReceived(leg=leg, message=MessageId("m"), text="路灯坏了")
            contact = Contact(leg, "webchat", Medium.CHAT, Address("web", f"v{number}"), "web", first=word)
            admission = await inbox.open(contact)
            sessions.append(admission.session)
            await inbox.post(admission.session, ev.LegClosed(leg=leg, reason=LegEnd.LEFT))

        async def closed() -> bool:
            found = [await store.log.open_session_of(session) for session in sessions]
            return all(one is not None and one.closed_at is not None for one in found)

        await eventually(closed)
        before = {session: await read_timeline(store.log, history, session) for session in sessions}

        async def forgotten() -> bool:
            await archiver.drain()
            return not any([await store.log.read(session) for session in sessions])

        await eventually(forgotten)
        await mailboxes.stop()
        for session, entries in before.items():
            assert await read_timeline(store.log, history, session) == entries
            record = await history.session(session)
            assert record is not None
            assert record.session == replay(session, [entry.event for entry in entries])
            assert record.session.close_reason is CloseReason.ABANDONED
