"""A site that hosts the chat and signs who its visitor is, as its developer would without a library (RFC 7515)."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.peers.words import Language

SITE, KEY_NAME = "portal", "2026a"
SECRET = "a-secret-that-the-portal-and-the-hotline-share"
AUDIENCE = "yihao"
SETTINGS = {"webchat.sites": f'[{{id = "{SITE}", secrets = ["{KEY_NAME}={SECRET}"]}}]'}
"""Of a gateway that knows it."""

NONCE = "own"
PAGE = """<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="description" content="市民服务网：办事指南、政策文件、便民服务。">
<title>市民服务网</title>
<link rel="icon" href="data:,">
<style nonce="{nonce}">
body {{ margin: 0; font: 18px/1.8 sans-serif; color: #16202c; background: #f4f7fb; }}
header {{ padding: 16px 10%; background: #083f78; color: #fff; }}
main {{ padding: 16px 10%; }}
</style>
<script nonce="{nonce}">
window.heard = [];
addEventListener("yihao:identity", (event) => heard.push(event.detail));
</script>
<script async src="{script}" data-identity="{token}" data-language="{language}"></script>
</head>
<body>
<header><h1>市民服务网</h1></header>
<main>
<h2>办事指南</h2>
<p>居住证到期前三十日内，可在网上办理签注，也可到居住地派出所办理。</p>
<h2>便民服务</h2>
<p>停水、停电、道路积水等情况，请拨打 12345，或点右下角在线咨询。</p>
</main>
</body>
</html>
"""


@dataclass
class Portal:
    """The site itself: one page, as plain as a page can be, which hosts the chat by its one tag."""

    hotline: str
    port: int = 0
    token: str = ""
    language: Language = "zh"
    _runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.add_routes([web.get("/", self._page)])
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def script(self) -> str:
        """What the tag asks for."""
        return f"{self.hotline}/widget.js"

    async def _page(self, _: web.Request) -> web.Response:
        # As strict as a page with our button can be: no style sheet of the button's, nothing else from anywhere.
        # Of itself it may ask, as Lighthouse does for its robots.txt.
        own = f"'nonce-{NONCE}'"
        policy = (
            f"default-src 'none'; script-src {own} {self.hotline}; style-src {own}; "
            f"connect-src 'self'; frame-src {self.hotline}; img-src data:"
        )
        text = PAGE.format(nonce=NONCE, script=self.script, token=self.token, language=self.language)
        return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": policy})


def claims(user: str, **other: object) -> dict[str, object]:
    """Good ones, but for what is said otherwise; None leaves a claim out."""
    now = time.time()
    once = secrets.token_hex(8)
    good = {"iss": SITE, "aud": AUDIENCE, "sub": user, "iat": now, "exp": now + 120, "jti": once}
    return {name: value for name, value in {**good, **other}.items() if value is not None}


def signed(body: object, key: str | Ed25519PrivateKey = SECRET, **header: object) -> str:
    """A token."""
    algorithm = "HS256" if isinstance(key, str) else "EdDSA"
    head = {"typ": "JWT", "alg": algorithm, "kid": KEY_NAME, **header}
    text = f"{_part(head)}.{_part(body)}"
    made = hmac.digest(key.encode(), text.encode(), hashlib.sha256) if isinstance(key, str) else key.sign(text.encode())
    return f"{text}.{_base64(made)}"


def token(user: str, **other: object) -> str:
    """A token for a user of the site."""
    return signed(claims(user, **other))


def _part(value: Any) -> str:
    return _base64(value if isinstance(value, bytes) else json.dumps(value).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
