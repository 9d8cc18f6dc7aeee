"""What the demonstration's people have done so far, for a line of progress."""

from __future__ import annotations

from collections import Counter


class Count(Counter[str]):
    """By what was done."""

    def line(self) -> str:
        """One line, Chinese first."""
        said = (
            ("chats", "在线来访 chats"),
            ("calls", "来电 calls"),
            ("answered", "接通 answered"),
            ("gave_up", "放弃 gave up"),
            ("written_up", "办结 written up"),
            ("trouble", "未成 trouble"),
        )
        return "   ".join(f"{words} {self[key]}" for key, words in said)
