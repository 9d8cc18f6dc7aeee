"""The page's types are those of the source."""

from pathlib import Path

import pytest

from realtime import citizen, desk
from realtime.messages import Command, Durable, Frame, by_tag, tag_of
from realtime.typescript import protocol

COMMITTED = Path(__file__).parents[2] / "web" / "shared" / "protocol.ts"


def test_the_committed_file_is_what_the_source_says() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == protocol(), "python -m realtime.typescript web/shared/protocol.ts"


@pytest.mark.parametrize("module", [citizen, desk])
def test_every_frame_is_there_with_its_tag_and_its_number(module: object) -> None:
    text = protocol()
    for kind in (*module.UP.values(), *module.DOWN.values()):  # type: ignore[attr-defined]
        assert f"export interface {kind.__name__} {{\n" in text.replace("    ", "").replace("  ", "")
        assert f't: "{tag_of(kind)}";' in text
    assert all(issubclass(kind, Frame) for kind in module.UP.values())  # type: ignore[attr-defined]


def test_durable_frames_go_down_and_commands_up() -> None:
    for module in (citizen, desk):
        assert not any(issubclass(kind, Durable) for kind in module.UP.values())
        assert not any(issubclass(kind, Command) for kind in module.DOWN.values())


def test_a_tag_names_one_frame_a_direction() -> None:
    with pytest.raises(ValueError, match="one tag"):
        by_tag(citizen.MessageSend, desk.MessageSend)
