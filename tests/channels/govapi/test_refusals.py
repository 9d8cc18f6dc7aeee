"""Everything that is refused, each with its problem; together they are all problems of the document."""

import gzip
import json
import random
import time
from collections.abc import Awaitable, Callable
from urllib.parse import quote

import pytest

from channels.govapi.operations import OF_NONE
from session.events import TextReceived
from session.ids import SessionId
from tests.channels.govapi.conftest import Api, Core, serving
from tests.peers.platform import OLD_SECRET, Platform, Told

SESSIONS = "/api/govapi/v1/sessions"
BODY = json.dumps({"user": {"id": "u1"}, "text": "路灯坏了"}).encode()

Provoke = Callable[[Core, Api], Awaitable[Told]]


async def _opened(api: Api, body: bytes = BODY, sent: bytes | None = None, **changes: object) -> Told:
    """A session opened with a signature that is changed, or a body that is."""
    request = api.platform.signed("POST", SESSIONS, body, **changes)
    return await api.platform.bring(request, body if sent is None else sent)


async def _unsigned(_: Core, api: Api) -> Told:
    async with api.platform.http.post(f"{api.base}{SESSIONS}", data=BODY) as answer:
        assert answer.headers["WWW-Authenticate"] == "Signature"
        assert '"@method" "@path" "@query" "content-digest" "idempotency-key"' in answer.headers["Accept-Signature"]
        return Told(answer.status, answer.headers, await answer.json())


async def _malformed(_: Core, api: Api) -> Told:
    return await _opened(api, covered_component_ids=("@method", "@path", "@query", "content-digest"))


async def _forged(_: Core, api: Api) -> Told:
    return await _opened(api, secret="a secret that nobody has given to anybody")


async def _stale(_: Core, api: Api) -> Told:
    return await _opened(api, at=time.time() - 301)


async def _replayed(_: Core, api: Api) -> Told:
    request = api.platform.signed("POST", SESSIONS, BODY)
    assert (await api.platform.bring(request, BODY)).status == 201
    return await api.platform.bring(request, BODY)


async def _other_version(_: Core, api: Api) -> Told:
    return await api.platform.bring(api.platform.signed("GET", "/api/govapi/v2/sessions/x"))


async def _nowhere(_: Core, api: Api) -> Told:
    return await api.platform.bring(api.platform.signed("GET", "/api/govapi/v1/nothing"))


async def _put(_: Core, api: Api) -> Told:
    told = await api.platform.bring(api.platform.signed("PUT", SESSIONS))
    assert told.headers["Allow"] == "POST"
    return told


async def _too_large(_: Core, api: Api) -> Told:
    return await _opened(api, b" " * (64 * 1024) + BODY)


async def _unfit(_: Core, api: Api) -> Told:
    told = await _opened(api, b'{"user": {"id": "u 1"}}')
    assert told.body["where"] == "/user/id"
    return told


async def _bad_query(_: Core, api: Api) -> Told:
    session = await api.platform.opens()
    told = await api.platform.ask("getEvents", session=session, wait_s=31)
    assert told.body["where"] == "wait_s"
    return told


async def _other_body(_: Core, api: Api) -> Told:
    return await _opened(api, BODY, BODY.replace(b"u1", b"u2"))


async def _without_key(_: Core, api: Api) -> Told:
    request = api.platform.signed("POST", SESSIONS, BODY)
    del request.headers["Idempotency-Key"]
    return await api.platform.bring(request, BODY)


async def _key_again(_: Core, api: Api) -> Told:
    assert (await _opened(api, key="the-same-key")).status == 201
    return await _opened(api, BODY.replace(b"u1", b"u2"), key="the-same-key")


async def _too_often(core: Core, _: Api) -> Told:
    async with serving(core, client={"requests_per_s": 0.01, "requests_burst": 1}) as api:
        assert (await _opened(api)).status == 201
        told = await _opened(api)
        assert int(told.headers["Retry-After"]) == 100
        return told


async def _too_many_waiting(core: Core, _: Api) -> Told:
    async with serving(core, polls=0) as api:
        session = await api.platform.opens()
        return await api.platform.ask("getEvents", session=session, after=99, wait_s=5)


async def _no_session(_: Core, api: Api) -> Told:
    return await api.platform.ask("sendText", {"text": "x"}, session="01HZZZZZZZZZZZZZZZZZZZZZZZ")


async def _ended(core: Core, api: Api) -> Told:
    session = await api.platform.opens()
    await api.platform.ask("endSession", session=session)
    return await api.platform.ask("requestHuman", session=session)


async def _unrateable(_: Core, api: Api) -> Told:
    return await api.platform.ask("rateSession", {"score": 3}, session=await api.platform.opens())


async def _no_message(_: Core, api: Api) -> Told:
    return await api.platform.ask("markRead", {"message": "m"}, session=await api.platform.opens())


