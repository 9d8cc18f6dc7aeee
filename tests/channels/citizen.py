"""A citizen on a channel, as its real far end: whoever they are, they come, speak, hear and leave.

Each channel's tests have a `citizen.py` with `living`: what the operator fills in, and a citizen who comes by it. The
one dialogue that runs on every channel (`tests/scenarios/test_dialogue.py`) finds them.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from tests.conftest import Eventually
from tests.peers.sound import Sound, speech
from tests.peers.yihao import Yihao

ALIKE = 0.9
DEADLINE_S = 20.0


class Citizen(Protocol):
    """Somebody with a matter."""

    channel: str
    speaks: bool
    """Their words are sounds."""

    async def says(self, words: str) -> None:
        """The first words bring the matter. Comes back when they are said for certain."""
        ...

    async def hears(self, words: str) -> None:
        """Come back when they have these words of the agent's, once."""
        ...

    async def leaves(self) -> bool:
        """Go; False where the channel knows no going, and the agent ends it."""
        ...


@dataclass
class Side:
    """The far side of a channel."""

    comes: Callable[[Yihao], AbstractAsyncContextManager[Citizen]]
    """A citizen comes to a gateway, and is there until the end of the block."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """What the operator fills in."""


Lives = Callable[[Eventually], AbstractAsyncContextManager[Side]]
"""What `living` of a `citizen.py` is."""


def sound_of(words: str) -> Sound:
    """What words are over a telephone: a sound that is like no other words'."""
    return speech(2, seed=sum(map(ord, words)))


@dataclass
class Written:
    """What all have whose words are texts."""

    eventually: Eventually
    channel: str = ""
    speaks: bool = False

    def got(self) -> list[str]:
        """What the far end was brought, in order."""
        raise NotImplementedError

    async def hears(self, words: str) -> None:
        await self.eventually(lambda: words in self.got(), deadline_s=DEADLINE_S)
        assert self.got().count(words) == 1
