"""The web server: the house's routes on its addresses, and how long a slow visitor is waited for."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from config.settings import Http
from gateway import api, pages
from gateway.access import Handler, refused
from gateway.listening import Address, listening
from gateway.proxies import believing

LARGEST_BODY_BYTES = 11 * 1024 * 1024
"""Of one request: a file of the largest kind that is taken, and what goes around it."""
QUIET_S = 60.0
"""How long a connection may be open without a whole request, its first or its next: one that sends a header a minute
would else be held for ever. More than the pages ever leave between two requests of theirs, and they open another.
"""
SLOWEST_S = 300.0
"""Of one request that brings something: a file of the largest kind over 300 kbit/s."""


def application(trusted_proxies: Sequence[str]) -> web.Application:
    """One without routes yet."""
    middlewares = [believing(trusted_proxies), in_time, api.typed_errors]
    app = web.Application(middlewares=middlewares, client_max_size=LARGEST_BODY_BYTES)
    app.on_response_prepare.append(pages.guard)
    return app


@asynccontextmanager
async def serving(
    app: web.Application, http: Http, tls: ssl.SSLContext | None
) -> AsyncIterator[tuple[Address, Address | None]]:
    """Where it listens: plain, and under TLS where there is a certificate. Raises `CannotListen`."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, keepalive_timeout=QUIET_S)
    await runner.setup()
    try:
        ports = [http.port] if tls is None else [http.port, http.tls_port]
        for port, context in zip(ports, (None, tls), strict=False):
            with listening("http", http.host, port):
                await web.TCPSite(runner, http.host, port, ssl_context=context).start()
        plain, *secure = (Address(http.host, address[1]) for address in runner.addresses)
        yield plain, secure[0] if secure else None
    finally:
        await runner.cleanup()


@web.middleware
async def in_time(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A body that trickles in does not hold its handler for ever."""
    if request.method in ("GET", "HEAD"):
        return await handler(request)
    try:
        async with asyncio.timeout(SLOWEST_S) as bound:
            return await handler(request)
    except TimeoutError:
        if not bound.expired():
            raise
        answer = refused(408, "too_slow")
        answer.force_close()
        return answer


def _is_news(record: logging.LogRecord) -> bool:
    """A request that is no HTTP was answered 400: strangers send such all day, and a log of them has no bound."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


logging.getLogger("aiohttp.server").addFilter(_is_news)
