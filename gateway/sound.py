"""The process that carries sound (`media.crew` starts it, `media.worker` serves): its standard input is the pipe.

It ends when the gateway says so, and at once when the gateway is no more: what it was recording is then mended by
whoever starts next, as what a gateway that dies records itself. Signals are the gateway's: who stops a service or
presses Ctrl+C means the whole of it, and calls still speak while it drains.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import uvloop

from config.settings import Media, Settings
from gateway import logs
from gateway.process import allow_many_files, collect_seldom, take_short_turns
from media.crew import Crew
from media.engine import Engine, Limits
from media.prompts import PromptLibrary
from media.rtpengine.engine import AnchoredEngine
from media.tap import Recorder
from media.worker import Worker
from recordings.shelf import Shelf
from recordings.writer import RecordingWriter
from session.audio import Audio

_MOST = 64


@dataclass(frozen=True, slots=True)
class Outfit:
    """What a process is started with."""

    addresses: tuple[str, ...]
    ports: tuple[int, int]
    recordings: str
    """The folder; empty records nothing."""
    log_level: str
    log_form: Literal["json", "plain"]
    limits: Limits = field(default_factory=Limits)
    rtpengines: tuple[tuple[str, int], ...] = ()
    """Through which far ends go; none leaves them to us."""
    codecs: tuple[str, ...] = ("PCMA", "PCMU")

    def engine(self, prompts: PromptLibrary, recorder: Recorder | None) -> Engine:
        """What carries sound."""
        kind = partial(AnchoredEngine, rtpengines=self.rtpengines) if self.rtpengines else Engine
        return kind(
            prompts,
            addresses=self.addresses,
            ports=self.ports,
            recorder=recorder,
            limits=self.limits,
            codecs=self.codecs,
        )

    def command(self) -> list[str]:
        """The words that start it."""
        return [sys.executable, "-P", "-m", __name__, json.dumps(asdict(self))]


def open_audio(
    settings: Settings, prompts: PromptLibrary, recorder: Recorder, mourn: Callable[[int], None]
) -> AbstractAsyncContextManager[Audio]:
    """What carries sound for a gateway, here or in processes of its own; `mourn` is told of each that died."""
    media, log = settings.media, settings.log
    ports = (media.port_min, media.port_max)
    size = workers(media.workers, ports)
    is_recorded = settings.recordings.enabled
    folder = str(settings.recordings_folder) if is_recorded else ""
    through = rtpengines(media)
    outfit = Outfit((media.host,), ports, folder, log.level, log.format, rtpengines=through, codecs=media.codecs)
    if size == 0:
        return outfit.engine(prompts, recorder if is_recorded else None)
    return Crew(prompts, size, lambda place: replace(outfit, ports=share(ports, place, size)).command(), mourn)


def rtpengines(media: Media) -> tuple[tuple[str, int], ...]:
    """Where they are, if sound is to go through them."""
    named = media.rtpengine if media.engine == "rtpengine" else ()
    parts = [urlsplit(f"//{one}") for one in named]
    return tuple((one.hostname or "", one.port or 0) for one in parts)


def workers(asked: int, ports: tuple[int, int]) -> int:
    """How many processes carry sound: as many as asked for, or where that is -1 one for each core but one.

    Each needs ports for a call at least.
    """
    if asked >= 0:
        return asked
    cores = max(1, len(os.sched_getaffinity(0)) - 1)
    return min(_MOST, cores) if ports == (0, 0) else min(_MOST, cores, (ports[1] - ports[0] + 1) // 4)


def share(ports: tuple[int, int], place: int, places: int) -> tuple[int, int]:
    """The part of a range of ports that is one process's own; (0, 0) is any, for all."""
    if ports == (0, 0):
        return ports
    lowest = ports[0] + ports[0] % 2
    pairs = (ports[1] + 1 - lowest) // 2
    first, end = pairs * place // places, pairs * (place + 1) // places
    return lowest + 2 * first, lowest + 2 * end - 1


async def carry(outfit: Outfit) -> None:
    """Until the gateway wants no more."""
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, lambda: None)
    async with contextlib.AsyncExitStack() as stack:
        recorder = None
        if outfit.recordings:
            recorder = await stack.enter_async_context(RecordingWriter(Shelf(Path(outfit.recordings))))
        engine = await stack.enter_async_context(outfit.engine(PromptLibrary({}), recorder))
        pipe = socket.socket(fileno=os.dup(0))
        _, worker = await loop.create_unix_connection(lambda: Worker(engine), sock=pipe)
        collect_seldom()
        if not await worker.serve():
            os._exit(1)
        worker.close()


def main() -> None:
    """Be one such process."""
    said = json.loads(sys.argv[1])
    lists = {
        "addresses": tuple(said["addresses"]),
        "ports": tuple(said["ports"]),
        "limits": Limits(**said["limits"]),
        "codecs": tuple(said["codecs"]),
        "rtpengines": tuple((host, port) for host, port in said["rtpengines"]),
    }
    outfit = Outfit(**said | lists)
    logs.set_up(outfit.log_level, outfit.log_form)
    allow_many_files()
    take_short_turns()
    uvloop.run(carry(outfit))


if __name__ == "__main__":
    main()
