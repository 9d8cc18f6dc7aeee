"""Which pages may talk to us."""

import pytest

from realtime.origin import may_connect


@pytest.mark.parametrize(
    ("origin", "host", "expected"),
    [
        ("https://chat.example.cn", "chat.example.cn", True),
        ("https://CHAT.example.cn", "chat.example.cn", True),
        ("http://127.0.0.1:8080", "127.0.0.1:8080", True),
        ("https://allowed.example", "chat.example.cn", True),
        ("http://allowed.example", "chat.example.cn", False),
        ("https://chat.example.cn.evil.example", "chat.example.cn", False),
        ("https://evil.example", "chat.example.cn", False),
        ("http://127.0.0.1:8081", "127.0.0.1:8080", False),
        ("chrome-extension://chat.example.cn", "chat.example.cn", False),
        ("null", "null", False),
        (None, "chat.example.cn", False),
        ("http://", "", False),
        ("http://[", "[", False),
    ],
)
def test_own_and_named_pages_only(origin: str | None, host: str, expected: bool) -> None:
    assert may_connect(origin, host, ("https://allowed.example",)) is expected
