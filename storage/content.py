"""What a file is, by its first bytes. Pure.

The kinds that are taken: pictures, sounds and documents which browsers and telephones make, and nothing that a
browser would run (no SVG, no HTML, no archives). Signatures as in the WHATWG's MIME Sniffing standard, sections 6.1
to 6.3, where it has them; AMR's by RFC 4867, section 5.1; the brands of MP4 by ISO/IEC 14496-12, section 4.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

HEAD_BYTES = 512
"""So many are enough to know the kind."""

_SAYS_NOTHING = frozenset({"", "application/octet-stream"})
_EBML = b"\x1a\x45\xdf\xa3"
_MP4_BRANDS = frozenset({b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"dash", b"MSNV"})
_M4A_BRANDS = frozenset({b"M4A ", b"M4B "})


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file that is taken; the first type is its own, the others are said for it too."""

    suffix: str
    types: tuple[str, ...]

    def agrees(self, claimed: str) -> bool:
        """Whether a sender's claim fits. Parameters (`;codecs=opus`) do not matter; an empty claim says nothing."""
        return (bare := bare_type(claimed)) in _SAYS_NOTHING or bare in self.types

    def type_for(self, claimed: str) -> str:
        """The content type to keep: a container's is as claimed, since a sound may come in a video's container."""
        return bare if (bare := bare_type(claimed)) in self.types[1:] and self.suffix in _CONTAINERS else self.types[0]


_CONTAINERS = frozenset({"webm", "ogg", "mp4"})

KINDS: Mapping[str, Kind] = {
    kind.suffix: kind
    for kind in (
        Kind("jpg", ("image/jpeg", "image/jpg", "image/pjpeg")),
        Kind("png", ("image/png", "image/x-png")),
        Kind("gif", ("image/gif",)),
        Kind("webp", ("image/webp",)),
        Kind("pdf", ("application/pdf", "application/x-pdf")),
        Kind("mp3", ("audio/mpeg", "audio/mp3", "audio/x-mpeg")),
        Kind("wav", ("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave")),
        Kind("amr", ("audio/amr", "audio/amr-wb", "audio/3gpp")),
        Kind("ogg", ("audio/ogg", "video/ogg", "application/ogg")),
        Kind("webm", ("video/webm", "audio/webm")),
        Kind("m4a", ("audio/mp4", "audio/x-m4a", "audio/m4a", "video/mp4")),
        Kind("mp4", ("video/mp4", "audio/mp4", "audio/x-m4a")),
    )
}


def bare_type(claimed: str) -> str:
    """A content type without its parameters, in lower case."""
    return claimed.partition(";")[0].strip().lower()


def kind_of(head: bytes) -> Kind | None:
    """The kind that a file beginning with `head` is; None for one that is not taken."""
    suffix = _suffix_of(head)
    return KINDS[suffix] if suffix else None


def _suffix_of(head: bytes) -> str | None:
    for signature, suffix in _SIGNATURES:
        if head.startswith(signature):
            return suffix
    if head[:4] == b"RIFF":
        return {b"WEBP": "webp", b"WAVE": "wav"}.get(head[8:12])
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        return "mp4" if brand in _MP4_BRANDS else "m4a" if brand in _M4A_BRANDS else None
    if head[:4] == _EBML:
        return "webm" if b"\x42\x82\x84webm" in head[:64] else None  # DocType (0x4282), four bytes long
    return "mp3" if _is_mpeg_frame(head) else None


_SIGNATURES = (
    (b"\xff\xd8\xff", "jpg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"%PDF-", "pdf"),
    (b"OggS\x00", "ogg"),
    (b"ID3", "mp3"),
    (b"#!AMR\n", "amr"),
    (b"#!AMR-WB\n", "amr"),
)


def _is_mpeg_frame(head: bytes) -> bool:
    """A frame of MPEG audio, layer III: sync, a version, a bit rate and a sampling rate that exist."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return False
    return head[1] & 0x18 != 0x08 and head[2] >> 4 not in (0, 15) and head[2] & 0x0C != 0x0C
