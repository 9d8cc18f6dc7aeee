"""How the citizen's page proves that a number, or a WeChat, is theirs: over plain HTTP, beside the conversation."""

from __future__ import annotations

import io
import json
from collections.abc import Awaitable, Callable, Sequence

import segno
from aiohttp import web

from channels.webchat.answers import refused
from channels.webchat.conversation import Conversation
from channels.webchat.errors import BodyMalformed, SignatureRefused, TooOften
from channels.webchat.signing import CLOCKS_DIFFER_S, LONGEST_TOKEN, Signatures, Signed
from channels.webchat.visitor import Visitors, address_of, key_of
from session.errors import YihaoError
from session.ids import SessionId
from session.ports import ProofRefused, Proves, SharedState

_LONGEST_BODY = LONGEST_TOKEN + 1024
_LONGEST_WORD = 64
_QUIET_MODULES = 4
"""Of white around a QR code (ISO/IEC 18004, section 6.3.8)."""

Recalled = Callable[[str], Awaitable[Conversation]]


class Proofs:
    """Four handlers; each tells its refusal by a code of the page's dictionary."""

    def __init__(
        self, visitors: Visitors, proves: Proves, recalled: Recalled, signatures: Signatures, shared: SharedState
    ) -> None:
        self._visitors, self._proves, self._recalled = visitors, proves, recalled
        self._signatures, self._shared = signatures, shared

    def routes(self) -> Sequence[web.RouteDef]:
        """Where the page asks."""
        return [
            web.post("/api/webchat/verify/send", self.send_code),
            web.post("/api/webchat/verify/prove", self.prove),
            web.post("/api/webchat/verify/scan", self.show_code),
            web.post("/api/webchat/verify/signed", self.signed),
        ]

    async def send_code(self, request: web.Request) -> web.Response:
        """POST `{number}`: send a code there. Says the same for every number that could take one."""

        async def send(visitor: str, session: SessionId | None) -> dict[str, object]:
            number = await _word(request, "number")
            origin = self._visitors.key_of_ip(request.remote or "")
            await self._proves.send_code(address_of(visitor), number, session=session, origin=origin)
            return {}

        return await self._answered(request, send)

    async def prove(self, request: web.Request) -> web.Response:
        """POST `{code}`: what came by text."""

        async def prove(visitor: str, session: SessionId | None) -> dict[str, object]:
            await self._proves.prove(address_of(visitor), await _word(request, "code"), session=session)
            return {}

        return await self._answered(request, prove)

    async def show_code(self, request: web.Request) -> web.Response:
        """POST: a QR code as SVG; whoever scans it is this page's citizen too."""

        async def show(visitor: str, session: SessionId | None) -> dict[str, object]:
            return {"svg": drawn(await self._proves.show_code(address_of(visitor), session=session))}

        return await self._answered(request, show)

    async def signed(self, request: web.Request) -> web.Response:
        """POST `{token}`: the site around the page says who its visitor is. The first browser that brings it has it,
        and may bring it again: an answer can be lost.
        """

        async def sign(visitor: str, session: SessionId | None) -> dict[str, object]:
            token = await _word(request, "token", LONGEST_TOKEN)
            if not await self._shared.take(f"webchat:signed:{key_of(visitor)}", rate_per_s=0.2, burst=10):
                raise TooOften(retry_after_s=5.0)
            now = await self._shared.now()
            signed = self._signatures.read(token, now)
            key, bearer = f"webchat:token:{signed.once}", key_of(visitor).encode()
            await self._claim(signed, key, bearer, now)
            try:
                await self._proves.signed(address_of(visitor), signed.user, session=session)
            except ProofRefused:
                await self._shared.delete_if(key, bearer)  # the page may begin anew, as another visitor, with it
                raise
            return {}

        return await self._answered(request, sign)

    async def _claim(self, signed: Signed, key: str, bearer: bytes, now: float) -> None:
        ttl_s = signed.expires_at + CLOCKS_DIFFER_S - now + 1.0
        if not await self._shared.put_new(key, bearer, ttl_s=ttl_s) and await self._shared.get(key) != bearer:
            raise SignatureRefused("token_used")

    async def _answered(
        self, request: web.Request, do: Callable[[str, SessionId | None], Awaitable[dict[str, object]]]
    ) -> web.Response:
        try:
            visitor = self._visitors.known(request.headers.get("X-Visitor", ""))
            transcript = (await self._recalled(visitor)).transcript
            return web.json_response(await do(visitor, transcript.session_id if transcript is not None else None))
        except ProofRefused as refusal:
            headers = {} if refusal.retry_after_s is None else {"Retry-After": f"{refusal.retry_after_s:.0f}"}
            status = 422 if refusal.retry_after_s is None else 429
            return web.json_response({"error": refusal.code}, status=status, headers=headers)
        except YihaoError as error:
            return refused(error, otherwise=(400, "refused"))


def drawn(content: str) -> str:
    """A QR code as an SVG picture, dark on light whatever the page's colours are."""
    picture = io.BytesIO()
    segno.make_qr(content, error="m").save(
        picture, kind="svg", border=_QUIET_MODULES, scale=4, light="#fff", xmldecl=False, svgns=True
    )
    return picture.getvalue().decode()


async def _word(request: web.Request, name: str, longest: int = _LONGEST_WORD) -> str:
    """The one text of the body. Raises `BodyMalformed`."""
    body = b""
    while chunk := await request.content.read(_LONGEST_BODY + 1 - len(body)):
        body += chunk
    try:
        whole = json.loads(body) if len(body) <= _LONGEST_BODY else None
    except (ValueError, RecursionError):
        raise BodyMalformed from None
    word = whole.get(name) if isinstance(whole, dict) else None
    if not isinstance(word, str) or not 0 < len(word) <= longest or not word.isprintable():
        raise BodyMalformed
    return word
