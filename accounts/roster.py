"""Agents in SQL: who they are, and what their passwords and telephones are checked against."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Insert, Row, Update, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from accounts.agent import Agent
from accounts.errors import AgentTaken, AgentUnknown
from accounts.passwords import Passwords
from accounts.tables import AGENTS, PASSWORDS, SIP_SECRETS
from session.ids import AssigneeId
from session.ports import Credential
from session.state import Medium, Skill
from storage.database import Database

# RFC 7616, section 6.1, and RFC 8760, section 2.
_ALGORITHMS = {"SHA-256": hashlib.sha256, "MD5": hashlib.md5}


class Roster:
    """The agents. Implements `session.ports.Telephones` too."""

    def __init__(self, database: Database, passwords: Passwords, *, realm: str) -> None:
        self._database, self._passwords, self._realm = database, passwords, realm

    async def add(self, agent: Agent, password: str, sip_password: str | None = None) -> None:
        """A new agent. Raises `AgentTaken`, `PasswordRefused`."""
        hashed = await self._passwords.hash(password)
        try:
            async with self._database.writing() as connection:
                await connection.execute(insert(AGENTS).values(**_row(agent), epoch=1))
                await connection.execute(insert(PASSWORDS).values(login=agent.login, argon2=hashed))
                await self._keep_sip_secret(connection, agent, sip_password)
        except IntegrityError as error:
            raise AgentTaken(agent.login, agent.extension) from error

    async def change(self, agent: Agent) -> None:
        """Put this in place of the account with its login; ends its logins. Raises `AgentUnknown`, `AgentTaken`.

        A changed extension voids the telephone's password, which is bound to it.
        """
        try:
            async with self._database.writing() as connection:
                before = await _find(connection, agent.login)
                row = {**_row(agent), "epoch": AGENTS.c.epoch + 1}
                await connection.execute(update(AGENTS).where(AGENTS.c.login == agent.login).values(row))
                if before.extension != agent.extension:
                    await connection.execute(delete(SIP_SECRETS).where(SIP_SECRETS.c.login == agent.login))
        except IntegrityError as error:
            raise AgentTaken(agent.login, agent.extension) from error

    async def become(self, connection: AsyncConnection, agents: Sequence[Agent]) -> None:
        """Put these in place of all accounts, in the caller's transaction: who is new cannot log in before `renew`.

        Nobody is forgotten: who is not among them stays as they are. Raises `AgentTaken`.
        """
        there = {row.login: _agent(row) for row in await connection.execute(select(AGENTS))}
        known = [agent for agent in agents if agent.login in there]
        changed = [agent for agent in known if not _alike(there[agent.login], agent)]
        moved = [one.login for one in changed if there[one.login].extension != one.extension]
        # First nobody has them, then each their own: two may change places.
        await connection.execute(update(AGENTS).where(AGENTS.c.login.in_(moved)).values(extension=None))
        await connection.execute(delete(SIP_SECRETS).where(SIP_SECRETS.c.login.in_(moved)))
        for agent in changed:
            await self._put(connection, agent, update(AGENTS).where(AGENTS.c.login == agent.login), AGENTS.c.epoch + 1)
        for agent in agents:
            if agent.login not in there:
                await self._put(connection, agent, insert(AGENTS), 1)

    async def _put(self, connection: AsyncConnection, agent: Agent, where: Insert | Update, epoch: Any) -> None:
        try:
            await connection.execute(where.values({**_row(agent), "epoch": epoch}))
        except IntegrityError as error:
            raise AgentTaken(agent.login, agent.extension) from error

    async def renew(self, login: AssigneeId, password: str, sip_password: str) -> Agent:
        """New passwords for desk and telephone; ends all logins. Raises `AgentUnknown`, `PasswordRefused`."""
        hashed = await self._passwords.hash(password)
        async with self._database.writing() as connection:
            agent = await _find(connection, login)
            risen = update(AGENTS).where(AGENTS.c.login == login).values(epoch=AGENTS.c.epoch + 1)
            await connection.execute(risen)
            await connection.execute(delete(PASSWORDS).where(PASSWORDS.c.login == login))
            await connection.execute(insert(PASSWORDS).values(login=login, argon2=hashed))
            await self._keep_sip_secret(connection, agent, sip_password)
        return agent

    async def set_password(self, login: AssigneeId, password: str) -> None:
        """A new password; ends all logins that the old one began. Raises `AgentUnknown`, `PasswordRefused`."""
        hashed = await self._passwords.hash(password)
        async with self._database.writing() as connection:
            risen = update(AGENTS).where(AGENTS.c.login == login).values(epoch=AGENTS.c.epoch + 1)
            if (await connection.execute(risen)).rowcount != 1:
                raise AgentUnknown(login)
            await connection.execute(update(PASSWORDS).where(PASSWORDS.c.login == login).values(argon2=hashed))

    async def set_sip_password(self, login: AssigneeId, sip_password: str) -> None:
        """A new password for the telephone. Raises `AgentUnknown`."""
        async with self._database.writing() as connection:
            await self._keep_sip_secret(connection, await _find(connection, login), sip_password)

    async def agents(self) -> list[Agent]:
        """All of them, by login."""
        async with self._database.reading() as connection:
            return [_agent(row) for row in await connection.execute(select(AGENTS).order_by(AGENTS.c.login))]

    async def agent(self, login: AssigneeId) -> Agent | None:
        """One of them, disabled or not."""
        found = await self.standing(login)
        return found[0] if found else None

    async def standing(self, login: AssigneeId) -> tuple[Agent, int] | None:
        """An agent and their epoch."""
        async with self._database.reading() as connection:
            row = (await connection.execute(select(AGENTS).where(AGENTS.c.login == login))).one_or_none()
            return (_agent(row), row.epoch) if row else None

    async def verified(self, login: str, password: str) -> tuple[Agent, int] | None:
        """The agent whose login and password these are, and their epoch; None, at the same cost, for all others."""
        wanted = select(AGENTS, PASSWORDS.c.argon2).join(PASSWORDS, PASSWORDS.c.login == AGENTS.c.login)
        async with self._database.reading() as connection:
            row = (await connection.execute(wanted.where(AGENTS.c.login == login))).one_or_none()
        fits = await self._passwords.fits(row.argon2 if row else None, password)
        return (_agent(row), row.epoch) if row is not None and fits and not row.disabled else None

    async def credential(self, extension: str) -> Credential | None:
        """What an extension's telephone proves itself by. None also for a disabled agent's."""
        wanted = (
            select(AGENTS.c.login, SIP_SECRETS.c.algorithm, SIP_SECRETS.c.ha1)
            .join(SIP_SECRETS, SIP_SECRETS.c.login == AGENTS.c.login)
            .where(AGENTS.c.extension == extension, AGENTS.c.disabled.is_(False), SIP_SECRETS.c.realm == self._realm)
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(wanted)).all()
        if not rows:
            return None
        return Credential(AssigneeId(rows[0].login), extension, self._realm, {row.algorithm: row.ha1 for row in rows})

    async def extension_of(self, assignee: AssigneeId) -> str | None:
        """The extension of an agent."""
        async with self._database.reading() as connection:
            return await connection.scalar(select(AGENTS.c.extension).where(AGENTS.c.login == assignee))

    async def _keep_sip_secret(self, connection: AsyncConnection, agent: Agent, sip_password: str | None) -> None:
        await connection.execute(delete(SIP_SECRETS).where(SIP_SECRETS.c.login == agent.login))
        if sip_password is None or agent.extension is None:
            return
        kept = ha1(agent.extension, self._realm, sip_password)
        rows = [
            {"login": agent.login, "realm": self._realm, "algorithm": algorithm, "ha1": value}
            for algorithm, value in kept.items()
        ]
        await connection.execute(insert(SIP_SECRETS), rows)


def ha1(extension: str, realm: str, password: str) -> Mapping[str, str]:
    """HA1 by algorithm (RFC 7616, section 3.4.2): as good as the password to who steals it, for this realm."""
    proof = f"{extension}:{realm}:{password}".encode()
    return {name: algorithm(proof).hexdigest() for name, algorithm in _ALGORITHMS.items()}


async def _find(connection: AsyncConnection, login: AssigneeId) -> Agent:
    row = (await connection.execute(select(AGENTS).where(AGENTS.c.login == login))).one_or_none()
    if row is None:
        raise AgentUnknown(login)
    return _agent(row)


def _alike(one: Agent, other: Agent) -> bool:
    """Whether nothing differs but the order in which skills are given."""
    return replace(one, skills=()) == replace(other, skills=()) and set(one.skills) == set(other.skills)


def _row(agent: Agent) -> dict[str, Any]:
    return {
        "login": agent.login,
        "name": agent.name,
        "role": str(agent.role),
        "extension": agent.extension,
        "queues": list(agent.queues),
        "skills": [[skill.name, skill.level] for skill in agent.skills],
        "capacity": {medium.value: most for medium, most in agent.capacity.items()},
        "disabled": agent.disabled,
    }


def _agent(row: Row[Any]) -> Agent:
    return Agent(
        login=AssigneeId(row.login),
        name=row.name,
        role=row.role,
        extension=row.extension,
        queues=tuple(row.queues),
        skills=tuple(Skill(name, level) for name, level in row.skills),
        capacity={Medium(medium): most for medium, most in row.capacity.items()},
        disabled=row.disabled,
    )
