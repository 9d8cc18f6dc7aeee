"""Who wants no notices (退订). It never keeps anybody from being answered: a citizen who writes gets a reply."""

from __future__ import annotations

from channels.sms.carrier import Wish
from channels.sms.keys import Keys
from session.address import Address
from session.ports import SharedState

_STOPS = frozenset({"td", "t", "退订", "拒收", "stop", "stopall", "unsubscribe", "cancel", "end", "quit"})
_STARTS = frozenset({"恢复订阅", "订阅", "start", "unstop"})


def wish_of(text: str) -> Wish | None:
    """What a text that is nothing but one such word asks. A sentence with the word in it is a sentence."""
    word = text.strip().strip("。.!！").lower()
    if word in _STOPS:
        return Wish.STOP
    return Wish.START if word in _STARTS else None


class OptOuts:
    """Kept for years, by the hash of the number."""

    def __init__(self, shared: SharedState, keys: Keys, *, ttl_s: float) -> None:
        self._shared, self._keys, self._ttl_s = shared, keys, ttl_s

    async def heed(self, citizen: Address, wish: Wish) -> None:
        """Do as they wish; durable when this returns."""
        key = self._keys.opted_out(str(citizen))
        if wish is Wish.STOP:
            await self._shared.put(key, b"1", ttl_s=self._ttl_s)
        else:
            await self._shared.delete(key)

    async def holds(self, citizen: Address) -> bool:
        """Whether they want none."""
        return await self._shared.get(self._keys.opted_out(str(citizen))) is not None
