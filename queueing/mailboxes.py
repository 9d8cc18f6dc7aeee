"""`contract.Mailboxes` in Redis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from queueing.contract import Commit, Mailbox
from queueing.errors import StaleFence, VersionConflict
from queueing.log import RedisLog
from queueing.policy import Class, milliseconds
from queueing.server import Server
from queueing.wire import pack_changes
from session import codec
from session.effects import LegEffect
from session.ids import NodeId, SessionId
from session.state import Party

INBOX_KEPT = 100_000
"""Effects that a node's stream keeps, about; one that is lost stays pending with its session."""
INBOX_S = 24 * 3600
INBOX_BATCH = 500


class OpensClasses(Protocol):
    """Who can open a class of demand that nobody has asked for before."""

    async def open_class(self, demand: Class) -> None: ...


class RedisMailboxes:
    """A hash a session with its snapshot and fence, and one with its pending effects."""

    def __init__(self, server: Server, prefix: str, log: RedisLog, classes: OpensClasses) -> None:
        self._server, self._prefix, self._log, self._classes = server, prefix, log, classes

    async def claim(self, session: SessionId, node: NodeId) -> Mailbox | None:
        reply = await self._server.call("claim", session, node)
        if not reply:
            return None
        snapshot, fence, log_version, *pending = reply
        held = codec.decode_session(snapshot) if snapshot else await self._log.newborn(session)
        if held is None:
            return None
        effects = [
            (name.decode(), codec.decode_effect(data)) for name, data in zip(pending[::2], pending[1::2], strict=True)
        ]
        return Mailbox(held, fence, log_version, tuple(sorted(effects, key=lambda named: order_of(named[0]))))

    async def absorb(self, commit: Commit) -> int:
        session = commit.session
        effects: list[str | bytes] = []
        for name, effect in commit.effects:
            effects += (name, codec.encode_effect(effect))
        while True:
            status, *rest = await self._server.call(
                "absorb",
                session.id,
                commit.fence,
                commit.from_version,
                session.version,
                codec.encode_session(session),
                int(session.voice_leg(Party.CITIZEN) is not None),
                session.medium.value if session.live_legs(Party.CITIZEN) else "",
                session.assignee or "",
                pack_changes(commit),
                *effects,
            )
            match status:
                case b"ok":
                    return int(rest[0])
                case b"fence":
                    raise StaleFence(session.id)
                case b"conflict":
                    raise VersionConflict(session.id, int(rest[0]))
            await self._classes.open_class(Class.parse(rest[0].decode()))

    async def performed(self, session: SessionId, fence: int, names: Sequence[str]) -> None:
        if not names:
            return
        (status,) = await self._server.call("performed", session, fence, *names)
        if status == b"fence":
            raise StaleFence(session)

    async def beat(self, node: NodeId, *, ttl_s: float) -> bool:
        return bool(await self._server.call("beat", node, milliseconds(ttl_s)))

    async def leave(self, node: NodeId) -> None:
        await self._server.call("leave", node)

    async def orphans(self, limit: int = 100) -> list[tuple[SessionId, NodeId]]:
        found: list[tuple[SessionId, NodeId]] = []
        for node in sorted(await self.dead_nodes()):
            held = await self._server.send("SRANDMEMBER", f"{self._prefix}held:{node}", limit - len(found))
            found += [(SessionId(session.decode()), node) for session in held]
            if len(found) >= limit:
                break
        return found

    async def unabsorbed(self, node: NodeId, limit: int = 100) -> list[SessionId]:
        found = await self._server.send("SRANDMEMBER", f"{self._prefix}unabsorbed:{node}", limit)
        return [SessionId(session.decode()) for session in found]

    async def dead_nodes(self) -> frozenset[NodeId]:
        return frozenset(NodeId(name.decode()) for name in await self._server.call("dead_nodes"))

    async def send(self, node: NodeId, effect: tuple[SessionId, str, LegEffect]) -> None:
        session, name, what = effect
        inbox = f"{self._prefix}inbox:{node}"
        data = codec.encode_effect(what)
        await self._server.send("XADD", inbox, "MAXLEN", "~", INBOX_KEPT, "*", "s", session, "n", name, "e", data)
        await self._server.send("EXPIRE", inbox, INBOX_S)

    async def receive(
        self, node: NodeId, after: str, *, block_s: float = 5.0
    ) -> tuple[str, list[tuple[SessionId, str, LegEffect]]]:
        inbox = f"{self._prefix}inbox:{node}"
        block_ms = max(1, round(block_s * 1000))
        found = await self._server.wait_for(
            block_s, "XREAD", "COUNT", INBOX_BATCH, "BLOCK", block_ms, "STREAMS", inbox, after
        )
        if not found:
            return after, []
        ((_, items),) = found
        received = []
        for _, (_, session, _, name, _, data) in items:
            received.append((SessionId(session.decode()), name.decode(), codec.decode_effect(data)))
        return items[-1][0].decode(), received


def order_of(name: str) -> tuple[int, int]:
    """Effects are performed by version, then by index."""
    version, _, index = name.partition(".")
    return int(version), int(index)
