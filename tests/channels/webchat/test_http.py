"""The web chat over plain HTTP: who a browser is, and files."""

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from session import events as ev
from session.ids import AssigneeId, FileId, MessageId, SessionId
from session.state import AssigneeKind
from tests.channels.webchat.rig import SETTINGS, ServingNode, World, chatting, node, shown
from tests.conftest import Eventually
from tests.realtime.client import ulid

FIRST = SessionId(f"01TEST{0:020d}")
PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89" + b"x" * 200
PDF = b"%PDF-1.7\n" + b"x" * 200
LARGEST = 64 * 1024


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def here(world: World, tmp_path: Path) -> AsyncIterator[ServingNode]:
    bounded = replace(SETTINGS, sockets=replace(SETTINGS.sockets, file_bytes=LARGEST))
    async with node(world, tmp_path, settings=bounded) as serving:
        yield serving


async def _upload(
    here: ServingNode, token: str, body: Any, kind: str = "image/png", name: str = "a.png"
) -> tuple[int, dict[str, Any]]:
    headers = {"X-Visitor": token, "Content-Type": kind, "X-Filename": name}
    async with here.http.post(f"{here.base}/api/webchat/files", data=body, headers=headers) as response:
        return response.status, await response.json()


async def _fetch(here: ServingNode, token: str, file: str) -> tuple[int, bytes, dict[str, str]]:
    url = f"{here.base}/api/webchat/files/{file}"
    async with here.http.get(url, headers={"X-Visitor": token}) as response:
        return response.status, await response.read(), dict(response.headers)


async def _greet(here: ServingNode, **request: Any) -> tuple[int, dict[str, Any]]:
    async with here.http.post(f"{here.base}/api/webchat/visitor", **request) as response:
        return response.status, await response.json()


async def test_a_browser_is_known_again(here: ServingNode) -> None:
    first = await here.visitor()
    again = await here.visitor(first["visitor"])
    assert here.channel._visitors.known(first["visitor"]) == here.channel._visitors.known(again["visitor"])
    assert here.channel._visitors.known((await here.visitor())["visitor"]) != here.channel._visitors.known(
        first["visitor"]
    )


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 200, None),
        (b"{}", 200, None),
        (b'{"visitor":""}', 200, None),
        (b'{"visitor":"made.up"}', 401, "visitor"),
        (b'{"visitor":7}', 400, "malformed"),
        (b"[]", 400, "malformed"),
        (b"\xff", 400, "malformed"),
        (b"[" * 3000, 400, "malformed"),
        (b'{"visitor":"' + b"x" * 9000 + b'"}', 400, "malformed"),
    ],
)
async def test_what_says_who_it_is_badly_is_refused(
    here: ServingNode, body: bytes, status: int, code: str | None
) -> None:
    answered, answer = await _greet(here, data=body)
    assert (answered, answer.get("error")) == (status, code)


async def test_a_foreign_page_gets_no_name(here: ServingNode) -> None:
    assert await _greet(here, headers={"Origin": "https://evil.example"}) == (403, {"error": "origin"})
    assert (await _greet(here, headers={"Origin": here.base}))[0] == 200


async def test_an_address_that_asks_without_end_is_refused(here: ServingNode) -> None:
    statuses = [(await _greet(here))[0] for _ in range(120)]
    assert statuses[:100] == [200] * 100
    assert statuses[-1] == 429


