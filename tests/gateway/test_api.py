"""The HTTP API of the real house: who may ask what from where, and what becomes of bad input."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from gateway.body import LARGEST_BYTES
from recordings.store import RecordingStore
from session.ids import RecordingId, SessionId
from tests.conftest import Eventually
from tests.gateway.living import Living, living
from tests.peers.pages import CitizenPage
from tests.peers.valkey import ValkeyServer

PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89" + bytes(64)
OWN, FOREIGN, NULL, ABSENT = "own", "https://evil.example", "null", None
SESSION = "01HZZZZZZZZZZZZZZZZZZZZZZZ"


@pytest.fixture
async def town(valkey_url: str, tmp_path: Path) -> AsyncIterator[Living]:
    async with living(valkey_url, tmp_path) as opened:
        yield opened


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


async def _log_in(town: Living, http: aiohttp.ClientSession, login: str, **headers: str) -> str:
    """The cookie's value."""
    given = {"login": login, "password": town.password(login)}
    async with http.post(f"{town.http}/api/login", json=given, headers={"X-Yihao": "1", **headers}) as answer:
        assert answer.status == 200
        return SimpleCookie(answer.headers["Set-Cookie"])["yihao"].value


# --- who may ask what from where ------------------------------------------------------------------------------------


class Open(Enum):
    """To whom a route is open."""

    ALL = "anybody, from any page"
    OWN_PAGE = "anybody, from a page of ours"
    AGENT = "whoever is logged in"
    AGENT_ON_OWN_PAGE = "whoever is logged in, from a page of ours"
    SUPERVISOR = "a supervisor"
    SUPERVISOR_ON_OWN_PAGE = "a supervisor, from a page of ours"
    ADMINISTRATOR = "an administrator, whom no row asks as"
    ADMINISTRATOR_ON_OWN_PAGE = "an administrator, from a page of ours"
    SOCKET = "a page of ours that says so"
    VISITOR = "whoever shows a visitor's token, which no foreign page has"


@dataclass(frozen=True)
class Route:
    """One row: whom it is for, an address of that form, and how it answers those whom it is for."""

    to: Open
    path: str
    status: int


