"""Channels that open only where the operator has filled in their section; without it they are off."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from importlib import import_module
from pkgutil import walk_packages

import channels
from channels.contract import Channel
from channels.door import Advice, Door, Ports
from config.settings import Settings
from session.errors import YihaoError


class HalfFilled(YihaoError):
    """An account that could not take or send anything, or could not tell a forgery."""

    def __init__(self, lacking: tuple[str, ...]) -> None:
        self.lacking = lacking
        super().__init__(f"{', '.join(lacking)} missing; fill in all of the section, or nothing")


@cache
def doors() -> Sequence[Door]:
    """That of every folder of `channels` which has an `opening`."""
    modules = (module.name for module in walk_packages(channels.__path__, f"{channels.__name__}."))
    return tuple(import_module(name).DOOR for name in modules if name.endswith(".opening"))


def lacking(settings: Settings) -> tuple[str, ...]:
    """The keys that are empty beside others of their account that are not."""
    return tuple(key for door in doors() for key in door.lacking(getattr(settings, door.section)))


def shut(settings: Settings) -> tuple[str, ...]:
    """The sections of channels that nobody has filled in."""
    return tuple(door.section for door in doors() if not door.is_wanted(getattr(settings, door.section)))


def advice(settings: Settings) -> list[Advice]:
    """What works and should not stay so."""
    return [one for door in doors() for one in door.advice(getattr(settings, door.section))]


def faults(settings: Settings) -> list[Advice]:
    """What stops the start though every key is there."""
    return [one for door in doors() for one in door.faults(getattr(settings, door.section))]


@asynccontextmanager
async def open_doors(settings: Settings, ports: Ports) -> AsyncIterator[list[Channel]]:
    """Every channel whose section is filled in, until the end of the block. Raises `HalfFilled`."""
    if keys := lacking(settings):
        raise HalfFilled(keys)
    opened: list[Channel] = []
    async with AsyncExitStack() as stack:
        for door in doors():
            section = getattr(settings, door.section)
            if door.is_wanted(section):
                opened.append(await stack.enter_async_context(door.open(section, ports)))
        yield opened