async def test_a_file_goes_up_into_the_timeline_and_comes_back(
    world: World, here: ServingNode, eventually: Eventually
) -> None:
    token = (await here.visitor())["visitor"]
    async with chatting(here, token) as page:
        status, upload = await _upload(here, token, PNG, name="%E8%B7%AF%E7%81%AF..%2F.png")
        assert (status, upload["name"], upload["content_type"], upload["size"]) == (200, ".png", "image/png", len(PNG))
        page.send("file.send", file=upload["file"], name="路灯.png")
        await eventually(lambda: not page.outbox)
        (received,) = await world.events(FIRST, ev.FileReceived)
        assert (received.name, received.size_bytes) == ("路灯.png", len(PNG))  # type: ignore[attr-defined]
        await eventually(lambda: len(shown(page)) == 1)
        status, body, headers = await _fetch(here, token, upload["file"])
        assert (status, body) == (200, PNG)
        assert headers["Content-Disposition"] == "inline"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"<script>alert(1)</script>" * 20, "image/png", 415, "kind"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>" * 9, "image/svg+xml", 415, "kind"),
        (b"PK\x03\x04" + b"\0" * 300, "application/zip", 415, "kind"),
        (PNG, "application/pdf", 415, "kind"),
        (b"", "image/png", 415, "kind"),
        (PNG + b"x" * LARGEST, "image/png", 413, "too_large"),
    ],
)
async def test_a_file_that_is_not_taken_is_refused_by_type(
    here: ServingNode, tmp_path: Path, body: bytes, kind: str, status: int, code: str
) -> None:
    token = (await here.visitor())["visitor"]
    assert await _upload(here, token, body, kind) == (status, {"error": code})
    assert list(tmp_path.iterdir()) == []


async def test_a_file_without_an_end_is_cut_off(here: ServingNode, tmp_path: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield PNG
        for _ in range(100):
            yield b"x" * 4096

    token = (await here.visitor())["visitor"]
    with suppress(aiohttp.ClientError):  # answered and closed while it was still sending
        assert await _upload(here, token, endless()) == (413, {"error": "too_large"})
    assert list(tmp_path.iterdir()) == []


async def test_nobody_gets_or_sends_anothers_file(world: World, here: ServingNode, eventually: Eventually) -> None:
    owner, thief = (await here.visitor())["visitor"], (await here.visitor())["visitor"]
    _, upload = await _upload(here, owner, PDF, "application/pdf", "a.pdf")
    status, body, headers = await _fetch(here, owner, upload["file"])
    assert (status, body, headers["Content-Disposition"]) == (200, PDF, "attachment")
    assert (await _fetch(here, thief, upload["file"]))[:2] == (404, b'{"error": "unknown_file"}')
    assert (await _fetch(here, "made.up", upload["file"]))[0] == 401
    for name in ("..%2F..%2Fetc%2Fpasswd", "nothing", "a" * 200):
        assert (await _fetch(here, owner, name))[0] == 404
    async with chatting(here, thief) as page:
        refused = page.send("file.send", file=upload["file"], name="mine.pdf")
        await eventually(lambda: page.refused.get(refused) == "unknown_file")
        assert FIRST not in world.store.log._world.sessions


async def test_what_the_agent_sent_is_the_citizens_to_fetch(
    world: World, here: ServingNode, eventually: Eventually
) -> None:
    token, other = (await here.visitor())["visitor"], (await here.visitor())["visitor"]
    async with chatting(here, token) as page:
        page.send("msg.send", text="hello")
        await eventually(lambda: not page.outbox)
        await world.answer(FIRST)
        _, upload = await _upload(here, other, PNG)
        sent = ev.FileSent(
            by=AssigneeId("li.na"),
            kind=AssigneeKind.AGENT,
            message=MessageId(ulid()),
            file=FileId(upload["file"]),
            name="plan.png",
            content_type="image/png",
            size_bytes=len(PNG),
        )
        await world.happen(FIRST, sent)
        await eventually(lambda: len(page.of("msg.new")) == 2)
    assert (await _fetch(here, token, upload["file"]))[:2] == (200, PNG)


async def test_uploads_are_bounded_in_number(here: ServingNode) -> None:
    token = (await here.visitor())["visitor"]
    statuses = [(await _upload(here, token, PNG))[0] for _ in range(12)]
    assert statuses[:10] == [200] * 10
    assert statuses[-1] == 429


async def test_no_stored_key_names_a_visitor(world: World, here: ServingNode, eventually: Eventually) -> None:
    token = (await here.visitor())["visitor"]
    async with chatting(here, token) as page:
        page.send("msg.send", text="hello")
        await eventually(lambda: not page.outbox)
        await _upload(here, token, PNG)
    visitor = here.channel._visitors.known(token)
    shared = world.store.shared
    keys = json.dumps([list(map(str, table)) for table in vars(shared).values() if isinstance(table, dict)])
    assert visitor not in keys
    assert "127.0.0.1" not in keys