ROUTES = {
    "GET /healthz": Route(Open.ALL, "/healthz", 200),
    "GET /readyz": Route(Open.ALL, "/readyz", 200),
    "GET /metrics": Route(Open.ALL, "/metrics", 200),
    "GET /": Route(Open.ALL, "/", 200),
    "GET /desk": Route(Open.ALL, "/desk", 200),
    "GET /desk/{view}": Route(Open.ALL, "/desk/history/1", 200),
    "GET /go": Route(Open.ALL, "/go", 200),
    "GET /proof.js": Route(Open.ALL, "/proof.js", 200),
    "GET /identity.js": Route(Open.ALL, "/identity.js", 200),
    "GET /call.js": Route(Open.ALL, "/call.js", 200),
    "GET /asked.js": Route(Open.ALL, "/asked.js", 200),
    "GET /voice.js": Route(Open.ALL, "/voice.js", 200),
    "GET /word.js": Route(Open.ALL, "/word.js", 200),
    "GET /more.js": Route(Open.ALL, "/more.js", 200),
    "GET /refused.js": Route(Open.ALL, "/refused.js", 200),
    "GET /widget.js": Route(Open.ALL, "/widget.js", 200),
    "GET /assets": Route(Open.ALL, "/assets/nothing.js", 404),
    "GET /api/me": Route(Open.AGENT, "/api/me", 200),
    "GET /api/desk/files/{file}": Route(Open.AGENT, "/api/desk/files/none", 404),
    "GET /api/desk/files/{file}/sound": Route(Open.AGENT, "/api/desk/files/none/sound", 404),
    "GET /api/desk/colleagues": Route(Open.AGENT, "/api/desk/colleagues", 200),
    "GET /api/desk/mentions": Route(Open.AGENT, "/api/desk/mentions", 200),
    "POST /api/desk/mentions": Route(Open.AGENT_ON_OWN_PAGE, "/api/desk/mentions", 400),
    "GET /api/sessions": Route(Open.AGENT, "/api/sessions", 200),
    "GET /api/desk/destinations": Route(Open.AGENT, "/api/desk/destinations", 200),
    "GET /api/sessions/{session}/person": Route(Open.AGENT, f"/api/sessions/{SESSION}/person", 404),
    "GET /api/sessions/{session}/person/timeline": Route(Open.AGENT, f"/api/sessions/{SESSION}/person/timeline", 404),
    **{
        f"POST /api/sessions/{{session}}/person/{act}": Route(
            Open.AGENT_ON_OWN_PAGE, f"/api/sessions/{SESSION}/person/{act}", 404
        )
        for act in ("verify", "prove", "link", "unlink", "join", "split", "reveal")
    },
    "GET /api/sessions/{session}/timeline": Route(Open.AGENT, f"/api/sessions/{SESSION}/timeline", 404),
    "GET /api/recordings/{recording}": Route(Open.AGENT, f"/api/recordings/{SESSION}-5", 404),
    "GET /api/recordings/{recording}/peaks": Route(Open.AGENT, f"/api/recordings/{SESSION}-5/peaks", 404),
    "POST /api/desk/ticket": Route(Open.AGENT_ON_OWN_PAGE, "/api/desk/ticket", 200),
    "POST /api/desk/telephone": Route(Open.AGENT_ON_OWN_PAGE, "/api/desk/telephone", 200),
    "POST /api/desk/files": Route(Open.AGENT_ON_OWN_PAGE, "/api/desk/files", 415),
    "GET /api/calls": Route(Open.SUPERVISOR, "/api/calls", 200),
    "GET /api/calls/{call}": Route(Open.SUPERVISOR, "/api/calls/none", 404),
    "GET /api/calls/{call}/ladder.txt": Route(Open.SUPERVISOR, "/api/calls/none/ladder.txt", 404),
    "GET /api/calls/{call}/capture.pcap": Route(Open.ADMINISTRATOR, "/api/calls/none/capture.pcap", 403),
    "GET /api/prompts": Route(Open.ADMINISTRATOR, "/api/prompts", 403),
    "POST /api/prompts/sounds": Route(Open.AGENT_ON_OWN_PAGE, "/api/prompts/sounds", 403),
    "GET /api/prompts/sounds/{sound}": Route(Open.ADMINISTRATOR, "/api/prompts/sounds/none", 403),
    "GET /api/prompts/{name}/sound": Route(Open.ADMINISTRATOR, "/api/prompts/none/sound", 403),
    "GET /api/supervision": Route(Open.SUPERVISOR, "/api/supervision", 200),
    "POST /api/supervision/{session}": Route(Open.SUPERVISOR_ON_OWN_PAGE, f"/api/supervision/{SESSION}", 400),
    "GET /api/wallboard/past": Route(Open.SUPERVISOR, "/api/wallboard/past?from=2026-11-01&days=1", 200),
    "GET /api/wallboard": Route(Open.SUPERVISOR, "/api/wallboard", 200),
    "POST /api/agents/{login}/presence": Route(Open.SUPERVISOR_ON_OWN_PAGE, "/api/agents/8001/presence", 400),
    "POST /api/notices": Route(Open.SUPERVISOR_ON_OWN_PAGE, "/api/notices", 400),
    "GET /api/desk/rules": Route(Open.AGENT, "/api/desk/rules", 200),
    **{
        f"GET /api/admin/{path}": Route(Open.ADMINISTRATOR, f"/api/admin/{asked}", 403)
        for path, asked in {
            "rules": "rules",
            "rules/{kind}": "rules/hours",
            "rules/{kind}/versions": "rules/hours/versions",
            "rules/{kind}/versions/{version}": "rules/hours/versions/0",
            "holidays": "holidays",
            "channels": "channels",
            "audit": "audit",
        }.items()
    },
    **{
        f"POST /api/admin/{path}": Route(Open.ADMINISTRATOR_ON_OWN_PAGE, f"/api/admin/{asked}", 403)
        for path, asked in {
            "rules/{kind}": "rules/hours",
            "rules/{kind}/compare": "rules/hours/compare",
            "rules/{kind}/rollback": "rules/hours/rollback",
            "agents/{login}/passwords": "agents/8001/passwords",
        }.items()
    },
    "GET /api/desk/socket": Route(Open.SOCKET, "/api/desk/socket", 426),
    "GET /api/phone/sip": Route(Open.SOCKET, "/api/phone/sip", 400),
    "GET /api/webchat/socket": Route(Open.SOCKET, "/api/webchat/socket", 426),
    "POST /api/webchat/visitor": Route(Open.OWN_PAGE, "/api/webchat/visitor", 200),
    "POST /api/webchat/files": Route(Open.VISITOR, "/api/webchat/files", 401),
    "GET /api/webchat/files/{file}": Route(Open.VISITOR, "/api/webchat/files/none", 401),
    "POST /api/webchat/verify/send": Route(Open.VISITOR, "/api/webchat/verify/send", 401),
    "POST /api/webchat/verify/prove": Route(Open.VISITOR, "/api/webchat/verify/prove", 401),
    "POST /api/webchat/verify/scan": Route(Open.VISITOR, "/api/webchat/verify/scan", 401),
    "POST /api/webchat/verify/signed": Route(Open.VISITOR, "/api/webchat/verify/signed", 401),
    "POST /api/go": Route(Open.VISITOR, "/api/go", 403),
    "POST /api/login": Route(Open.OWN_PAGE, "/api/login", 400),
    "POST /api/logout": Route(Open.OWN_PAGE, "/api/logout", 200),
}
"""Logging out comes last: it ends the logins that the other rows use."""


