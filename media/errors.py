"""What media refuses or fails at.

MediaError
├── AudioRefused        the far end's SDP cannot be served (a 488 to a SIP peer); never worth a retry
│   └── SdpInvalid      … because it is not SDP that can be read
├── NotNegotiated       the call asks for something that the slot's state does not allow
├── EngineFull          no room for another session now
├── EngineLost          the process that carried the call has died
│   └── EngineSlow      … or has not answered in time, and lives for all that is known
├── EngineFailed        a defect: what was asked for broke
├── NoPortFree          the range of RTP ports is used up
├── CannotRecord        no recorder is plugged in, or one runs already
├── PromptMissing       pieces are not in the folder of prompts
├── PromptUnreadable    a piece is not an 8 kHz mono PCM16 WAV
├── Undecodable         a sound in no form that we know, too long, or no decoder is installed
└── CannotAnnounce      no such announcement, or a number that cannot be said
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from session.errors import YihaoError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class MediaError(YihaoError):
    """Anything that the audio engine refuses or fails at."""


class AudioRefused(MediaError):
    """No audio can be agreed with this far end. `offered` names what it had, for the log and a SIP Warning."""

    def __init__(self, reason: str, offered: Sequence[str] = ()) -> None:
        self.reason = reason
        self.offered = tuple(offered)
        listed = f" (offered: {', '.join(self.offered)})" if self.offered else ""
        super().__init__(f"audio refused: {reason}{listed}")


class SdpInvalid(AudioRefused):
    """The session description breaks RFC 8866 in a way that leaves nothing to agree on."""


class NotNegotiated(MediaError):
    """A method was called in an order that offer/answer (RFC 3264) or the slot's far end does not allow."""

    def __init__(self, need: str) -> None:
        self.need = need
        super().__init__(f"the slot cannot do this now: {need}")


class EngineFull(MediaError):
    """As many sessions are open as the engine's limits allow."""

    retryable = True
    retry_after_s = 5.0

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(f"the audio engine carries its {limit} sessions already")


class EngineLost(MediaError):
    """The process that carried this call, or was to, is no more. Another is being started."""

    retryable = True
    retry_after_s = 2.0

    def __init__(self, what: str = "the process that carried the sound is no more") -> None:
        super().__init__(what)


class EngineSlow(EngineLost):
    """No answer in time, from one that lives for all that is known. It may do yet what it was asked for."""

    def __init__(self) -> None:
        super().__init__("what carries the sound has not answered in time")


class EngineFailed(MediaError):
    """What was asked for broke where the sound is carried; its log says how."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"the audio engine failed: {what}")


class NoPortFree(MediaError):
    """No pair of UDP ports (even for RTP, odd for RTCP) is free."""

    retryable = True
    retry_after_s = 5.0

    def __init__(self, address: str, ports: tuple[int, int]) -> None:
        self.address, self.ports = address, ports
        super().__init__(f"no free pair of RTP ports on {address} in {ports[0]}–{ports[1]}")


class CannotRecord(MediaError):
    """Recording cannot begin."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"cannot record: {reason}")


class PromptMissing(MediaError):
    """Pieces that announcements need are not in the folder. Raised at start, never while a caller waits."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.folder, self.names = folder, tuple(names)
        super().__init__(f"{folder} lacks the prompts {', '.join(f'{name}.wav' for name in self.names)}")


class PromptUnreadable(MediaError):
    """A piece is not what the engine plays: WAV, one channel, 8000 Hz, 16-bit PCM, at most ten minutes."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path} is no 8 kHz mono 16-bit WAV: {reason}")


class Undecodable(MediaError):
    """Somebody's sound cannot be made into one of ours."""

    def __init__(self) -> None:
        super().__init__("no sound of a form that we know, too long, or the extra `sound` is not installed")


class CannotAnnounce(MediaError):
    """No pieces say this announcement."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(f"cannot announce {name!r}: {reason}")
