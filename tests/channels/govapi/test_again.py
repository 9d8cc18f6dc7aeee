"""The same wish again: answered the same, done once, wherever the first try was cut off."""

import pytest

from session.events import LegOpened, SessionOpened, TextReceived
from session.ids import SessionId
from tests.channels.govapi.conftest import Api, Core, serving

KEY = "a-key-of-a-wish"
ASKED = {"user": {"id": "u1"}, "text": "路灯坏了"}


async def _events(core: Core, kind: type) -> list[object]:
    _, entries = await core.store.log.follow("0", block_s=0.0)
    return [entry.event for entry in entries if isinstance(entry.event, kind)]


class Cut:
    """The store is lost at one of the calls to it."""

    def __init__(self, step: int) -> None:
        self._left = step

    def __call__(self, name: str, args: tuple[object, ...]) -> bool:
        self._left -= 1
        return self._left == -1


async def test_the_same_answer_for_the_same_wish(core: Core, api: Api) -> None:
    first = await api.platform.ask("openSession", ASKED, key=KEY)
    again = await api.platform.ask("openSession", ASKED, key=KEY)
    assert (again.status, again.body) == (first.status, first.body) == (201, first.body)
    assert len(await _events(core, SessionOpened)) == len(await _events(core, TextReceived)) == 1


async def test_a_refusal_is_an_answer_too(core: Core, api: Api) -> None:
    session = await api.platform.opens()
    await api.platform.ask("endSession", session=session)
    first = await api.platform.ask("sendText", {"text": "x"}, session=session, key=KEY)
    again = await api.platform.ask("sendText", {"text": "x"}, session=session, key=KEY)
    assert (again.status, again.body) == (first.status, first.body) == (409, first.body)


async def test_a_key_stands_for_one_wish(core: Core, api: Api) -> None:
    """Another body, another path: another wish. Another client's key is another key."""
    session = await api.platform.opens()
    other_session = await api.platform.opens("u2")
    assert (await api.platform.ask("sendText", {"text": "x"}, session=session, key=KEY)).status == 201
    assert (await api.platform.ask("sendText", {"text": "y"}, session=session, key=KEY)).problem == "key-reused"
    assert (await api.platform.ask("sendText", {"text": "x"}, session=other_session, key=KEY)).problem == "key-reused"
    secret = "another-platforms-secret-which-is-long-enough"
    other = api.platform.__class__(api.platform.http, api.base, client="other-app", secret=secret)
    await other.learn()
    assert (await other.ask("openSession", ASKED, key=KEY)).status == 201


@pytest.mark.parametrize("how", ["breaks", "loses"])
async def test_wherever_the_first_try_is_cut_off_there_is_one_message(core: Core, how: str) -> None:
    """The store is lost at each step, before it does it or after: 503, and the same wish brings it to its end."""
    async with serving(core) as api, serving(core, "node-2") as other:
        for step in range(12):
            asked, key = {**ASKED, "user": {"id": f"u{step}"}}, f"{KEY}-{step}"
            setattr(core, how, Cut(step))
            first = await api.platform.ask("openSession", asked, key=key)
            setattr(core, how, lambda *_: False)
            assert first.status in (201, 503)
            again = await other.platform.ask("openSession", asked, key=key)
            assert again.status == 201, again.body
            for kind in (SessionOpened, LegOpened, TextReceived):
                assert len(await _events(core, kind)) == step + 1
            assert await api.platform.texts(again.body["session"]) == ["路灯坏了"]


async def test_a_message_of_which_nobody_knows_is_sent_once(core: Core, api: Api) -> None:
    session = await api.platform.opens()
    for step in range(8):
        core.loses = Cut(step)
        told = await api.platform.ask("sendText", {"text": f"{step}"}, session=session, key=f"{KEY}-{step}")
        core.loses = lambda *_: False
        assert told.status in (201, 503)
        again = await api.platform.ask("sendText", {"text": f"{step}"}, session=session, key=f"{KEY}-{step}")
        assert again.status == 201
    assert await api.platform.texts(session) == ["路灯坏了", *map(str, range(8))]


async def test_a_first_answer_that_was_lost_is_given_after_the_end_too(core: Core, api: Api) -> None:
    """The message was taken, the session ended, and only then is the wish brought again."""
    session = await api.platform.opens()
    core.loses = lambda name, args: name == "post"
    assert (await api.platform.ask("sendText", {"text": "人民路"}, session=session, key=KEY)).status == 503
    core.loses = lambda *_: False
    await api.platform.ask("endSession", session=session)
    told = await api.platform.ask("sendText", {"text": "人民路"}, session=session, key=KEY)
    assert told.status == 201
    assert told.body["cursor"] == 4
    assert len(await core.post.said(SessionId(session), TextReceived)) == 2
