"""Types of the fixtures that make things."""

from typing import Any, Protocol

from tests.peers.baresip import Baresip
from tests.peers.browser import Window
from tests.peers.pages import CitizenPage, DeskPage
from tests.peers.sound import Sound
from tests.peers.yihao import Yihao

Placed = list[dict[str, Any]]
"""A timeline, as `GET /api/sessions/{session}/timeline` gives it."""


class MakesGateway(Protocol):
    def __call__(self, data: str = "data", **sets: str) -> Yihao: ...


class MakesSoftphone(Protocol):
    async def __call__(
        self,
        gateway: Yihao,
        extension: str,
        *,
        answers: bool = False,
        says: Sound | None = None,
        transport: str = "udp",
        password: str | None = None,
    ) -> Baresip: ...


class OpensDesk(Protocol):
    async def __call__(self, gateway: Yihao, extension: str, *others: Yihao) -> DeskPage: ...


class OpensChat(Protocol):
    async def __call__(self, *gateways: Yihao) -> CitizenPage: ...


class OpensWindow(Protocol):
    async def __call__(self, address: str, **form: object) -> Window: ...


class Draws(Protocol):
    async def __call__(self, name: str, title: str, placed: Placed) -> None: ...
