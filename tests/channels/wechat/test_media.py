"""Files of citizens: fetched from WeChat, from what the operator listed, and from nowhere else."""

import json
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from channels.wechat.api import Api
from channels.wechat.errors import (
    AccountRefused,
    ApiUnreachable,
    MediaGone,
    MediaRefused,
    OutcomeUnknown,
    SceneMalformed,
)
from channels.wechat.media import GlobalAddresses, Media
from channels.wechat.settings import WeChatSettings
from storage.files import FileStore
from tests.channels.wechat.conftest import Clock
from tests.channels.wechat.rig import AMR, JPEG, SETTINGS, World
from tests.peers.faces import FIRST, SECOND, two_faces
from tests.peers.wechat import giving, saying, serving, status

GET = "/cgi-bin/media/get"
MP4 = b"\0\0\0\x18ftypmp42" + b"\0" * 6000


class Names(AbstractResolver):
    """A name server that says what the test wants, and something else each time."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        address = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(hostname=host, host=one, port=port, family=family, proto=0, flags=0)
            for one in address.split()
        ]

    async def close(self) -> None:
        pass


class Elsewhere:
    """Another server, which notes every request that reaches it."""

    def __init__(self) -> None:
        self.reached: list[str] = []
        self.redirect = ""
        self.base = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.reached.append(request.path)
        if self.redirect:
            return web.Response(status=302, headers={"Location": self.redirect})
        return web.Response(body=MP4, content_type="video/mp4")


@pytest.fixture
async def elsewhere() -> AsyncIterator[Elsewhere]:
    place = Elsewhere()
    app = web.Application()
    app.router.add_get("/{rest:.*}", place.handle)
    async with serving(app) as base:
        place.base = base
        yield place


async def fetched(
    world: World, folder: Path, media: str, settings: WeChatSettings = SETTINGS, names: Names | None = None
) -> tuple[str, bytes]:
    """The type and content of a media id, as the channel keeps it."""
    files = FileStore(folder)
    settings = replace(settings, api=world.api.base)
    connector = aiohttp.TCPConnector(resolver=GlobalAddresses(names), use_dns_cache=False)
    async with aiohttp.ClientSession() as http, aiohttp.ClientSession(connector=connector) as abroad:
        kept = await Media(settings, Api(settings, http, world.store.shared), abroad, files).fetch(media)
    stored, chunks = await files.read(kept.id)
    return stored.content_type, b"".join([chunk async for chunk in chunks])


async def test_what_the_file_is_counts_not_what_it_is_called(world: World, tmp_path: Path) -> None:
    world.api.files |= {"pic": ("audio/amr", JPEG), "amr": ("voice/amr", AMR), "nothing": ("image/png", b"")}
    assert await fetched(world, tmp_path, "pic") == ("image/jpeg", JPEG)
    assert await fetched(world, tmp_path, "amr") == ("audio/amr", AMR)


async def test_a_token_that_ran_out_is_renewed_for_a_file_too(world: World, tmp_path: Path, clock: Clock) -> None:
    world.api.files["pic"] = ("image/jpeg", JPEG)
    await fetched(world, tmp_path, "pic")
    world.api.void_token()
    clock.at += 1
    assert (await fetched(world, tmp_path, "pic"))[1] == JPEG
    with pytest.raises(MediaGone):
        await fetched(world, tmp_path, "never was")


async def test_a_file_of_endless_length_is_left(world: World, tmp_path: Path) -> None:
    world.api.files["pic"] = ("image/jpeg", JPEG * 3)
    with pytest.raises(MediaRefused):
        await fetched(world, tmp_path, "pic", replace(SETTINGS, media_bytes=len(JPEG) * 2))
    assert list(tmp_path.iterdir()) == []


async def test_a_videos_own_place_is_followed_where_it_is_listed(
    world: World, tmp_path: Path, elsewhere: Elsewhere
) -> None:
    world.api.interpose(GET, giving(f'{{"video_url":"{elsewhere.base}/v.mp4"}}'.encode(), "text/plain"))
    listed = replace(SETTINGS, media_origins=(elsewhere.base,))
    assert await fetched(world, tmp_path, "v", listed) == ("video/mp4", MP4)


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:1/v.mp4",
        "http://169.254.169.254/latest/meta-data",
        "https://mmbiz.qpic.cn.evil.example/v",
        "https://mmbiz.qpic.cn@evil.example/v",
        "https://u:p@mmbiz.qpic.cn/v",
        "http://mmbiz.qpic.cn/v",
        "https://mmbiz.qpic.cn:8443/v",
        "file:/etc/passwd",
        "//x",
        "http://[::1",
        "",
    ],
)
async def test_a_foreign_place_is_not_asked(world: World, tmp_path: Path, elsewhere: Elsewhere, address: str) -> None:
    names = Names("127.0.0.1")
    world.api.interpose(GET, giving(json.dumps({"video_url": address}).encode()))
    with pytest.raises(MediaRefused):
        await fetched(world, tmp_path, "v", names=names)
    assert elsewhere.reached == []
    assert names.asked == []


async def test_a_redirect_is_looked_at_anew(world: World, tmp_path: Path, elsewhere: Elsewhere) -> None:
    listed = replace(SETTINGS, media_origins=(elsewhere.base,))
    inside = elsewhere.base.replace("127.0.0.1", "localhost")
    for target in (f"{inside}/secret", "http://169.254.169.254/", "//localhost/", "file:/etc/passwd"):
        elsewhere.reached.clear()
        elsewhere.redirect = target
        world.api.interpose(GET, giving(f'{{"video_url":"{elsewhere.base}/v"}}'.encode()))
        with pytest.raises(MediaRefused):
            await fetched(world, tmp_path, "v", listed)
        assert elsewhere.reached == ["/v"]


async def test_redirects_come_to_an_end(world: World, tmp_path: Path, elsewhere: Elsewhere) -> None:
    elsewhere.redirect = "/again"
    world.api.interpose(GET, giving(f'{{"video_url":"{elsewhere.base}/v"}}'.encode()))
    with pytest.raises(MediaRefused):
        await fetched(world, tmp_path, "v", replace(SETTINGS, media_origins=(elsewhere.base,)))
    assert elsewhere.reached == ["/v", "/again", "/again"]


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "192.168.1.1", "0.0.0.0", "224.0.0.1", "240.0.0.1"),
        *("::1", "fe80::1", "fd00::1", "fec0::1", "ff02::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:0:7f00:1"),
        *("64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::"),
    ],
)
async def test_a_listed_name_cannot_mean_our_own_network(
    world: World, tmp_path: Path, elsewhere: Elsewhere, address: str
) -> None:
    with pytest.raises(OSError, match="no public address"):
        await GlobalAddresses(Names(address)).resolve("media.example", 80)
    port = elsewhere.base.rpartition(":")[2]
    place = f"http://media.example:{port}"
    world.api.interpose(GET, giving(f'{{"video_url":"{place}/v"}}'.encode()))
    with pytest.raises(ApiUnreachable):
        await fetched(world, tmp_path, "v", replace(SETTINGS, media_origins=(place,)), Names(address))
    assert elsewhere.reached == []


async def test_of_several_addresses_the_public_one_is_taken_and_asked_for_once() -> None:
    """A second look-up could give another answer (DNS rebinding); what was looked at is what is connected to."""
    names = Names("10.0.0.1 203.0.113.9 9.9.9.9", "127.0.0.1")
    found = await GlobalAddresses(names).resolve("media.example", 80)
    assert [one["host"] for one in found] == ["9.9.9.9"]
    assert names.asked == ["media.example"]


@pytest.mark.parametrize("redirects", [False, True])
async def test_a_name_that_means_another_place_the_second_time_gains_nothing(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redirects: bool
) -> None:
    """One look-up a step, and the step goes where that led; a redirect is a step of its own."""
    monkeypatch.setattr("channels.wechat.media._is_global", lambda address: address == FIRST)
    async with two_faces(MP4) as faces:
        faces.redirects = redirects
        place, names = f"http://media.example:{faces.port}", Names(FIRST, SECOND)
        world.api.interpose(GET, giving(f'{{"video_url":"{place}/v"}}'.encode()))
        settings = replace(SETTINGS, media_origins=(place,))
        if redirects:
            with pytest.raises(ApiUnreachable):
                await fetched(world, tmp_path, "v", settings, names)
        else:
            assert await fetched(world, tmp_path, "v", settings, names) == ("video/mp4", MP4)
        assert (len(names.asked), faces.first, faces.second) == (1 + redirects, ["/v"], [])


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (giving(b"{}"), MediaRefused),
        (giving(b"[]"), OutcomeUnknown),
        (status(500), OutcomeUnknown),
        (status(302, Location="http://127.0.0.1/"), OutcomeUnknown),
        (saying(48001), AccountRefused),
    ],
)
async def test_answers_without_a_file(world: World, tmp_path: Path, answer: object, error: type[Exception]) -> None:
    world.api.interpose(GET, answer)  # type: ignore[arg-type] # each is one
    with pytest.raises(error):
        await fetched(world, tmp_path, "x")


async def test_a_qr_code(world: World) -> None:
    async with aiohttp.ClientSession() as http:
        api = Api(replace(SETTINGS, api=world.api.base), http, world.store.shared)
        code = await api.qr_code("switch-01J", 600)
        assert (code.content, code.expires_s) == ("http://weixin.qq.com/q/kZgfwMTm", 600)
        assert world.api.qr == [
            {
                "expire_seconds": 600,
                "action_name": "QR_STR_SCENE",
                "action_info": {"scene": {"scene_str": "switch-01J"}},
            }
        ]
        for scene, ttl_s in (("", 600), ("x" * 65, 600), ("a\nb", 600), ("x", 59), ("x", 30 * 86400 + 1)):
            with pytest.raises(SceneMalformed):
                await api.qr_code(scene, ttl_s)
        assert len(world.api.qr) == 1
