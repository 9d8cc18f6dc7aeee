"""`yihao menu`: show citizens the hotline's menu in every account that has one."""

from __future__ import annotations

import time

from config.settings import Settings
from gateway.doors import HalfFilled, doors, lacking
from queueing.memory.shared import MemoryShared
from session.errors import YihaoError


class NoMenus(YihaoError):
    """No account with a menu is filled in."""

    def __init__(self) -> None:
        super().__init__("no account with a menu is filled in; docs/channels.md says how")


async def set_menus(settings: Settings, page: str) -> list[str]:
    """Set it everywhere, and say in which sections. Raises `NoMenus`, `HalfFilled`, `ChannelError`."""
    if keys := lacking(settings):
        raise HalfFilled(keys)
    shared = MemoryShared(time.time)
    done = []
    for door in doors():
        section = getattr(settings, door.section)
        if door.set_menu is not None and door.is_wanted(section):
            await door.set_menu(section, shared, page)
            done.append(door.section)
    if not done:
        raise NoMenus
    return done
