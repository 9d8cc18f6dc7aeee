"""A government platform: knows the API from its OpenAPI document alone, and signs by a library that is not ours.

Whatever it is answered is held to the document: a status, a field or a problem that stands not in it fails the test.
"""

import datetime as dt
import json
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from aiohttp import web
from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier
from http_message_signatures.algorithms import HMAC_SHA256
from http_message_signatures.digests import ContentDigest
from http_message_signatures.resolvers import MappingKeyResolver
from openapi_schema_validator import OAS31Validator
from yarl import URL

SECRET = "a-secret-of-a-platform-that-only-tests-have"
OLD_SECRET = "the-secret-that-it-had-before-this-one-came"
CLIENT = "city-app"
COVERED = ("@method", "@path", "@query")
COVERED_OF_A_POST = (*COVERED, "content-digest", "idempotency-key")


@dataclass
class Request:
    """What the library signs."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Told:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def problem(self) -> str:
        """The type of the problem, without its path."""
        return str(self.body["type"]).rpartition("/")[2]


class Platform:
    """One client. `seen` is what of the document has been met: operation, status, problem."""

    def __init__(self, http: aiohttp.ClientSession, base: str, *, client: str = CLIENT, secret: str = SECRET) -> None:
        self.http, self.base, self.client = http, base, client
        self.secret = secret
        self.document: dict[str, Any] = {}
        self.seen: set[tuple[str, int, str]] = set()
        self.clock = time.time
        self._operations: dict[str, tuple[str, str, dict[str, Any]]] = {}

    async def learn(self) -> None:
        """Fetch the document."""
        async with self.http.get(f"{self.base}/api/govapi/v1/openapi.json") as answer:
            self.document = await answer.json()
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                url = f"{self.document['servers'][0]['url']}{path}"
                self._operations[operation["operationId"]] = (method.upper(), url, operation)

    def signed(self, method: str, target: str, body: bytes | None = None, **changes: Any) -> Request:
        """A request with everything that it needs; `changes` are to the signature, or spoil it."""
        request = Request(method, f"{self.base}{target}")
        if body is not None:
            request.headers["Idempotency-Key"] = f'"{changes.pop("key", None) or secrets.token_hex(8)}"'
            request.headers["Content-Digest"] = ContentDigest.create(body)
            request.headers["Content-Type"] = changes.pop("content_type", "application/json")
        self.sign(request, **changes)
        return request

    def sign(self, request: Request, **changes: Any) -> None:
        """Sign it as it stands."""
        covered = COVERED_OF_A_POST if request.method == "POST" else COVERED
        key = changes.pop("secret", self.secret).encode()
        named = changes.pop("key_id", self.client)
        at = changes.pop("at", self.clock())
        resolver = MappingKeyResolver(public_keys={named: key}, private_keys={named: key})
        wanted: dict[str, Any] = {
            "key_id": named,
            "created": dt.datetime.fromtimestamp(at, tz=dt.UTC),
            "nonce": secrets.token_hex(16),
            "tag": "yihao-v1",
            "covered_component_ids": [one for one in covered if one.startswith("@") or one.title() in request.headers],
            "label": "sig1",
            "use_existing_digest": "Content-Digest" in request.headers,
        }
        signer = HTTPMessageSigner(signature_algorithm=HMAC_SHA256, key_resolver=resolver)
        signer.sign(request, **{**wanted, **changes})

    async def bring(self, request: Request, body: bytes | None = None) -> Told:
        """Send what is signed."""
        async with self.http.request(
            request.method, URL(request.url, encoded=True), data=body, headers=request.headers
        ) as answer:
            raw = await answer.read()
            told = json.loads(raw) if "json" in answer.content_type else raw
            return Told(answer.status, answer.headers, told)

    async def ask(self, operation: str, asked: object = None, /, *, key: str | None = None, **named: Any) -> Told:
        """Do an operation of the document; path and query by name."""
        method, target, described = self._operations[operation]
        target = self.target(operation, **named)
        body: bytes | None = None
        if method == "POST":
            body = asked if isinstance(asked, bytes) else json.dumps(asked or {}).encode()
        changes = {"key": key} if body is not None else {}
        if "content_type" in named:
            changes["content_type"] = named["content_type"]
        told = await self.bring(self.signed(method, target, body, **changes), body)
        self.hold(operation, described, told)
        return told

    def target(self, operation: str, **named: Any) -> str:
        """Path and query of an operation."""
        _, target, described = self._operations[operation]
        query = {}
        for one in described["parameters"]:
            if one.get("in") == "path":
                target = target.replace(f"{{{one['name']}}}", quote(str(named[one["name"]]), safe=""))
            elif one.get("in") == "query" and one["name"] in named:
                query[one["name"]] = named[one["name"]]
        return f"{target}?{urlencode(query)}" if query else target

    def hold(self, operation: str, described: dict[str, Any], told: Told) -> None:
        """An answer to what the document says of it."""
        assert str(told.status) in described["responses"], f"{operation} answered {told.status}: {told.body}"
        kind = told.headers["Content-Type"].partition(";")[0]
        content = described["responses"][str(told.status)]["content"]
        assert kind in content or "*/*" in content, f"{operation} answered {kind}"
        if "schema" in content.get(kind, {}):
            self.fits(content[kind]["schema"], told.body)
        self.seen.add((operation, told.status, told.problem if told.status >= 400 else ""))

    def fits(self, schema: dict[str, Any], value: object) -> None:
        """A value to a schema of the document."""
        whole = {**schema, "components": self.document["components"]}
        OAS31Validator(whole).validate(value)

    # --- the words of a story ---------------------------------------------------------------------------------------

    async def opens(self, user: str = "u1", text: str | None = "路灯坏了", **more: Any) -> str:
        """A user's session."""
        told = await self.ask("openSession", {"user": {"id": user}, "text": text, **more})
        assert told.status in (200, 201), told.body
        return str(told.body["session"])

    async def events(self, session: str, after: int = 0, wait_s: int = 0) -> list[dict[str, Any]]:
        told = await self.ask("getEvents", session=session, after=after, wait_s=wait_s)
        assert told.status == 200, told.body
        return list(told.body["events"])

    async def texts(self, session: str) -> list[str]:
        """All that was written, in order."""
        return [one["message"]["text"] for one in await self.events(session) if one["type"] == "message"]


