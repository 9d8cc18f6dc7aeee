"""How a channel opens by its section of the configuration, and what it may ask the house for.

A folder whose `opening.py` holds a `DOOR` is found by the gateway; nothing outside the folder names it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, Protocol, TypeVar, runtime_checkable

from channels.contract import Badge, Channel, Timeline
from session.address import Address
from session.ids import NodeId
from session.ports import Attests, Files, Inbox, Lines, SharedState

Settings = TypeVar("Settings")


@dataclass(frozen=True, slots=True)
class Recognised:
    """Somebody has scanned a QR code of ours."""

    answer: str
    """What to tell them at once."""
    goes_on: bool = False
    """They are a citizen whose session runs: it goes on with them, where they scanned it, from now on."""


@dataclass(frozen=True, slots=True)
class Ports:
    """What the house has for a channel; each takes what it needs, and nothing else of the house."""

    node: NodeId
    number: str
    """The public number that the channel stands for."""
    pepper: bytes
    """Hides citizens' addresses in names of keys."""
    inbox: Inbox
    shared: SharedState
    files: Files
    lines: Lines
    timeline: Timeline
    badge: Badge
    scanned: Callable[[Address, str], Awaitable[Recognised | None]]
    """Told who scanned a QR code, with its scene; None for one that is not ours. Durable when it returns."""
    attests: Attests
    words: Mapping[str, str]
    """What notices say, with `{parameters}`, by name."""


class Opens(Protocol):
    """Opens the channel, and closes it at the end of the block."""

    def __call__(self, section: Any, ports: Ports) -> AbstractAsyncContextManager[Channel]:
        """`section` as the configuration has read it; `filled` makes the channel's own settings of it."""
        ...


@dataclass(frozen=True, slots=True)
class Advice:
    """Something that works and should not stay so, with its mend."""

    what: str
    mend: str


def _no_advice(_: object) -> Iterator[Advice]:
    return iter(())


class SetsMenu(Protocol):
    """Shows citizens a menu in the account: what to press for a person, and the page that it opens."""

    async def __call__(self, section: Any, shared: SharedState, page: str) -> None:
        """Raises `ChannelError`. `shared` may be a process's own."""
        ...


def _nothing_more(_: object) -> Iterator[str]:
    return iter(())


@dataclass(frozen=True, slots=True)
class Door:
    """A way in that is shut until its section is filled in.

    The section's type is the configuration's, which channels do not know: what is read of it is named here.
    """

    section: str
    accounts: tuple[tuple[str, ...], ...]
    """The keys of each account, dotted below the section: all of them are filled in, or none."""
    open: Opens
    advice: Callable[[Any], Iterator[Advice]] = _no_advice
    called_for: Callable[[Any], Iterator[str]] = _nothing_more
    """Keys, dotted below the section, that what is filled in elsewhere of it calls for."""
    faults: Callable[[Any], Iterator[Advice]] = _no_advice
    """What stops the start though every key is there; opening raises it too."""
    set_menu: SetsMenu | None = None
    """Where citizens see a menu of ours."""

    def is_wanted(self, section: object) -> bool:
        """Whether the operator has begun to fill it in."""
        return any(attrgetter(key)(section) for keys in self.accounts for key in keys)

    def lacking(self, section: object) -> Iterator[str]:
        """The keys, with the section's name, that are empty beside others of their account that are not."""
        values = {key: attrgetter(key)(section) for keys in self.accounts for key in keys}
        begun = [key for keys in self.accounts if any(values[one] for one in keys) for key in keys]
        for key in dict.fromkeys((*begun, *self.called_for(section))):
            if not attrgetter(key)(section):
                yield f"{self.section}.{key}"


@runtime_checkable
class _Hidden(Protocol):
    """A secret of the configuration's."""

    def reveal(self) -> str:
        """The text itself."""
        ...


def filled(kind: type[Settings], section: object, **others: object) -> Settings:
    """A channel's settings: each field that the section has too by its value there, secrets revealed; then `others`."""
    names = {one.name for one in fields(kind)} - others.keys()  # type: ignore[arg-type] # a dataclass, or it raises
    known: Mapping[str, object] = {name: _revealed(getattr(section, name)) for name in names if hasattr(section, name)}
    return kind(**known, **others)


def _revealed(value: object) -> object:
    match value:
        case _Hidden():
            return value.reveal()
        case tuple():
            return tuple(_revealed(one) for one in value)
    return value
