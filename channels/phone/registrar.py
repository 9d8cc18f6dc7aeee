"""The registrar of agents' softphones (RFC 3261, section 10.3; RFC 5626, section 6; RFC 3327).

Bindings live in the store, one field a contact, or a flow of a telephone that names itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import json
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass

from channels.phone.access import Access
from channels.phone.application import Reply
from channels.phone.errors import MalformedMessage
from channels.phone.flow import Flow
from channels.phone.guard import Guard
from channels.phone.sip.address import NameAddress
from channels.phone.sip.grammar import param, parse_number, unquote
from channels.phone.sip.message import Request
from session.ids import AssigneeId, NodeId
from session.ports import Binding, Reachability, SharedState, StoreUnavailable

_OUTBOUND = (("Require", "outbound"), ("Flow-Timer", "120"))
"""With the seconds after which a telephone is to show that it is there (RFC 5626, section 5.4)."""
_USER_AGENT_LIMIT = 128
_INSTANCE_LIMIT = 128
_PATH_LIMIT = 4
_EXPIRES_LIMIT = 2**32 - 1
_RETURNS_S = 10.0
"""A telephone whose connection is cut, or whose page is loaded again, may be back within this time unnoticed."""


@dataclass(frozen=True, slots=True)
class RegistrarSettings:
    """Bounds on registrations, in seconds. Asked for less than the least: 423; for more than the most: shortened."""

    least_s: int = 10
    usual_s: int = 600
    most_s: int = 3_600
    contacts: int = 8
    authenticate: bool = True
    """False takes every REGISTER at its word: for conformance tests only."""


@dataclass(frozen=True, slots=True)
class _Change:
    """One contact of a REGISTER; `expires_s` of 0 removes it."""

    name: str
    contact: NameAddress
    expires_s: int
    q: float
    instance: str = ""
    """The telephone's own name and the flow's number, where it asks for flows (RFC 5626); else empty."""


class Registrar:
    """Takes REGISTERs and knows where an extension is reached."""

    def __init__(
        self,
        settings: RegistrarSettings,
        *,
        access: Access,
        shared: SharedState,
        reachability: Reachability,
        guard: Guard,
        node: NodeId,
        superseded: Callable[[Flow], None],
    ) -> None:
        """`superseded` hears of a connection whose telephone has come by another."""
        self._superseded = superseded
        self._settings = settings
        self._access = access
        self._shared = shared
        self._reachability = reachability
        self._guard = guard
        self._node = node
        # Extensions whose registrations this node took: who they belong to, and when the last one runs out there.
        self._kept: dict[str, tuple[AssigneeId, float]] = {}
        # Connections by which an extension is registered here, and those that were cut, with the time of that.
        self._connected: dict[Flow, str] = {}
        self._cut: deque[tuple[float, Flow, str]] = deque()

    async def register(self, request: Request, flow: Flow) -> Reply:
        """The answer to a REGISTER; what it asks for is checked as a whole before anything is changed."""
        try:
            return await self._register(request, flow)
        except MalformedMessage as fault:
            return Reply(fault.status, fault.headers)
        except StoreUnavailable as fault:
            return Reply(503, (("Retry-After", str(int(fault.retry_after_s or 1))),))

    async def _register(self, request: Request, flow: Flow) -> Reply:
        login: AssigneeId | None = None
        extension = request.to_address.uri.number or ""
        if self._settings.authenticate or "authorization" in request.headers:
            identity = await self._access.identify(request, flow)
            if isinstance(identity, Reply):
                return identity
            if identity.extension != extension:
                return Reply(403)
            login = identity.login
        return await self._update(request, flow, extension, login)

    async def bindings(self, extension: str) -> tuple[Binding, ...]:
        """The live registrations of an extension, the most wanted first."""
        now = await self._shared.now()
        found = (_read(value) for value in (await self._shared.fields(_key(extension))).values())
        live = (binding for binding in found if binding.expires_at > now)
        return tuple(sorted(live, key=lambda binding: (-binding.q, binding.contact)))

    async def has(self, extension: str, flow: Flow) -> bool:
        """Whether an extension is registered by that very flow."""
        return any(one.flow == str(flow) for one in await self.bindings(extension))

    def lost(self, flow: Flow) -> None:
        """A connection is gone: what is registered by it cannot be reached (RFC 5626, section 4.2.1)."""
        extension = self._connected.pop(flow, None)
        if extension is not None:
            self._cut.append((asyncio.get_running_loop().time(), flow, extension))

    async def sweep(self) -> None:
        """Tell of extensions whose last registration, taken by this node, has run out or was cut off."""
        while self._cut and self._cut[0][0] + _RETURNS_S <= asyncio.get_running_loop().time():
            _, flow, extension = self._cut[0]
            await self._forget(flow, extension)
            self._cut.popleft()
        if not self._kept:
            return
        now = await self._shared.now()
        for extension, (login, until) in tuple(self._kept.items()):
            if until > now:
                continue
            live = await self.bindings(extension)
            if live:
                self._kept[extension] = (login, max(binding.expires_at for binding in live))
            else:
                del self._kept[extension]
                await self._reachability.unregistered(login)

    async def _forget(self, flow: Flow, extension: str) -> None:
        """Remove what is still registered by a connection that is gone."""
        key, kept = _key(extension), self._kept.get(extension)
        for binding in await self.bindings(extension):
            if binding.node == self._node and binding.flow == str(flow):
                await self._shared.delete_field(key, _name(binding.instance or binding.contact))
        if kept is not None and not await self.bindings(extension):
            del self._kept[extension]
            await self._reachability.unregistered(kept[0])

    async def _update(self, request: Request, flow: Flow, extension: str, login: AssigneeId | None) -> Reply:
        before = {_name(binding.instance or binding.contact): binding for binding in await self.bindings(extension)}
        changes = [one for one in self._changes(request, before) if not _is_anothers(one, before.get(one.name))]
        path = _path(request)
        number, _ = request.cseq
        for change in changes:
            old = before.get(change.name)
            if old is not None and old.call_id == request.call_id and number < old.cseq:
                # Section 10.3, step 7: older than what is known, so nothing of it is done. The very same number is
                # the same request again, which changes nothing (RFC 5118's own messages share one).
                return Reply(500)
        after = dict(before)
        now = await self._shared.now()
        for change in changes:
            if not change.expires_s:
                after.pop(change.name, None)
                continue
            after[change.name] = Binding(
                aor=extension,
                contact=str(change.contact.uri),
                flow=str(flow),
                node=self._node,
                call_id=request.call_id,
                cseq=number,
                q=change.q,
                expires_at=now + change.expires_s,
                user_agent=(request.headers.first("user-agent") or "")[:_USER_AGENT_LIMIT],
                instance=change.instance,
                path=path,
            )
        if len(after) > self._settings.contacts:
            return Reply(403)
        await self._write(extension, changes, after)
        await self._tell(extension, login, before, after, flow)
        self._supersede(changes, before, flow)
        longest_s = max((change.expires_s for change in changes), default=0)
        if longest_s:
            self._guard.welcome(flow.origin, asyncio.get_running_loop().time() + longest_s)
            if flow.is_reliable and not path:
                self._connected[flow] = extension
        extra = (*(("Path", one) for one in path), *(_OUTBOUND if any(one.instance for one in changes) else ()))
        return Reply(200, (*_contacts(after, now), *extra), kept_s=float(longest_s))

    def _supersede(self, changes: list[_Change], before: dict[str, Binding], flow: Flow) -> None:
        """A telephone that has come by another connection has left the one before, which may not know it yet."""
        for change in changes:
            old = before.get(change.name)
            if change.instance and old is not None and old.node == self._node and old.flow != str(flow):
                before_it = Flow.parse(old.flow)
                if before_it.is_reliable:
                    self._superseded(before_it)

    def _changes(self, request: Request, before: dict[str, Binding]) -> list[_Change]:
        """What a REGISTER asks for; raises `MalformedMessage` for a contradiction or too short an interval."""
        general = request.headers.first("expires")
        if "*" in request.headers.all("contact"):
            if request.contacts or len(request.headers.all("contact")) > 1 or (general or "").strip() != "0":
                raise MalformedMessage("Contact", "the asterisk stands alone, with Expires: 0")
            return [
                _Change(name, NameAddress.parse(f"<{binding.contact}>", "Contact"), 0, 1.0)
                for name, binding in before.items()
            ]
        changes = []
        for contact in request.contacts:
            asked = param(contact.params, "expires")
            expires_s = self._interval(general if asked is None else asked)
            instance = _instance(request, contact)
            name = _name(instance or str(contact.uri))
            changes.append(_Change(name, contact, expires_s, _preference(contact), instance))
        if len(changes) > 1 and any(change.instance for change in changes):
            raise MalformedMessage("Contact", "one flow at a time (RFC 5626, section 6)")
        return changes

    def _interval(self, text: str | None) -> int:
        """Seconds to keep a binding. What is no number counts as not said (section 20.10); overlarge is shortened."""
        if text is None:
            return self._settings.usual_s
        try:
            asked_s = parse_number(text, "Expires", _EXPIRES_LIMIT)
        except MalformedMessage as fault:
            return self._settings.most_s if fault.why == "number too large" else self._settings.usual_s
        if 0 < asked_s < self._settings.least_s:
            least = str(self._settings.least_s)
            raise MalformedMessage("Expires", "too brief", status=423, headers=(("Min-Expires", least),))
        return min(asked_s, self._settings.most_s)

    async def _write(self, extension: str, changes: list[_Change], after: dict[str, Binding]) -> None:
        key = _key(extension)
        for change in changes:
            if change.name in after:
                value = json.dumps(asdict(after[change.name])).encode()
                await self._shared.put_field(key, change.name, value, ttl_s=float(change.expires_s))
            else:
                await self._shared.delete_field(key, change.name)

    async def _tell(
        self,
        extension: str,
        login: AssigneeId | None,
        before: dict[str, Binding],
        after: dict[str, Binding],
        flow: Flow,
    ) -> None:
        if login is None:
            return
        if after:
            self._kept[extension] = (login, max(binding.expires_at for binding in after.values()))
            if after != before:
                # Whose telephone is a page becomes ready at the desk, once it has tried itself.
                await self._reachability.registered(login, first=not before and flow.can_be_made)
        else:
            self._kept.pop(extension, None)
            if before:
                await self._reachability.unregistered(login)


def _key(extension: str) -> str:
    """The store's key; a digest, so that no key names an extension."""
    return f"phone.bindings.{hashlib.sha256(extension.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}"