def _routes_of(app: web.Application) -> Iterator[str]:
    for route in app.router.routes():
        resource = route.resource
        assert resource is not None
        if route.method != "HEAD":
            yield f"{route.method} {resource.canonical}"


def _expected(route: Route, role: str | None, origin: str | None) -> int:
    is_ours = origin in (OWN, ABSENT)
    match route.to:
        case Open.OWN_PAGE | Open.AGENT_ON_OWN_PAGE | Open.SUPERVISOR_ON_OWN_PAGE if not is_ours:
            return 403
        case Open.ADMINISTRATOR_ON_OWN_PAGE if not is_ours:
            return 403
        case Open.SOCKET if origin != OWN:
            return 403
        case Open.ALL | Open.OWN_PAGE | Open.SOCKET | Open.VISITOR:
            return route.status
        case _ if role is None:
            return 401
        case Open.SUPERVISOR | Open.SUPERVISOR_ON_OWN_PAGE if role == "agent":
            return 403
    return route.status


async def test_every_route_is_open_to_whom_it_is_for(town: Living, http: aiohttp.ClientSession) -> None:
    """Route by role by origin. A route that is not in the table fails: nobody has thought about it."""
    assert set(_routes_of(town.house.app)) == set(ROUTES)
    logins = {None: "", "agent": await _log_in(town, http, "8001"), "supervisor": await _log_in(town, http, "8004")}
    wrong = []
    for name, route in ROUTES.items():
        method = name.partition(" ")[0]
        for role, token in logins.items():
            for origin in (FOREIGN, NULL, ABSENT, OWN):
                headers = {"X-Yihao": "1", "Cookie": f"yihao={token}"}
                if origin is not None:
                    headers["Origin"] = town.http if origin == OWN else origin
                async with http.request(method, f"{town.http}{route.path}", headers=headers) as answer:
                    if answer.status != _expected(route, role, origin):
                        wrong.append((name, role, origin, answer.status, _expected(route, role, origin)))
                    assert "Access-Control-Allow-Origin" not in answer.headers
    assert wrong == []


async def test_a_change_needs_the_header_that_no_foreign_page_sends(town: Living, http: aiohttp.ClientSession) -> None:
    """A form of a foreign page carries no Origin in old browsers; it cannot carry a header of ours in any."""
    token = await _log_in(town, http, "8001")
    for path in ("/api/login", "/api/logout", "/api/desk/ticket", "/api/desk/files"):
        async with http.post(f"{town.http}{path}", headers={"Cookie": f"yihao={token}"}) as answer:
            assert (answer.status, await answer.json()) == (403, {"error": "foreign_page"}), path


# --- logins ---------------------------------------------------------------------------------------------------------


async def test_the_cookie_is_out_of_reach(town: Living, http: aiohttp.ClientSession) -> None:
    given = {"login": "8001", "password": town.password("8001")}
    async with http.post(f"{town.http}/api/login", json=given, headers={"X-Yihao": "1"}) as answer:
        cookie = SimpleCookie(answer.headers["Set-Cookie"])["yihao"]
        told = {"login": "8001", "name": "王芳", "extension": "8001", "role": "agent", "permissions": []}
        assert await answer.json() == {"agent": told}
    assert cookie["httponly"]
    assert (cookie["samesite"], cookie["path"]) == ("Strict", "/api")
    assert not cookie["secure"], "over plain HTTP a browser would not keep it"
    assert len(cookie.value) >= 43, "256 bits"


