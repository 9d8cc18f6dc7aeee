"""The built pages: the citizen's at `/`, the agents' at `/desk`, compressed where the browser takes that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

STATIC = Path(__file__).with_name("static")
POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'self'; form-action 'self'"
)
"""Element Plus places its pop-ups by inline styles; scripts come from our own files only."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), camera=(), payment=()",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every answer carries the headers that keep a page to itself; one that set its own keeps it."""
    try:
        response = await handler(request)
    except web.HTTPException as refusal:
        for name, value in HEADERS.items():
            refusal.headers.setdefault(name, value)
        raise
    if not response.prepared:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
    return response


def routes() -> list[web.AbstractRouteDef]:
    """Pages and their parts. A name with a hash in it never changes, so it may be kept for ever."""
    found: list[web.AbstractRouteDef] = [
        web.get("/", _page(STATIC / "index.html")),
        web.get("/desk", _page(STATIC / "desk" / "index.html")),
        web.get("/desk/{view:[a-z0-9/-]*}", _page(STATIC / "desk" / "index.html")),
        web.get("/widget.js", _page(STATIC / "widget.js")),
    ]
    if (STATIC / "assets").is_dir():
        found.append(web.static("/assets", STATIC / "assets"))
    return found


def _page(path: Path) -> Handler:
    built = path.is_file()

    async def serve(_: web.Request) -> web.StreamResponse:
        if not built:
            raise web.HTTPServiceUnavailable(text="the pages are not built: make setup")
        return web.FileResponse(path, headers={"Cache-Control": "no-cache"})

    return serve
