"""Types of the fixtures that make things."""

from typing import Protocol

from tests.peers.baresip import Baresip
from tests.peers.pages import CitizenPage, DeskPage
from tests.peers.sound import Sound
from tests.peers.yihao import Yihao


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
