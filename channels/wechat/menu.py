"""The account's menu (自定义菜单). Pure: what WeChat would refuse is refused here, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from channels.wechat.calls import Json
from channels.wechat.errors import MenuMalformed
from channels.wechat.incoming import LONGEST_KEY

_TOP, _BELOW = 3, 5
_TOP_BYTES, _BELOW_BYTES, _URL_BYTES = 16, 60, 1024
"""Names are cut by WeChat beyond four and eight Chinese characters; these are what it refuses."""


@dataclass(frozen=True, slots=True)
class Button:
    """Tells us its key when it is chosen (CLICK)."""

    name: str
    key: str


@dataclass(frozen=True, slots=True)
class Link:
    """Opens a page (VIEW)."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Group:
    """Opens upward, and shows what it has."""

    name: str
    entries: tuple[Button | Link, ...]


Entry = Button | Link | Group


def menu(entries: Sequence[Entry]) -> Json:
    """The body of `menu/create`. Raises `MenuMalformed`."""
    if not 1 <= len(entries) <= _TOP:
        raise MenuMalformed(f"it has 1 to {_TOP} entries")
    return {"button": [_entry(one) for one in entries]}


def hotline_menu(human_key: str, page: str) -> tuple[Entry, ...]:
    """A hotline's usual one: ask for a person, open the public page."""
    return (Button("人工服务", human_key), Link("网上12345", page))


def _entry(entry: Entry) -> Json:
    _named(entry.name, _TOP_BYTES)
    if not isinstance(entry, Group):
        return _leaf(entry)
    if not 1 <= len(entry.entries) <= _BELOW:
        raise MenuMalformed(f"a group has 1 to {_BELOW} entries")
    for one in entry.entries:
        _named(one.name, _BELOW_BYTES)
    return {"name": entry.name, "sub_button": [_leaf(one) for one in entry.entries]}


def _leaf(entry: Button | Link) -> Json:
    if isinstance(entry, Button):
        if not 1 <= len(entry.key.encode()) <= LONGEST_KEY:
            raise MenuMalformed(f"a key has 1 to {LONGEST_KEY} bytes")
        return {"type": "click", "name": entry.name, "key": entry.key}
    if not entry.url.startswith(("https://", "http://")) or len(entry.url.encode()) > _URL_BYTES:
        raise MenuMalformed(f"a link is an http address of at most {_URL_BYTES} bytes")
    return {"type": "view", "name": entry.name, "url": entry.url}


def _named(name: str, most_bytes: int) -> None:
    if not 1 <= len(name.encode()) <= most_bytes:
        raise MenuMalformed(f"a name here has 1 to {most_bytes} bytes")
