"""Refusals over plain HTTP: a status, a code for the page, and when to come again."""

from __future__ import annotations

from aiohttp import web

from channels.webchat.errors import WebChatError
from session.errors import YihaoError


def refused(error: YihaoError, otherwise: tuple[int, str]) -> web.Response:
    """What an error means to the page.

    The file store is another room's: of its errors is known only whether they may be tried again, and `otherwise`
    stands for those that may not.
    """
    status, code = otherwise
    if isinstance(error, WebChatError):
        status, code = error.status, error.code
    elif error.retryable:
        status, code = 503, "not_accepted"
    headers = {}
    if error.retryable:
        headers["Retry-After"] = f"{max(1.0, error.retry_after_s or 1.0):.0f}"
    return web.json_response({"error": code}, status=status, headers=headers)