@dataclass
class Receiver:
    """The platform's callback: checks each call by the library, and answers as it is told."""

    platform: Platform | None = None
    calls: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    answers: list[web.Response] = field(default_factory=list)
    """Given one after the other instead of 204."""
    url: str = ""
    fetched: int = 0
    """Requests for what a redirect led to."""

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for call in self.calls for event in call["events"]]

    @property
    def texts(self) -> list[str]:
        return [one["message"]["text"] for one in self.events if one["type"] == "message"]

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.verify(Request("POST", self.url, dict(request.headers)), body)
        if self.answers:
            return self.answers.pop(0)
        call = json.loads(body)
        if self.platform is not None:
            asked = self.platform.document["webhooks"]["events"]["post"]["requestBody"]["content"]
            self.platform.fits(asked["application/json"]["schema"], call)
        self.calls.append(call)
        self.keys.append(request.headers["Idempotency-Key"])
        return web.Response(status=204)

    def verify(self, request: Request, body: bytes) -> None:
        keys: dict[str, Any] = {CLIENT: SECRET.encode()}
        resolver = MappingKeyResolver(public_keys=keys, private_keys=keys)
        verifier = HTTPMessageVerifier(signature_algorithm=HMAC_SHA256, key_resolver=resolver)
        covered = ("@method", "@authority", "@path", "@query", "content-digest", "idempotency-key")
        verifier.verify(request, expect_tag="yihao-callback-v1", require_components=covered, body=body)

    async def elsewhere(self, _: web.Request) -> web.Response:
        self.fetched += 1
        return web.Response(status=204)


@asynccontextmanager
async def receiving(port: int = 0) -> AsyncIterator[Receiver]:
    """A callback that serves on this machine."""
    receiver = Receiver()
    app = web.Application()
    app.add_routes([web.post("/events", receiver.take), web.route("*", "/elsewhere", receiver.elsewhere)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/events"
    try:
        yield receiver
    finally:
        await runner.cleanup()
