"""One call to a carrier's HTTP API, and what its failing means: surely not sent, or perhaps."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from yarl import URL

from channels.sms.errors import OutcomeUnknown, SubmitDelayed

_LONGEST_ANSWER = 64 * 1024
_DELAYS = frozenset({429, 503})


class Api:
    """Used within `serving`. Each call has a connection of its own.

    A kept connection that the carrier has just closed fails in the way of one that broke after the message was taken,
    and a message whose outcome is unknown is not sent again: a handshake is the lesser price.
    """

    def __init__(self, carrier: str, *, timeout_s: float) -> None:
        self._carrier, self._timeout_s = carrier, timeout_s
        self._http: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Open while entered."""
        connector = aiohttp.TCPConnector(force_close=True)
        timeout = aiohttp.ClientTimeout(total=self._timeout_s)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
            self._http = http
            try:
                yield
            finally:
                self._http = None

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], retry_after_s: float = 5.0
    ) -> tuple[int, Mapping[str, Any]]:
        """The status and the JSON object of the answer; an object without fields where it is none.

        `url` is sent as it is, octet by octet: signatures are over it. Raises `SubmitDelayed`, `OutcomeUnknown`.
        """
        if self._http is None:
            raise SubmitDelayed(self._carrier, "closed")
        try:
            async with self._http.post(
                URL(url, encoded=True), data=body, headers=headers, allow_redirects=False
            ) as response:
                if response.status in _DELAYS:
                    raise SubmitDelayed(self._carrier, str(response.status), retry_after_s)
                return response.status, _object(await response.content.read(_LONGEST_ANSWER))
        except aiohttp.ClientConnectorError as error:
            raise SubmitDelayed(self._carrier, "unreachable", retry_after_s) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise OutcomeUnknown(self._carrier) from error


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        whole = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return whole if isinstance(whole, dict) else {}
