"""The registrar of agents' softphones (RFC 3261, section 10.3). Bindings live in the store, one field a contact."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from dataclasses import asdict, dataclass

from channels.phone.access import Access
from channels.phone.endpoint import Reply
from channels.phone.errors import MalformedMessage
from channels.phone.guard import Guard
from channels.phone.sip.address import NameAddress
from channels.phone.sip.grammar import param, parse_number
from channels.phone.sip.message import Request
from channels.phone.transport import Flow
from session.ids import AssigneeId, NodeId
from session.ports import Binding, Reachability, SharedState, StoreUnavailable

_USER_AGENT_LIMIT = 128
_EXPIRES_LIMIT = 2**32 - 1


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
    ) -> None:
        self._settings = settings
        self._access = access
        self._shared = shared
        self._reachability = reachability
        self._guard = guard
        self._node = node
        # Extensions whose registrations this node took: who they belong to, and when the last one runs out there.
        self._kept: dict[str, tuple[AssigneeId, float]] = {}

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

    async def sweep(self) -> None:
        """Tell of extensions whose last registration, taken by this node, has run out."""
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

    async def _update(self, request: Request, flow: Flow, extension: str, login: AssigneeId | None) -> Reply:
        before = {_name(binding.contact): binding for binding in await self.bindings(extension)}
        changes = self._changes(request, before)
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
            )
        if len(after) > self._settings.contacts:
            return Reply(403)
        await self._write(extension, changes, after)
        await self._tell(extension, login, before, after)
        if any(change.expires_s for change in changes):
            longest_s = max(change.expires_s for change in changes)
            self._guard.welcome(flow.remote[0], asyncio.get_running_loop().time() + longest_s)
        return Reply(200, _contacts(after, now))

    def _changes(self, request: Request, before: dict[str, Binding]) -> list[_Change]:
        """What a REGISTER asks for; raises `MalformedMessage` for a contradiction or too short an interval."""
        general = request.headers.first("expires")
        if "*" in request.headers.all("contact"):
            if request.contacts or len(request.headers.all("contact")) > 1 or (general or "").strip() != "0":
                raise MalformedMessage("Contact", "the asterisk stands alone, with Expires: 0")
            gone = [NameAddress.parse(f"<{binding.contact}>", "Contact") for binding in before.values()]
            return [_Change(_name(str(contact.uri)), contact, 0, 1.0) for contact in gone]
        changes = []
        for contact in request.contacts:
            asked = param(contact.params, "expires")
            expires_s = self._interval(general if asked is None else asked)
            changes.append(_Change(_name(str(contact.uri)), contact, expires_s, _preference(contact)))
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
        self, extension: str, login: AssigneeId | None, before: dict[str, Binding], after: dict[str, Binding]
    ) -> None:
        if login is None:
            return
        if after:
            self._kept[extension] = (login, max(binding.expires_at for binding in after.values()))
            if after != before:
                await self._reachability.registered(login, first=not before)
        else:
            self._kept.pop(extension, None)
            if before:
                await self._reachability.unregistered(login)


def _key(extension: str) -> str:
    """The store's key; a digest, so that no key names an extension."""
    return f"phone.bindings.{hashlib.sha256(extension.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}"


def _name(contact: str) -> str:
    return hashlib.sha256(contact.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _read(value: bytes) -> Binding:
    return Binding(**json.loads(value))


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
