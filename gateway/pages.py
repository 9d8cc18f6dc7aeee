"""The built pages: the citizen's at `/`, the agents' at `/desk`, compressed where the browser takes that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from aiohttp import web

STATIC = Path(__file__).with_name("static")
POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'self'; form-action 'self'"
)
"""Element Plus places its pop-ups by inline styles; scripts come from our own files only."""

OF_PAGES = f"{POLICY}; require-trusted-types-for 'script'; trusted-types vue"
"""No text becomes markup on a page but what Vue's own policy lets through: its compiled templates."""

PARTS = ("proof", "call", "asked", "identity", "voice", "more", "refused", "word")
"""What the citizen's page fetches when it is wanted: `web/build/pages.mjs`."""
WHERE_IT_IS = "geolocation=(self), camera=(), payment=()"
"""For the citizen's page: they may say where the matter is."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), camera=(), payment=()",
}

FOR_EVER = "public, max-age=31536000, immutable"
"""For a file whose name has a hash of its content in it."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def guard(request: web.Request, response: web.StreamResponse) -> None:
    """Every answer, a streamed one too, carries the headers that keep a page to itself, but for those it set itself."""
    if request.path.startswith("/assets/") and response.status < 400:
        response.headers["Cache-Control"] = FOR_EVER
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


def routes(parents: Sequence[str] = ()) -> list[web.AbstractRouteDef]:
    """Pages and their parts. `parents` are the origins of the sites that embed the citizen's page by `/widget.js`."""
    located = {"Permissions-Policy": WHERE_IT_IS}
    found: list[web.AbstractRouteDef] = [
        web.get("/", _page(STATIC / "index.html", {"Content-Security-Policy": _framed_by(parents), **located})),
        web.get("/go", _page(STATIC / "index.html", located)),
        web.get("/desk", _page(STATIC / "desk" / "index.html")),
        web.get("/desk/{view:[A-Za-z0-9/-]*}", _page(STATIC / "desk" / "index.html")),
        web.get("/widget.js", _page(STATIC / "widget.js")),
        *(web.get(f"/{part}.js", _page(STATIC / f"{part}.js")) for part in PARTS),
    ]
    if (STATIC / "assets").is_dir():
        found.append(web.static("/assets", STATIC / "assets"))
    return found


def _framed_by(parents: Sequence[str]) -> str:
    return OF_PAGES.replace("frame-ancestors 'self'", " ".join(["frame-ancestors 'self'", *parents]))


def _page(path: Path, headers: Mapping[str, str] | None = None) -> Handler:
    built = path.is_file()

    async def serve(_: web.Request) -> web.StreamResponse:
        if not built:
            raise web.HTTPServiceUnavailable(text="the pages are not built: make setup")
        return web.FileResponse(
            path, headers={"Cache-Control": "no-cache", "Content-Security-Policy": OF_PAGES, **(headers or {})}
        )

    return serve