async def _no_file(_: Core, api: Api) -> Told:
    return await api.platform.ask("getFile", session=await api.platform.opens(), file="f")


async def _bad_file(_: Core, api: Api) -> Told:
    return await api.platform.ask("uploadFile", b"#!/bin/sh\n" * 20, content_type="image/png")


async def _large_file(core: Core, _: Api) -> Told:
    async with serving(core, file_bytes=1000) as api:
        return await api.platform.ask("uploadFile", b"%PDF-" + b"x" * 2000, content_type="application/pdf")


async def _store_away(core: Core, api: Api) -> Told:
    core.is_away = True
    told = await _opened(api)
    core.is_away = False
    assert int(told.headers["Retry-After"]) >= 1
    return told


CASES: dict[str, Provoke] = {
    "signature-missing": _unsigned,
    "signature-malformed": _malformed,
    "signature-refused": _forged,
    "signature-stale": _stale,
    "signature-replayed": _replayed,
    "version-unknown": _other_version,
    "path-unknown": _nowhere,
    "method-unknown": _put,
    "body-too-large": _too_large,
    "body-malformed": _unfit,
    "query-malformed": _bad_query,
    "digest-wrong": _other_body,
    "key-missing": _without_key,
    "key-reused": _key_again,
    "too-often": _too_often,
    "too-many-waiting": _too_many_waiting,
    "session-unknown": _no_session,
    "session-ended": _ended,
    "not-yet-rateable": _unrateable,
    "message-unknown": _no_message,
    "file-unknown": _no_file,
    "file-refused": _bad_file,
    "file-too-large": _large_file,
    "store-away": _store_away,
}


@pytest.mark.parametrize("problem", CASES)
async def test_it_is_refused_with_its_problem(core: Core, api: Api, problem: str) -> None:
    told = await CASES[problem](core, api)
    assert told.problem == problem
    assert told.body["status"] == told.status
    assert told.headers["Content-Type"].startswith("application/problem+json")
    api.platform.fits({"$ref": "#/components/schemas/Problem"}, told.body)
    async with api.platform.http.get(api.base + told.body["type"]) as meaning:
        said = await meaning.json()
    assert (said["type"], said["title"], said["status"]) == (told.body["type"], told.body["title"], told.status)
    assert said["mend"] in told.body["detail"]
    assert "路灯" not in json.dumps(told.body, ensure_ascii=False), "what was sent is not repeated"


async def test_these_are_all_the_problems_of_the_document(api: Api) -> None:
    """But for those that stand at no operation."""
    named = {
        one.rpartition("/")[2]
        for methods in api.platform.document["paths"].values()
        for operation in methods.values()
        for answer in operation["responses"].values()
        if "application/problem+json" in answer["content"]
        for one in answer["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]["type"]["enum"]
    }
    assert named | {one.slug for one in OF_NONE} == set(CASES)


async def test_a_forgery_costs_the_store_nothing(core: Core, api: Api) -> None:
    """Nor is its body read: the answer comes before one is sent."""
    core.is_away = True
    for changes in (
        {"secret": "a secret that nobody has given to anybody"},
        {"key_id": "nobody"},
        {"at": time.time() - 400},
        {"at": time.time() + 400},
        {"tag": "yihao-callback-v1"},
    ):
        assert (await _opened(api, **changes)).status == 401, changes


async def test_both_secrets_are_taken_and_no_other(api: Api) -> None:
    """So that one can be changed without a pause."""
    assert (await _opened(api, secret=OLD_SECRET)).status == 201
    assert (await _opened(api, secret=OLD_SECRET[::-1])).problem == "signature-refused"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda request: request.headers.update({"Idempotency-Key": '"another-key-than-the-signed"'}),
        lambda request: request.headers.update({"Content-Digest": "sha-256=:" + "A" * 43 + "=:"}),
        lambda request: setattr(request, "url", request.url.replace("sessions", "files")),
        lambda request: setattr(request, "url", request.url + "?a=b"),
    ],
)
async def test_what_is_signed_cannot_be_changed(api: Api, spoil: Callable[[object], object]) -> None:
    request = api.platform.signed("POST", SESSIONS, BODY)
    spoil(request)
    assert (await api.platform.bring(request, BODY)).problem == "signature-refused"