async def test_the_cookie_is_secure_behind_a_proxy_that_we_trust(
    valkey_url: str, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.7, 203.0.113.9"}
    for trusted in (True, False):
        proxies = "127.0.0.0/8,203.0.113.0/24" if trusted else ""
        async with living(valkey_url, tmp_path, http__trusted_proxies=proxies) as town:
            given = {"login": "8001", "password": town.password("8001")}
            async with http.post(f"{town.http}/api/login", json=given, headers={"X-Yihao": "1", **forwarded}) as answer:
                assert bool(SimpleCookie(answer.headers["Set-Cookie"])["yihao"]["secure"]) is trusted
            async with http.get(f"{town.http}/metrics", headers=forwarded) as answer:
                assert answer.status == (403 if trusted else 200), "who asks through the proxy is not this machine"


async def test_nobody_learns_which_logins_exist(town: Living, http: aiohttp.ClientSession) -> None:
    answers = []
    for login in ("8001", "nobody", "8001 ", "x" * 3000, "8001'--"):
        given = {"login": login, "password": "wrong password"}
        async with http.post(f"{town.http}/api/login", json=given, headers={"X-Yihao": "1"}) as answer:
            answers.append((answer.status, await answer.read(), sorted(answer.headers)))
    assert answers[0][0] == 401
    assert all(answer == answers[0] for answer in answers)


async def test_guessing_is_slowed(town: Living, http: aiohttp.ClientSession) -> None:
    statuses = []
    for _ in range(7):
        given = {"login": "8002", "password": "wrong password"}
        async with http.post(f"{town.http}/api/login", json=given, headers={"X-Yihao": "1"}) as answer:
            statuses.append(answer.status)
            last, retry_after = await answer.json(), answer.headers.get("Retry-After", "0")
    assert statuses == [401] * 5 + [429] * 2
    assert int(retry_after) >= 1
    assert last["error"] == "too_many_attempts"
    assert last["retry_after_s"] > 0
    await _log_in(town, http, "8001")  # nobody else is kept out


MALFORMED = (
    b"",
    b"null",
    b"[]",
    b"{",
    b"\xff\xfe",
    b'{"login": "8001"}',
    b'{"login": 8001, "password": "x"}',
    b'{"login": "\\ud800", "password": "x"}',
    b'{"login": "8001", "password": "\\udfff"}',
    b'{"login": "80\\u00001", "password": "x"}',
    b"[" * LARGEST_BYTES,
    b'{"login": "8001", "password": "' + b"x" * LARGEST_BYTES + b'"}',
)


async def test_a_malformed_login_is_refused(town: Living, http: aiohttp.ClientSession) -> None:
    for body in MALFORMED:
        async with http.post(f"{town.http}/api/login", data=body, headers={"X-Yihao": "1"}) as answer:
            assert (answer.status, await answer.json()) == (400, {"error": "malformed"}), body[:40]


async def test_a_login_in_two_packets_is_one(town: Living) -> None:
    """TCP cuts where it likes."""
    password = town.password("8001")
    body = f'{{"login": "8001", "password": "{password}"}}'.encode()
    host, _, port = town.http.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /api/login HTTP/1.1\r\nHost: {host}:{port}\r\nX-Yihao: 1\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body[:9])
    await writer.drain()
    async with asyncio.timeout(1.0):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await reader.read(1)  # nothing comes before the rest is there
    writer.write(body[9:])
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_a_cookie_that_is_none_of_ours(town: Living) -> None:
    for token in ("", "x", "x" * 4000, "☎", "\x01", "a" * 43):
        assert await _asked_with(town, token.encode() + b"\xff") in (400, 401)


async def _asked_with(town: Living, cookie: bytes) -> int:
    """The status of an answer to a cookie that no client of good manners sends."""
    host, _, port = town.http.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET /api/me HTTP/1.1\r\nHost: {host}\r\nCookie: yihao=".encode() + cookie + b"\r\n\r\n")
    status = int((await reader.readline()).split()[1])
    writer.close()
    return status


