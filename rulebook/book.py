"""The documents in force, each as one immutable value, and the way in which a new version comes into force.

SQL is the truth: the node that writes a version goes by it at once, every other looks each second what the highest are.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from rulebook.canned import Canned
from rulebook.document import Document, read, written
from rulebook.errors import DocumentMalformed, NoSuchVersion, UnknownKind
from rulebook.hours import BusinessHours
from rulebook.kinds import CANNED, HOURS, PROMPTS, ROLES, ROUTING, WAYS, WORDS, WRAP, Elsewhere, Kind
from rulebook.prompts import Prompts
from rulebook.roles import Roles
from rulebook.routing import Routing
from rulebook.ways import WaysOn
from rulebook.words import Words
from rulebook.wrapup import WrapUp
from session.errors import YihaoError
from storage.policies import Policies, Policy

log = logging.getLogger(__name__)

LOOK_S = 1.0
_D = TypeVar("_D", bound=Document)


@dataclass(frozen=True, slots=True)
class InForce:
    """A document, and which version of its kind it is; 0 for the default that was never written."""

    version: int
    document: Document


class Rulebook:
    """A version that cannot be read is logged, and the one before stays in force."""

    def __init__(self, policies: Policies, kinds: Iterable[Kind]) -> None:
        self._policies = policies
        self.kinds: dict[str, Kind] = {}
        self._force: dict[str, InForce] = {}
        self._unreadable: set[tuple[str, int]] = set()
        self._supposed: Mapping[str, Document] = {}
        for kind in kinds:
            self.add(kind)

    def add(self, kind: Kind) -> None:
        """One more kind, with its default in force until the next look."""
        self.kinds[kind.name] = kind
        self._force[kind.name] = InForce(0, kind.default)

    @property
    def hours(self) -> BusinessHours:
        """When people answer."""
        return self._is(HOURS, BusinessHours)

    def is_open(self) -> bool:
        """Whether they are expected to answer now."""
        return self.hours.open_at(time.time())

    @property
    def routing(self) -> Routing:
        """Queues, skills, and which contact asks for which."""
        return self._is(ROUTING, Routing)

    @property
    def roles(self) -> Roles:
        """What each role may."""
        return self._is(ROLES, Roles)

    @property
    def prompts(self) -> Prompts:
        """What callers hear in place of the product's own, and besides."""
        return self._is(PROMPTS, Prompts)

    @property
    def canned(self) -> Canned:
        """What agents put in by `/`."""
        return self._is(CANNED, Canned)

    @property
    def words(self) -> Words:
        """What is masked or marked."""
        return self._is(WORDS, Words)

    @property
    def ways(self) -> WaysOn:
        """What callers are offered whom nobody can take now."""
        return self._is(WAYS, WaysOn)

    @property
    def wrap(self) -> WrapUp:
        """What must stand in a write-up, and how much more time there is for it."""
        return self._is(WRAP, WrapUp)

    @property
    def revision(self) -> int:
        """Rises with every change of any document."""
        return sum(one.version for one in self._force.values())

    async def look(self) -> None:
        """Take up what is new. Raises `StorageError`."""
        for name, version in (await self._policies.heads()).items():
            kind = self.kinds.get(name)
            if kind is None or version <= self._force[name].version or (name, version) in self._unreadable:
                continue
            policy = await self._policies.version(name, version)
            if policy is not None:
                self._take_up(kind, policy)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except YihaoError as error:
                log.warning("policy not read", extra={"why": type(error).__name__})

    async def now(self, kind: str) -> InForce:
        """What holds. Raises `UnknownKind`, `StorageError`."""
        one = self._kind(kind)
        await self.look()
        force = self._force[kind]
        return InForce(force.version, await one.elsewhere.now()) if one.elsewhere else force

    async def read(self, kind: str, content: Any) -> Document:
        """What a version with this content, as JSON has it, would say. Raises `UnknownKind`, `DocumentMalformed`."""
        one = self._kind(kind)
        document = read(kind, one.form, msgspec.json.encode(content))
        try:
            if one.proof is not None:
                await one.proof(document)
            return document if one.elsewhere is None else await one.elsewhere.becoming(document)
        except ValueError as error:
            raise DocumentMalformed(kind, "$", str(error)) from error

    async def versions(self, kind: str, *, before: int | None = None) -> list[Policy]:
        """The newest first, without their bodies. Raises `UnknownKind`, `StorageError`."""
        return await self._policies.versions(self._kind(kind).name, before=before)

    async def version(self, kind: str, version: int) -> Document:
        """An earlier one; 0 is the default. Raises `UnknownKind`, `NoSuchVersion`, `DocumentMalformed`."""
        one = self._kind(kind)
        if version == 0:
            return one.default
        policy = await self._policies.version(kind, version)
        if policy is None:
            raise NoSuchVersion(kind, version)
        return read(kind, one.form, policy.body)

    async def put(
        self,
        kind: str,
        document: Document,
        *,
        expected: int,
        author: str,
        at: float,
        why: str,
        noted: Callable[[int], Awaitable[None]] | None = None,
    ) -> int:
        """Put a document in force after version `expected`; gives its version, which `noted` hears before it is.

        Raises `PolicyMoved` where another has come after that one, `DocumentMalformed` for a document that what stands
        elsewhere does not allow.
        """
        one = self._kind(kind)
        if one.elsewhere is not None:
            expected = await self._catch_up(one, one.elsewhere, expected, at)
        policy = Policy(kind, expected + 1, written(document), author, at, why)
        if noted is not None:
            await noted(policy.version)

        async def along(connection: AsyncConnection) -> None:
            if one.elsewhere is not None:
                await one.elsewhere.put(connection, document)

        await self._policies.write(policy, along)
        self._take_up(one, policy)
        return policy.version

    async def _catch_up(self, kind: Kind, elsewhere: Elsewhere, expected: int, at: float) -> int:
        """What was changed past the rulebook is a version too, so that it can be gone back to; gives the last one."""
        last = await self._policies.version(kind.name, expected)
        body = written(await elsewhere.now())
        if last is not None and last.body == body:
            return expected
        await self._policies.write(Policy(kind.name, expected + 1, body, "yihao", at, "as it was"))
        return expected + 1

    def _take_up(self, kind: Kind, policy: Policy) -> None:
        try:
            document = read(kind.name, kind.form, policy.body)
        except DocumentMalformed as error:
            self._unreadable.add((kind.name, policy.version))
            log.warning("policy not read", extra={"kind": kind.name, "version": policy.version, "why": error.at})
            return
        if policy.version > self._force[kind.name].version:
            self._force[kind.name] = InForce(policy.version, document)
            log.info("policy in force", extra={"kind": kind.name, "version": policy.version})

    @contextmanager
    def supposing(self, documents: Mapping[str, Document]) -> Iterator[None]:
        """Read others meanwhile as if these were in force already: they are to come into force together."""
        self._supposed = documents
        try:
            yield
        finally:
            self._supposed = {}

    def _kind(self, name: str) -> Kind:
        if name not in self.kinds:
            raise UnknownKind(name)
        return self.kinds[name]

    def _is(self, name: str, form: type[_D]) -> _D:
        document = self._supposed.get(name) or self._force[name].document
        if not isinstance(document, form):
            raise TypeError(f"{name} is no {form.__name__}")
        return document
