"""A core in memory for the phone's tests: it keeps what it is told and can be away, as the store can."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from channels.phone.sip.digest import ha1
from session.address import Address
from session.events import Event, LegClosed
from session.ids import AssigneeId, LegId, SessionId
from session.ports import Admission, Aside, Begun, Contact, Credential, StoreUnavailable, Verdict
from session.state import Medium

REALM = "yihao"
PASSWORD = "correct horse"


@dataclass
class Core:
    """Inbox, SharedState, Telephones and Reachability at once."""

    is_away: bool = False
    verdict: Verdict = Verdict.ACCEPTED
    contacts: list[Contact] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    accepted: list[tuple[AssigneeId, int]] = field(default_factory=list)
    declined: list[tuple[AssigneeId, int, str]] = field(default_factory=list)
    presence: list[tuple[str, bool]] = field(default_factory=list)
    handed_on: list[tuple[str, str]] = field(default_factory=list)
    begun: list[tuple[str, str]] = field(default_factory=list)
    chosen: list[tuple[str, str]] = field(default_factory=list)
    maps: dict[str, dict[str, bytes]] = field(default_factory=dict)
    values: dict[str, bytes] = field(default_factory=dict)
    asked: int = 0
    opens: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared, the store takes its time over a new session."""
    posts: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared, it takes its time over an event."""
    _seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.opens.set()
        self.posts.set()

    def _reach(self, what: str) -> None:
        self.asked += 1
        if self.is_away:
            raise StoreUnavailable(what)

    # Inbox

    async def open(self, contact: Contact) -> Admission:
        self._reach("open")
        await self.opens.wait()
        fresh = all(one.leg != contact.leg for one in self.contacts)
        if fresh:
            self.contacts.append(contact)
            self.values |= {note.key: note.value for note in contact.notes}
            if contact.first is not None:
                await self.post(SessionId(""), contact.first, dedupe=contact.first_dedupe)
        return Admission(SessionId(f"session-{contact.leg}"), contact.leg, fresh)

    async def post(self, session: SessionId, event: Event, *, dedupe: str | None = None, **_: object) -> int:
        self._reach("post")
        await self.posts.wait()
        if dedupe is None or dedupe not in self._seen:
            self.events.append(event)
        if dedupe is not None:
            self._seen.add(dedupe)
        return len(self.events)

    async def accept(self, session: SessionId, assignee: AssigneeId, token: int) -> Verdict:
        self._reach("accept")
        self.accepted.append((assignee, token))
        return self.verdict

    async def decline(self, session: SessionId, assignee: AssigneeId, token: int, reason: str) -> bool:
        self._reach("decline")
        self.declined.append((assignee, token, str(reason)))
        return True

    def said(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]

    def closed(self) -> list[tuple[str, str]]:
        return [(event.leg.split("-")[0], event.reason) for event in self.events if isinstance(event, LegClosed)]

    # SharedState

    async def now(self) -> float:
        self._reach("now")
        return time.time()

    async def put_field(self, key: str, name: str, value: bytes, *, ttl_s: float) -> None:
        self._reach("put_field")
        self.maps.setdefault(key, {})[name] = value

    async def fields(self, key: str) -> Mapping[str, bytes]:
        self._reach("fields")
        return dict(self.maps.get(key, {}))

    async def delete_field(self, key: str, name: str) -> None:
        self._reach("delete_field")
        self.maps.get(key, {}).pop(name, None)

    async def put(self, key: str, value: bytes, *, ttl_s: float) -> None:
        self._reach("put")
        self.values[key] = value

    async def put_new(self, key: str, value: bytes, *, ttl_s: float) -> bool:
        raise NotImplementedError

    async def put_if(self, key: str, was: bytes | None, value: bytes, *, ttl_s: float) -> bool:
        raise NotImplementedError

    async def get(self, key: str) -> bytes | None:
        self._reach("get")
        return self.values.get(key)

    async def delete(self, key: str) -> None:
        raise NotImplementedError

    async def delete_if(self, key: str, value: bytes) -> None:
        raise NotImplementedError

    async def take(self, bucket: str, *, rate_per_s: float, burst: int) -> bool:
        raise NotImplementedError

    async def lease(self, name: str, holder: str, *, ttl_s: float) -> int | None:
        raise NotImplementedError

    def expire_all(self) -> None:
        """As if every registration had run out."""
        for fields in self.maps.values():
            for name, value in fields.items():
                fields[name] = json.dumps(json.loads(value) | {"expires_at": 1.0}).encode()

    # Telephones: the extensions 8001 to 8004, of agents a8001 to a8004

    async def credential(self, extension: str) -> Credential | None:
        self._reach("credential")
        await asyncio.sleep(0)
        if extension not in {"8001", "8002", "8003", "8004"}:
            return None
        values = {algorithm: ha1(extension, REALM, PASSWORD, algorithm) for algorithm in ("SHA-256", "MD5")}
        return Credential(AssigneeId(f"a{extension}"), extension, REALM, values)

    async def extension_of(self, assignee: AssigneeId) -> str | None:
        self._reach("extension_of")
        return assignee.removeprefix("a")

    # Reachability

    async def registered(self, assignee: AssigneeId, *, first: bool) -> None:
        self.presence.append((assignee, first))

    async def unregistered(self, assignee: AssigneeId) -> None:
        self.presence.append((assignee, False))
        self.presence.append(("gone", False))

    # Choices

    async def choose(self, assignee: AssigneeId, what: str) -> bool:
        self._reach("choose")
        self.chosen.append((assignee, what))
        return what != "nothing"

    # Beginnings: mobile numbers may be called, and so may extensions, a line of two and 110 beside any session

    async def aside(self, by: AssigneeId, typed: str) -> Aside | str | None:
        self._reach("aside")
        if typed in {"8001", "8002", "8003", "8004"}:
            return Aside(agents=(AssigneeId(f"a{typed}"),))
        if typed == "line":
            return Aside(agents=(AssigneeId("a8003"), AssigneeId("a8002")))
        if typed == "110":
            return Aside(number=Address("tel", "110"))
        return "unknown_queue" if typed == "nowhere" or typed.startswith("*") else None

    async def begin(self, by: AssigneeId, typed: str, *, is_up: bool, dedupe: str) -> Begun | str:
        self._reach("begin")
        await self.opens.wait()
        if not typed.startswith("13"):
            return {"busy": "no_slot"}.get(typed, "number_not_allowed")
        assert is_up
        self.begun.append((by, typed))
        leg = LegId(f"dial-{len(self.begun)}")
        contact = Contact(leg, "phone", Medium.VOICE, Address("tel", f"+86{typed}"), "12345", asserted=True)
        return Begun(SessionId(f"session-{leg}"), contact)

    # Handover

    async def hand_on(self, session: SessionId, by: AssigneeId, target: str) -> str:
        self._reach("hand_on")
        self.handed_on.append((by, target))
        return {"8002": "", "8003": "agent_away", "8004": "not_yours"}.get(target, "unknown_queue")