async def test_who_logs_out_is_out(town: Living, http: aiohttp.ClientSession) -> None:
    token = await _log_in(town, http, "8001")
    headers = {"X-Yihao": "1", "Cookie": f"yihao={token}"}
    async with http.post(f"{town.http}/api/logout", headers=headers) as answer:
        assert SimpleCookie(answer.headers["Set-Cookie"])["yihao"]["max-age"] == "0"
    async with http.get(f"{town.http}/api/me", headers=headers) as answer:
        assert (answer.status, await answer.json()) == (401, {"error": "not_logged_in"})


async def test_a_new_login_ends_the_old_one(town: Living, http: aiohttp.ClientSession) -> None:
    """A token that was planted before the login is worth nothing after it."""
    old = await _log_in(town, http, "8001")
    new = await _log_in(town, http, "8001", Cookie=f"yihao={old}")
    assert new != old
    for token, status in ((old, 401), (new, 200)):
        async with http.get(f"{town.http}/api/me", headers={"Cookie": f"yihao={token}"}) as answer:
            assert answer.status == status


# --- what is kept ---------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _recorded(folder: Path, session: SessionId, recording: RecordingId) -> AsyncIterator[bytes]:
    """A second of a call, as the recordings keep it."""
    async with RecordingStore(folder) as store:
        tape = await store.writer.begin(store.path(session, recording))
        await tape.finish()
        yield store.path(session, recording).read_bytes()


async def test_a_recording_is_played_in_ranges(valkey_url: str, tmp_path: Path, http: aiohttp.ClientSession) -> None:
    session, recording = SessionId(SESSION), RecordingId(f"{SESSION}-5")
    async with _recorded(tmp_path / "recordings", session, recording) as sound:
        pass
    async with living(valkey_url, tmp_path) as town:
        stranger = {"Cookie": f"yihao={await _log_in(town, http, '8001')}"}
        cookie = {"Cookie": f"yihao={await _log_in(town, http, '8004')}"}
        url, size = f"{town.http}/api/recordings/{recording}", len(sound)
        async with http.get(url, headers=stranger) as answer:
            assert answer.status == 404  # for an agent who never had the session it is not there
        async with http.get(url, headers=cookie) as answer:
            assert (answer.status, await answer.read()) == (200, sound)
            assert answer.headers["Content-Type"] == "audio/wav"
            assert answer.headers["Accept-Ranges"] == "bytes"
            assert answer.headers["Cache-Control"] == "no-store"
        for who, status in ((stranger, 404), (cookie, 200)):
            async with http.get(f"{url}/peaks", headers=who) as answer:
                assert answer.status == status
        for asked, first, last in (("bytes=0-9", 0, 9), ("bytes=-4", size - 4, size - 1), ("bytes=10-", 10, size - 1)):
            async with http.get(url, headers={**cookie, "Range": asked}) as answer:
                assert (answer.status, await answer.read()) == (206, sound[first : last + 1])
                assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{size}"
        async with http.get(url, headers={**cookie, "Range": f"bytes={size}-"}) as answer:
            assert answer.status == 416
            assert answer.headers["Content-Range"] == f"bytes */{size}"
        for other in (f"{SESSION}-6", "..", "%2e%2e%2fsecrets.json", "x" * 200, "-", "%00"):
            async with http.get(f"{town.http}/api/recordings/{other}", headers=cookie) as answer:
                assert answer.status == 404, other


async def test_files_are_what_they_say_and_run_nowhere(town: Living, http: aiohttp.ClientSession) -> None:
    headers = {"X-Yihao": "1", "Cookie": f"yihao={await _log_in(town, http, '8001')}"}
    files = f"{town.http}/api/desk/files"

    async def keep(body: bytes, kind: str, name: str = "a") -> tuple[int, Any]:
        named = {**headers, "Content-Type": kind, "X-Filename": name}
        async with http.post(files, data=io.BytesIO(body), headers=named) as answer:
            return answer.status, await answer.json()

    status, kept = await keep(PNG, "image/png", "%E5%9B%BE.png")
    assert status == 200
    assert (kept["name"], kept["content_type"], kept["size"]) == ("图.png", "image/png", len(PNG))
    async with http.get(f"{files}/{kept['file']}", headers=headers) as answer:
        assert await answer.read() == PNG
        assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Disposition"] == "inline"
        assert answer.headers["Cache-Control"].startswith("private")
    status, document = await keep(b"%PDF-1.7\n" + bytes(64), "application/pdf")
    assert status == 200
    async with http.get(f"{files}/{document['file']}", headers=headers) as answer:
        assert answer.headers["Content-Disposition"] == "attachment"
    assert await keep(PNG, "application/pdf") == (415, {"error": "NotWhatItSays"})
    assert (await keep(b"<script>alert(1)</script>", "text/html"))[0] == 415
    assert (await keep(PNG + bytes(10 * 1024 * 1024), "image/png"))[0] == 413
    for other in ("..%2fsecrets.json", "%00", "x" * 300, "secrets.json"):
        async with http.get(f"{files}/{other}", headers=headers) as answer:
            assert answer.status == 404, other


