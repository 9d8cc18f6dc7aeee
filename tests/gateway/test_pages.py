"""The pages: kept to themselves by headers, compressed where the browser takes that, kept where they may be."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from gateway import pages

Site = Callable[..., object]
SCRIPT = b"console.log('the page');" * 50


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pages as the build leaves them."""
    (tmp_path / "desk").mkdir()
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_bytes(b"<html>citizen</html>")
    (tmp_path / "desk" / "index.html").write_bytes(b"<html>desk</html>")
    (tmp_path / "widget.js").write_bytes(SCRIPT)
    (tmp_path / "assets" / "index-abc123.js").write_bytes(SCRIPT)
    for name in ("gz", "br"):
        (tmp_path / "assets" / f"index-abc123.js.{name}").write_bytes(name.encode())
    (tmp_path.parent / "secret.txt").write_bytes(b"secret")
    monkeypatch.setattr(pages, "STATIC", tmp_path)
    return tmp_path


@pytest.fixture
async def site() -> AsyncIterator[Callable[..., object]]:
    """Serves the pages and two more handlers; gives its address."""
    runners: list[web.AppRunner] = []

    async def broken(_: web.Request) -> web.StreamResponse:
        raise web.HTTPForbidden

    async def streamed(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Security-Policy": "sandbox"})
        await response.prepare(request)
        await response.write(b"x")
        return response

    async def serve(*parents: str) -> str:
        app = web.Application()
        app.on_response_prepare.append(pages.guard)
        app.add_routes([*pages.routes(parents), web.get("/broken", broken), web.get("/streamed", streamed)])
        runner = web.AppRunner(app, access_log=None)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield serve
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield session


@pytest.mark.usefixtures("built")
async def test_every_answer_is_guarded(site: Site, http: aiohttp.ClientSession) -> None:
    """Pages, refusals, what does not exist, and what is streamed."""
    url = await site()  # type: ignore[misc]
    for path, status in (("/", 200), ("/desk", 200), ("/widget.js", 200), ("/broken", 403), ("/none", 404)):
        async with http.get(f"{url}{path}") as answer:
            assert answer.status == status
            policy = pages.OF_PAGES if status == 200 else pages.POLICY
            located = {"Permissions-Policy": pages.WHERE_IT_IS} if path == "/" else {}
            expected = {**pages.HEADERS, "Content-Security-Policy": policy, **located}
            assert {name: answer.headers.get(name) for name in pages.HEADERS} == expected, path
    async with http.get(f"{url}/streamed") as answer:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers.getall("Content-Security-Policy") == ["sandbox"], "what it set itself, it keeps"
    assert "script-src" not in pages.POLICY
    assert "default-src 'self'" in pages.POLICY


@pytest.mark.usefixtures("built")
async def test_only_named_sites_may_frame_the_citizens_page(site: Site, http: aiohttp.ClientSession) -> None:
    url = await site("https://www.example.gov.cn")  # type: ignore[misc]
    async with http.get(f"{url}/") as answer:
        assert "frame-ancestors 'self' https://www.example.gov.cn" in answer.headers["Content-Security-Policy"]
    async with http.get(f"{url}/desk") as answer:
        assert "example.gov.cn" not in answer.headers["Content-Security-Policy"]


@pytest.mark.usefixtures("built")
async def test_each_page_at_its_address(site: Site, http: aiohttp.ClientSession) -> None:
    url = await site()  # type: ignore[misc]
    expected = {"/": b"citizen", "/desk": b"desk", "/desk/": b"desk", "/desk/history/a-1": b"desk"}
    for path, word in expected.items():
        async with http.get(f"{url}{path}") as answer:
            assert word in await answer.read(), path
            assert answer.headers["Cache-Control"] == "no-cache"
    for path in ("/desk/../../secret.txt", "/assets/../../secret.txt", "/assets/%2e%2e/%2e%2e/secret.txt", "/assets/"):
        async with http.get(URL(f"{url}{path}", encoded=True)) as answer:
            assert answer.status in (403, 404), path


@pytest.mark.usefixtures("built")
async def test_compressed_siblings_are_served(site: Site, http: aiohttp.ClientSession) -> None:
    url = f"{await site()}/assets/index-abc123.js"  # type: ignore[misc]
    for takes, encoding, body in (("br", "br", b"br"), ("gzip", "gzip", b"gz"), ("identity", None, SCRIPT)):
        async with http.get(url, headers={"Accept-Encoding": takes}) as answer:
            assert (answer.headers.get("Content-Encoding"), await answer.read()) == (encoding, body)
            assert "javascript" in answer.headers["Content-Type"]
            assert answer.headers["Cache-Control"] == pages.FOR_EVER
    async with http.get(url.replace("abc123", "gone")) as answer:
        assert answer.status == 404
        assert "Cache-Control" not in answer.headers, "what is missing today may be there tomorrow"


async def test_without_a_build_it_says_so(
    site: Site, http: aiohttp.ClientSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "STATIC", tmp_path)
    url = await site()  # type: ignore[misc]
    async with http.get(f"{url}/desk") as answer:
        assert (answer.status, await answer.text()) == (503, "the pages are not built: make setup")
