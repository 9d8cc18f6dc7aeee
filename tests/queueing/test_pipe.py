"""The pipe to a server that is none of ours, or does not answer: nobody waits for ever, nobody gets another's reply."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import hiredis
import pytest

from queueing.pipe import PIECE, Pipe, PipeBroken, open_pipe

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def packed(*command: Any) -> bytes:
    return bytes(hiredis.pack_command(command))


PING = packed("PING")


@asynccontextmanager
async def piped(folder: Path, serve: Serve, *, patience_s: float = 20.0) -> AsyncIterator[Pipe]:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(PING))
        writer.write(b"+PONG\r\n")
        await serve(reader, writer)

    server = await asyncio.start_unix_server(greet, folder / "s.sock")
    pipe = await open_pipe(f"unix://{folder / 's.sock'}", within_s=20.0, patience_s=patience_s)
    try:
        yield pipe
    finally:
        await pipe.close()
        server.close()


async def test_replies_come_to_who_asked_though_some_have_given_up(valkey_url: str) -> None:
    pipe = await open_pipe(valkey_url, within_s=20.0, patience_s=20.0)
    asked = [pipe.send(packed("ECHO", f"{number}")) for number in range(1000)]
    for answer in asked[::3]:
        answer.cancel()
    wrong = pipe.send(packed("NOTHING"))
    assert [await answer for answer in asked if not answer.cancelled()] == [
        b"%d" % number for number in range(1000) if number % 3
    ]
    with pytest.raises(hiredis.ReplyError):
        await wrong
    last = pipe.send(PING)
    await pipe.close()
    assert await last == b"PONG"
    with pytest.raises(PipeBroken):
        await pipe.send(PING)


async def test_a_turn_that_asks_much_does_not_keep_the_server_waiting_for_its_end() -> None:
    near, far = socket.socketpair()
    with far:
        far.setblocking(False)
        loop = asyncio.get_running_loop()
        _, pipe = await loop.create_connection(lambda: Pipe(loop, 20.0), sock=near)
        asked = [pipe.send(PING) for _ in range(2 * PIECE + 1)]
        assert far.recv(1 << 16) == PING * 2 * PIECE
        await asyncio.sleep(0)
        assert far.recv(1 << 16) == PING
        far.send(b"+PONG\r\n" * len(asked))
        async with asyncio.timeout(20):
            assert set(await asyncio.gather(*asked)) == {b"PONG"}
        await pipe.close()


async def test_who_has_given_up_keeps_nobody_from_leaving(short_folder: Path) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with asyncio.timeout(20), piped(short_folder, silent) as pipe:
        pipe.send(PING).cancel()


async def test_a_server_that_stands_still_is_sent_nothing(short_folder: Path) -> None:
    sent = b""

    async def still(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        sent = await reader.read()
        writer.close()

    async with await asyncio.start_unix_server(still, short_folder / "s.sock"):
        with pytest.raises(TimeoutError):
            await open_pipe(f"unix://{short_folder / 's.sock'}", within_s=0.05, patience_s=20.0)
        async with asyncio.timeout(20):
            while not sent:
                await asyncio.sleep(0)
    assert sent == PING


async def test_a_server_that_says_nothing_is_given_up_with_all_that_wait(short_folder: Path) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with piped(short_folder, silent, patience_s=0.05) as pipe:
        answers = await asyncio.gather(*(pipe.send(PING) for _ in range(3)), return_exceptions=True)
        assert {type(answer) for answer in answers} == {PipeBroken}
        assert pipe.is_broken


@pytest.mark.parametrize("reply", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"+PONG\r\n+PONG\r\n+ONE MORE\r\n"])
async def test_a_server_that_is_none_is_left(short_folder: Path, reply: bytes) -> None:
    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(2 * len(PING))
        writer.write(reply)
        await reader.read()
        writer.close()

    async with piped(short_folder, other) as pipe:
        await asyncio.gather(pipe.send(PING), pipe.send(PING), return_exceptions=True)
        async with asyncio.timeout(20):
            while not pipe.is_broken:
                await asyncio.sleep(0)


async def test_a_password_and_a_database_are_said_first(valkey_url: str) -> None:
    pipe = await open_pipe(f"{valkey_url}?db=3", within_s=20.0, patience_s=20.0)
    assert b"db=3" in await pipe.send(packed("CLIENT", "INFO"))
    await pipe.close()
    with pytest.raises(hiredis.ReplyError):
        await open_pipe(valkey_url.replace("unix://", "unix://:a-password@"), within_s=20.0, patience_s=20.0)
