"""Opens the API by its section of the configuration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

from channels.contract import ChannelError
from channels.door import Advice, Door, Ports, filled
from channels.govapi.adapter import GovApiChannel
from channels.govapi.clients import check
from channels.govapi.settings import Client, GovApiSettings


def _open(section: Any, ports: Ports) -> AbstractAsyncContextManager[GovApiChannel]:
    clients = tuple(filled(Client, client) for client in section.clients)
    return GovApiChannel.open(
        filled(GovApiSettings, section, number=ports.number, pepper=ports.pepper, clients=clients),
        inbox=ports.inbox,
        shared=ports.shared,
        files=ports.files,
        lines=ports.lines,
        timeline=ports.timeline,
        badge=ports.badge,
        attests=ports.attests,
    )


def _faults(section: Any) -> Iterator[Advice]:
    try:
        check([filled(Client, client) for client in section.clients], plain_callbacks=section.plain_callbacks)
    except ChannelError as error:
        yield Advice(str(error), "see docs/govapi.md")


def _advice(section: Any) -> Iterator[Advice]:
    if section.clients and section.plain_callbacks:
        yield Advice("callbacks of platforms may go in the clear", "govapi.plain_callbacks = false")


DOOR = Door("govapi", (("clients",),), _open, _advice, faults=_faults)
