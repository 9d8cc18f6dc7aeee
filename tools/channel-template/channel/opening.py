"""Opens Postbox by its section of the configuration."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

from channels.door import Door, Ports, filled
from channels.postbox.adapter import PostboxChannel
from channels.postbox.settings import PostboxSettings


def _open(section: Any, ports: Ports) -> AbstractAsyncContextManager[PostboxChannel]:
    settings = filled(PostboxSettings, section, number=ports.number, pepper=ports.pepper)
    return PostboxChannel.open(settings, inbox=ports.inbox, shared=ports.shared)


DOOR = Door("postbox", (("url", "secret"),), _open)
