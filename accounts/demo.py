"""The demonstration's agents, made at the first start with passwords that nobody has seen before."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from accounts.agent import Agent
from accounts.errors import AgentTaken, CredentialsUnreadable
from accounts.passwords import generate_password
from accounts.role import Role
from accounts.roster import Roster
from session.ids import AssigneeId
from session.state import Medium, Skill

FILE_NAME = "credentials.json"
_LARGEST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class DemoCredential:
    """What a newcomer logs in with."""

    login: str
    password: str
    extension: str
    sip_password: str


def demo_agents(queues: Sequence[str]) -> tuple[Agent, ...]:
    """8001 to 8004, all on these queues; and who administers, on none."""
    everything = {Medium.VOICE: 1, Medium.CHAT: 3, Medium.MESSAGE: 5}
    mandarin, english = Skill("mandarin", 10), Skill("english", 6)
    return (
        _demo_agent("8001", "王芳", queues, (mandarin,), everything),
        _demo_agent("8002", "李强", queues, (mandarin, english), everything),
        _demo_agent("8003", "张敏", queues, (mandarin,), everything),
        _demo_agent("8004", "刘洋", queues, (mandarin, english), everything, Role.SUPERVISOR),
        _demo_agent("8009", "陈静", (), (mandarin,), everything, Role.ADMINISTRATOR),
    )


def _demo_agent(
    number: str,
    name: str,
    queues: Sequence[str],
    skills: tuple[Skill, ...],
    capacity: dict[Medium, int],
    role: Role = Role.AGENT,
) -> Agent:
    return Agent(AssigneeId(number), name, role, number, tuple(queues), skills, capacity)


async def seed_demo(roster: Roster, folder: Path, queues: Sequence[str]) -> Path | None:
    """Make the demo agents, unless there are agents already; the file of their passwords, if there is one.

    The passwords are on disk before the first agent is made: a start that dies midway is gone on with at the next.
    Raises `CredentialsUnreadable`.
    """
    path = folder / FILE_NAME
    if await roster.agents() and not path.exists():
        return None
    agents = demo_agents(queues)
    _write_once(path, agents)
    kept = {one.login: one for one in _read(path)}
    there = {agent.login for agent in await roster.agents()}
    for agent in agents:
        if agent.login in kept and agent.login not in there:
            # Another node that starts on the same folder may be making the same agent.
            with contextlib.suppress(AgentTaken):
                await roster.add(agent, kept[agent.login].password, kept[agent.login].sip_password)
    return path


def _write_once(path: Path, agents: Sequence[Agent]) -> None:
    if path.exists():
        return
    made = [
        DemoCredential(agent.login, generate_password(), agent.extension or "", generate_password()) for agent in agents
    ]
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump([asdict(one) for one in made], file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _read(path: Path) -> list[DemoCredential]:
    try:
        with path.open("rb") as file:
            return [DemoCredential(**one) for one in json.loads(file.read(_LARGEST_BYTES))]
    except (OSError, ValueError, TypeError) as error:
        raise CredentialsUnreadable(str(path)) from error
