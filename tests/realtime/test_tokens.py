"""Tokens cannot be made, changed, used for another end, used twice or used late."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.errors import TokenRefused
from realtime.tokens import Signer, Tickets
from tests.realtime.shared import SharedKeys

KEY = b"0123456789abcdef"
SIGNER = Signer(KEY, "resume")


@given(parts=st.lists(st.text(max_size=30), max_size=3))
def test_what_is_sealed_is_opened(parts: list[str]) -> None:
    assert SIGNER.open(SIGNER.seal(*parts, ttl_s=5, now=100), now=104) == tuple(parts)


@given(text=st.text(max_size=200))
def test_nothing_else_is_opened(text: str) -> None:
    with pytest.raises(TokenRefused):
        SIGNER.open(text, now=0)


@given(at=st.integers(0, 60), bit=st.integers(0, 6))
def test_a_changed_token_is_refused(at: int, bit: int) -> None:
    token = SIGNER.seal("visitor", "link", ttl_s=5, now=100)
    changed = token[:at] + chr(ord(token[at]) ^ (1 << bit)) + token[at + 1 :]
    with pytest.raises(TokenRefused):
        SIGNER.open(changed, now=100)


def test_a_token_expires_and_serves_one_end_and_one_key() -> None:
    token = SIGNER.seal("v", ttl_s=5, now=100)
    for signer, now in ((SIGNER, 105), (Signer(KEY, "ticket"), 100), (Signer(KEY[::-1], "resume"), 100)):
        with pytest.raises(TokenRefused):
            signer.open(token, now=now)


def test_a_key_is_neither_short_nor_shown() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        Signer(b"short", "resume")
    assert "0123" not in repr(SIGNER)


async def test_a_ticket_is_used_once_and_its_key_names_nobody() -> None:
    state = SharedKeys()
    tickets = Tickets(KEY, state)
    ticket = tickets.issue("visitor-1")
    assert await tickets.redeem(ticket) == "visitor-1"
    with pytest.raises(TokenRefused):
        await tickets.redeem(ticket)
    assert await tickets.redeem(tickets.issue("visitor-1")) == "visitor-1"
    assert not any("visitor" in key for key in state.values)
