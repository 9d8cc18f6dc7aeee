"""Memory of what waits: resident bytes for each web chat that stands in line, and for each idle registered telephone.

The server is the one of `webchat`: a process of its own with the whole web chat. Its resident memory is read with no
chat, and again with each step of chats that have connected, written one message and been told their place. The figure
is the slope between the first and the last step, so what the process needs anyway is not counted. The limit is what a
bare aiohttp WebSocket needs in the same way, since nothing of ours can be smaller than the socket it stands on.

A registered telephone (`registered`) has no limit to stand beside; its bytes are printed as `phone`.

`--short` takes fewer of both.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import resource
import urllib.request
from functools import partial

from benchmarks import registered
from benchmarks.chat import ticket_for
from benchmarks.webchat import Page, Tally, frame, serving
from realtime.messages import VERSION


def resident(port: int) -> int:
    """Bytes, as the server says."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/memory") as answer:
        return int(json.load(answer)["bytes"])


def hello_of(number: int) -> bytes:
    """The first frame of a visitor's page."""
    hello = {"t": "hello", "v": VERSION, "ticket": ticket_for(f"visitor-{number}")}
    return frame(json.dumps(hello).encode())


def _same(page: Page) -> Page:
    return page


async def grown(kind: str, steps: list[int]) -> float:
    """Bytes for each more socket."""
    loop = asyncio.get_running_loop()
    pages: list[Page] = []
    found: list[int] = []
    answer = b'{"t":"ack"' if kind == "chat" else b'{"t":"msg.send"'
    async with serving(kind) as (_, port):
        for step in steps:
            for number in itertools.islice(itertools.count(len(pages)), step - len(pages)):
                hello, tally = hello_of(number) if kind == "chat" else b"", Tally()
                page = Page(port, hello, answer, tally)
                await loop.create_connection(partial(_same, page), "127.0.0.1", port)
                await page.ready
                page.write()
                tally.runs = False  # one message, and then only waiting
                pages.append(page)
            await asyncio.sleep(1.5)  # each has its answer, and was told its place
            for page in pages:
                page.confirm()
            await asyncio.sleep(0.5)
            found.append(await asyncio.to_thread(resident, port))
            print(f"{kind} {step:6} sockets {found[-1] / 2**20:8.1f} MiB")
        for page in pages:
            page.transport.abort()
    return (found[-1] - found[0]) / (steps[-1] - steps[0])


def main() -> None:
    import uvloop

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--short", action="store_true")
    arguments = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(16384, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    steps = [200, 1000] if arguments.short else [500, 2000, 5000]
    value, limit = (uvloop.run(grown(kind, steps)) for kind in ("chat", "echo"))
    phone = uvloop.run(registered.grown([200, 1000] if arguments.short else [500, 2000, 5000]))
    line = {
        "name": "memory",
        "value": round(value),
        "limit": round(limit),
        "ratio": round(limit / value, 3),
        "unit": "bytes for each waiting web chat; limit: each bare aiohttp socket",
        "phone": round(phone),
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
