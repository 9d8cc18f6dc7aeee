"""Files that a message names: what a name leads to is looked at, and what was looked at is what is asked."""

import asyncio
import ipaddress
import socket
from typing import Any

import pytest

from channels.sms.errors import MediaRefused
from channels.sms.media import MediaFetch, MediaSettings
from tests.peers.faces import FIRST, SECOND, two_faces

SETTINGS = MediaSettings(
    hosts=("media.example",), schemes=("http",), inside=(ipaddress.IPv4Network(f"{FIRST}/32"),), timeout_s=15.0
)
"""The first face stands for an address of the public internet."""
PICTURE = b"\xff\xd8\xff" * 100


class Names:
    """A name server that gives one answer, and then for ever another."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
        self.answers, self.asked = list(answers), list[str]()
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", self.getaddrinfo)

    async def getaddrinfo(self, host: str, port: int, **_: object) -> list[Any]:
        self.asked.append(host)
        address = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port))]


async def fetched(port: int) -> bytes:
    return b"".join([chunk async for chunk in MediaFetch(SETTINGS).chunks(f"http://media.example:{port}/picture")])


async def test_what_was_looked_at_is_what_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    async with two_faces(PICTURE) as faces:
        names = Names(monkeypatch, FIRST, SECOND)
        assert await fetched(faces.port) == PICTURE
        assert (names.asked, faces.first, faces.second) == (["media.example"], ["/picture"], [])


async def test_a_redirect_is_looked_at_anew_and_leads_to_nobody_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    async with two_faces(PICTURE) as faces:
        faces.redirects = True
        names = Names(monkeypatch, FIRST, SECOND)
        with pytest.raises(MediaRefused, match="not public"):
            await fetched(faces.port)
        assert (len(names.asked), faces.first, faces.second) == (2, ["/picture"], [])


@pytest.mark.parametrize(
    "address", [SECOND, "10.0.0.7", "169.254.169.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"]
)
async def test_a_name_that_leads_inside_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    async with two_faces(PICTURE) as faces:
        Names(monkeypatch, address)
        with pytest.raises(MediaRefused, match="not public"):
            await fetched(faces.port)
        assert (faces.first, faces.second) == ([], [])