async def test_a_timeline_is_read_in_order(town: Living, http: aiohttp.ClientSession, eventually: Eventually) -> None:
    async with CitizenPage(town.http) as visitor:
        await visitor.open()
        await visitor.write("路灯坏了")
        await visitor.write("在解放路")
        session = (await town.house.node._store.log.follow("0", block_s=0.1))[1][0].session
        headers = {"Cookie": f"yihao={await _log_in(town, http, '8004')}"}
        async with http.get(f"{town.http}/api/sessions/{session}/timeline", headers=headers) as answer:
            entries = (await answer.json())["entries"]
    versions = [one["version"] for one in entries]
    assert versions == sorted(versions)
    texts = [one["entry"]["text"] for one in entries if one["entry"]["kind"] == "text"]
    assert texts == ["路灯坏了", "在解放路"]


# --- the machine's own ----------------------------------------------------------------------------------------------


async def test_readiness_says_what_is_missing(town: Living, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{town.http}/readyz") as answer:
        assert (answer.status, await answer.json()) == (200, {"store": True, "channels": True, "taking": True})
    town.house.node.draining = True
    async with http.get(f"{town.http}/readyz") as answer:
        assert (answer.status, (await answer.json())["taking"]) == (503, False)
    async with http.get(f"{town.http}/healthz") as answer:
        assert answer.status == 200


async def test_without_the_store_nothing_is_accepted(
    short_folder: Path, tmp_path: Path, http: aiohttp.ClientSession, eventually: Eventually
) -> None:
    server = ValkeyServer(short_folder)
    await asyncio.to_thread(server.start)
    try:
        async with living(server.url, tmp_path) as town:
            token = await _log_in(town, http, "8001")
            await asyncio.to_thread(server.kill)
            given = {"login": "8001", "password": town.password("8001")}
            async with http.post(f"{town.http}/api/login", json=given, headers={"X-Yihao": "1"}) as answer:
                assert (answer.status, await answer.json()) == (503, {"error": "not_accepted"})
                assert int(answer.headers["Retry-After"]) >= 1
            async with http.get(f"{town.http}/api/me", headers={"Cookie": f"yihao={token}"}) as answer:
                assert answer.status == 503
            async with http.get(f"{town.http}/readyz") as answer:
                assert (answer.status, (await answer.json())["store"]) == (503, False)
            async with http.get(f"{town.http}/healthz") as answer:
                assert answer.status == 200, "a process that waits for its store is not to be killed"
            await asyncio.to_thread(server.start)

            async def serves() -> bool:
                async with http.get(f"{town.http}/readyz") as answer:
                    return answer.status == 200

            await eventually(serves)
            async with http.get(f"{town.http}/api/me", headers={"Cookie": f"yihao={token}"}) as answer:
                assert answer.status == 200, "logins outlive the store's death"
    finally:
        await asyncio.to_thread(server.stop)


async def test_the_metrics_name_nobody(town: Living, http: aiohttp.ClientSession, eventually: Eventually) -> None:
    async with CitizenPage(town.http) as visitor:
        await visitor.open()
        await visitor.write("我的电话是13800138000")

        async def read() -> str:
            async with http.get(f"{town.http}/metrics") as answer:
                text = await answer.text()
            return text if 'yihao_waiting{queue="general"} 1.0' in text else ""

        text = await eventually(read)
    assert 'yihao_waiting{queue="general"} 1.0' in text
    for name in ("yihao_offers", "yihao_answer_seconds", "yihao_legs", "yihao_loop_lag", "yihao_packets_lost"):
        assert f"# TYPE {name}" in text
    assert "13800138000" not in text
    assert visitor.visitor is not None
    assert visitor.visitor not in text