def _name(contact: str) -> str:
    return hashlib.sha256(contact.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _is_anothers(change: _Change, old: Binding | None) -> bool:
    """A page that is closed takes nothing from the one that was loaded in its place and bears the same name."""
    return bool(change.instance and not change.expires_s and old and old.contact != str(change.contact.uri))


@functools.lru_cache(maxsize=1024)
def _read(value: bytes) -> Binding:
    """A telephone rings many times before it registers again."""
    fields = json.loads(value)
    return Binding(**{**fields, "path": tuple(fields.get("path", ()))})


def _instance(request: Request, contact: NameAddress) -> str:
    """Which flow of which telephone it is (RFC 5626, section 6); empty where it does not ask for flows.

    Behind a proxy the flow is the proxy's to keep, which says so by `ob` in its Path.
    """
    instance, flow = param(contact.params, "+sip.instance"), param(contact.params, "reg-id")
    if not instance or flow is None or "outbound" not in request.headers.listed("supported"):
        return ""
    parse_number(flow, "reg-id", _EXPIRES_LIMIT)
    if len(instance) > _INSTANCE_LIMIT:
        raise MalformedMessage("Contact", "an instance's name too long")
    through = [NameAddress.parse(one, "Path") for one in request.headers.listed("path")]
    is_kept = len(request.vias) == 1 or (bool(through) and param(through[-1].uri.params, "ob") is not None)
    return f"{unquote(instance)} {flow}" if is_kept else ""


def _path(request: Request) -> tuple[str, ...]:
    """The proxies by which a telephone is reached (RFC 3327), to be written back as they came."""
    path = tuple(request.headers.listed("path"))
    if len(path) > _PATH_LIMIT:
        raise MalformedMessage("Path", "too long")
    for one in path:
        NameAddress.parse(one, "Path")
    return path


def _preference(contact: NameAddress) -> float:
    with contextlib.suppress(ValueError):
        q = float(param(contact.params, "q") or "1")
        if 0.0 <= q <= 1.0:
            return q
    return 1.0


def _contacts(bindings: dict[str, Binding], now: float) -> tuple[tuple[str, str], ...]:
    """The current bindings, as every 200 to a REGISTER lists them (section 10.3, step 8)."""
    return tuple(
        ("Contact", f"<{binding.contact}>;expires={max(1, round(binding.expires_at - now))}")
        for binding in bindings.values()
    )
