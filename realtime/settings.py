"""The bounds that one kind of socket keeps."""

from __future__ import annotations

from dataclasses import dataclass

from realtime.messages import LONGEST_TEXT, Limits


@dataclass(frozen=True, slots=True)
class SocketSettings:
    """All that a page's socket may take of us. The defaults are a citizen's."""

    origins: tuple[str, ...] = ()
    """Pages from elsewhere that may connect (`https://www.example.gov.cn`), besides those that we serve ourselves."""
    frame_bytes: int = 32 * 1024
    """The largest frame that a page may send: the longest text in whatever script, control characters escaped."""
    file_bytes: int = 10 * 1024 * 1024
    rate_per_s: float = 5.0
    """Commands; over this they are refused, to be sent again."""
    burst: int = 20
    frames_per_s: float = 50.0
    """Frames of any kind; over this the socket is closed."""
    frames_burst: int = 200
    sockets_per_subject: int = 3
    """One more, and the oldest is closed."""
    exclusive: bool = False
    """One at a time, and a second only with `take`: an agent's desk."""
    sockets_per_ip: int = 50
    sockets: int = 20_000
    hello_s: float = 10.0
    heartbeat_s: float = 20.0
    """How often the page is to say that it lives."""
    dead_s: float = 70.0
    """Silence after which a socket is given up; hidden tabs run their timers once a minute."""
    resume_s: float = 600.0
    """How long a link waits for its page to come back."""
    backlog_frames: int = 2000
    backlog_bytes: int = 1024 * 1024
    """Of unconfirmed frames that are kept for a page; over this it is shown everything anew instead."""
    slow_bytes: int = 1024 * 1024
    """Of frames that wait to be written; over this the socket is closed."""
    links_per_subject: int = 6
    """Links kept for one subject, with and without a socket; every reload of a page leaves one behind."""

    def limits(self) -> Limits:
        """What the page is told."""
        return Limits(
            text=LONGEST_TEXT,
            frame_bytes=self.frame_bytes,
            file_bytes=self.file_bytes,
            rate_per_s=self.rate_per_s,
            burst=self.burst,
        )


CITIZEN = SocketSettings()
DESK = SocketSettings(
    frame_bytes=64 * 1024,
    rate_per_s=10.0,
    burst=40,
    sockets_per_subject=1,
    exclusive=True,
    backlog_bytes=4 * 1024 * 1024,
)
