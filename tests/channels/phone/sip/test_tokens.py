"""Names that nobody can guess."""

from channels.phone.sip.tokens import token_hex


def test_none_comes_twice_and_each_has_its_length() -> None:
    names = [token_hex(size) for size in (4, 8, 12, 16) for _ in range(500)]
    assert len(set(names)) == len(names)
    assert [len(name) for name in names[::500]] == [8, 16, 24, 32]
    assert len(set("".join(names))) == 16
