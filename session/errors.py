"""The root of every error that Yihao raises on purpose.

Each folder hangs its own tree below this root. A class carries the decision that its reader needs
(`retryable`, `retry_after_s`), keeps its facts as attributes and builds its own sentence.
"""

from __future__ import annotations


class YihaoError(Exception):
    """Anything that Yihao refuses or fails at, knowingly."""

    retryable: bool = False
    retry_after_s: float | None = None