async def test_a_packed_body_is_not_unpacked(api: Api) -> None:
    """What is signed are the very bytes; and a bomb stays what it is."""
    packed = gzip.compress(b"0" * 1_000_000)
    request = api.platform.signed("POST", SESSIONS, packed)
    request.headers["Content-Encoding"] = "gzip"
    assert (await api.platform.bring(request, packed)).problem == "digest-wrong"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"{", b"\xff", b'{"user": {"id": "\\ud800"}}', b'{"user": {"id": NaN}}',
        b"[" * 30_000, b'{"user":' * 5_000, b'{"user": {"id": ' + b"9" * 5_000 + b"}}",
        b'{"user": {"id": "u1"}, "text": "   "}', b'{"user": {"id": "u1"}, "text": "\\u0000"}',
        b'{"user": {"id": "u1", "phone": "13800138000"}}', b'{"user": {"id": "u1", "phone_verified": 1}}',
        b'{"user": {"id": "u1"}, "language": "zh; DROP"}', b'{"user": {"id": "u1"}, "text": "' + b"x" * 4001 + b'"}',
    ],
)  # fmt: skip
async def test_a_body_that_is_none_is_refused(core: Core, api: Api, body: bytes) -> None:
    told = await _opened(api, body)
    assert (told.status, told.problem) == (422, "body-malformed")
    assert (await core.store.log.follow("0", block_s=0.0))[1] == []


@pytest.mark.fuzz
async def test_no_request_breaks_the_door(core: Core, api: Api, long_run: bool) -> None:
    """Headers, bodies and paths of a good request, each broken somewhere: refused with a problem, and never a 500."""
    chance = random.Random(20261129)
    session = await api.platform.opens()
    tries = 2000 if long_run else 150
    for _ in range(tries):
        request = api.platform.signed("POST", api.platform.target("sendText", session=session), b'{"text": "x"}')
        body = b'{"text": "x"}'
        match chance.choice(["header", "name", "body", "path"]):
            case "header":
                name = chance.choice(list(request.headers))
                request.headers[name] = _broken(request.headers[name], chance)
            case "name":
                del request.headers[chance.choice(list(request.headers))]
            case "body":
                body = _broken(body.decode(), chance).encode("utf-8", "replace")
            case "path":
                request.url = f"{api.base}/api/govapi/{quote(_broken('v1/sessions/x/messages', chance), safe='/')}"
        told = await api.platform.bring(request, body)
        assert told.status == 201 or told.problem in CASES, told
    assert len(await core.post.said(SessionId(session), TextReceived)) < tries / 3, "few stayed whole"


def _broken(text: str, chance: random.Random) -> str:
    """A text with something cut, put in, doubled or turned."""
    at = chance.randrange(len(text) + 1)
    odd = chance.choice(['"', "(", ")", ";", ",", "=", ":", "\\", " ", "0", "é", "x" * 300, "{", "[" * 200])
    return chance.choice([text[:at], text[:at] + odd + text[at:], text[:at] + text[max(0, at - 9) :], text[::-1]])


async def test_ten_thousand_of_one_users_words_are_slowed(core: Core) -> None:
    async with serving(core, user_words_per_s=0.1, user_words_burst=3) as api:
        session = await api.platform.opens()
        told = [(await api.platform.ask("sendText", {"text": "x"}, session=session)).status for _ in range(4)]
        assert told == [201, 201, 429, 429]
        assert (await api.platform.ask("openSession", {"user": {"id": "u2"}})).status == 201, "others go on"


async def test_no_secret_and_no_word_is_in_the_names_of_keys(core: Core, api: Api) -> None:
    await api.platform.opens("citizen-name", "路灯坏了")
    kept = " ".join(str(key) for key in core.store.shared._values)
    assert "govapi" in kept
    for private in ("citizen-name", "路灯", api.platform.secret):
        assert private not in kept


async def _everything(platform: Platform, session: str) -> None:
    """Every operation as it should be, for the document's sake."""
    await platform.ask("getSession", session=session)
    await platform.ask("getEvents", session=session)
    await platform.ask("sendText", {"text": "一"}, session=session)
    kept = await platform.ask("uploadFile", b"%PDF-1.7\n" + b"x" * 99, content_type="application/pdf")
    await platform.ask("sendFile", {"file": kept.body["file"]}, session=session)
    await platform.ask("getFile", session=session, file=kept.body["file"])
    await platform.ask("requestHuman", session=session)


async def test_every_answer_of_the_document_is_given(core: Core, api: Api) -> None:
    """And is as it says: `Platform.ask` holds each to its schema."""
    platform = api.platform
    session = await platform.opens()
    await platform.opens()
    await _everything(platform, session)
    await core.accepts(session)
    await core.eventually(lambda: core.post.absorbed(SessionId(session)))
    await core.writes(session, "您好", "m1")
    await platform.ask("markRead", {"message": "m1"}, session=session)
    await platform.ask("endSession", session=session)
    await core.eventually(lambda: _rateable(platform, session))
    await platform.ask("rateSession", {"score": 5}, session=session)
    promised = {
        (operation["operationId"], int(status))
        for methods in platform.document["paths"].values()
        for operation in methods.values()
        for status in operation["responses"]
        if status.startswith("2")
    }
    assert promised == {(operation, status) for operation, status, problem in platform.seen if not problem}


async def _rateable(platform: Platform, session: str) -> bool:
    return bool((await platform.ask("getSession", session=session)).body["may_rate"])
