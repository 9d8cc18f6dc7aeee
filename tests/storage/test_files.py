"""Files are what their bytes say, or they are not kept."""

import stat
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from session.ids import FileId
from storage.content import HEAD_BYTES, KINDS, kind_of
from storage.errors import FileRefused, FileUnknown, KindRefused, NotWhatItSays, StorageUnavailable, TooLarge
from storage.files import LARGEST_BYTES, FileStore

EBML = bytes.fromhex("1a45dfa39f4286810142f7810142f2810442f381084282847765626d42878104")

SAMPLES = {
    "jpg": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00",
    "png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
    "gif": b"GIF89a\x01\x00\x01\x00",
    "webp": b"RIFF\x1a\x00\x00\x00WEBPVP8 ",
    "pdf": b"%PDF-1.7\n",
    "mp3": b"ID3\x04\x00\x00\x00\x00\x00\x00",
    "wav": b"RIFF\x24\x00\x00\x00WAVEfmt ",
    "amr": b"#!AMR\n\x3c",
    "ogg": b"OggS\x00\x02" + bytes(20),
    "webm": EBML,
    "m4a": b"\x00\x00\x00\x20ftypM4A \x00\x00\x00\x00",
    "mp4": b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00",
}
REFUSED = {
    "nothing": b"",
    "text": b"hello",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "html": b"<!doctype html><script>",
    "zip": b"PK\x03\x04",
    "program": b"MZ\x90\x00",
    "matroska": EBML.replace(b"webm", b"matr"),
    "quicktime": b"\x00\x00\x00\x14ftypqt  ",
    "heic": b"\x00\x00\x00\x18ftypheic",
    "avi": b"RIFF\x24\x00\x00\x00AVI LIST",
    "mpeg layer I": b"\xff\xff\x90\x00",
    "mp3 of no bit rate": b"\xff\xfb\xf0\x00",
}


async def pieces(data: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def whole(store: FileStore, file: FileId) -> bytes:
    _, chunks = await store.read(file)
    return b"".join([chunk async for chunk in chunks])


def test_there_is_a_sample_of_every_kind() -> None:
    assert SAMPLES.keys() == KINDS.keys()


@pytest.mark.parametrize("suffix", SAMPLES)
async def test_each_kind_is_kept_and_comes_back(tmp_path: Path, suffix: str) -> None:
    store = FileStore(tmp_path / "files")
    data = SAMPLES[suffix] + bytes(range(256)) * 2000
    for claimed in (*KINDS[suffix].types, "", "application/octet-stream"):
        kept = await store.keep(pieces(data), claimed.upper() + ";codecs=opus")
        assert kept.size_bytes == len(data)
        assert kept.content_type in KINDS[suffix].types
        assert (await store.read(kept.id))[0] == kept
        assert await whole(store, kept.id) == data
    assert {path.suffix for path in (tmp_path / "files").iterdir()} == {f".{suffix}"}


async def test_a_sound_in_a_videos_container_stays_a_sound(tmp_path: Path) -> None:
    kept = await FileStore(tmp_path).keep(pieces(SAMPLES["webm"]), "audio/webm;codecs=opus")
    assert kept.content_type == "audio/webm"


@pytest.mark.parametrize("name", REFUSED)
async def test_other_kinds_are_refused_whatever_they_claim(tmp_path: Path, name: str) -> None:
    with pytest.raises(KindRefused):
        await FileStore(tmp_path).keep(pieces(REFUSED[name]), "image/png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("claimed", ["image/jpeg", "text/html", "nonsense", "audio/mpeg"])
async def test_a_file_that_is_not_what_it_says_is_refused(tmp_path: Path, claimed: str) -> None:
    with pytest.raises(NotWhatItSays) as refused:
        await FileStore(tmp_path).keep(pieces(SAMPLES["png"]), claimed)
    assert refused.value.found == "image/png"
    assert claimed not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


async def test_the_largest_is_kept_and_one_byte_more_is_not(tmp_path: Path) -> None:
    data = SAMPLES["png"] + bytes(LARGEST_BYTES - len(SAMPLES["png"]))
    assert (await FileStore(tmp_path).keep(pieces(data), "image/png")).size_bytes == LARGEST_BYTES
    with pytest.raises(TooLarge):
        await FileStore(tmp_path).keep(pieces(data + b"x"), "image/png")
    assert len(list(tmp_path.iterdir())) == 1


async def test_an_endless_upload_ends_at_the_bound(tmp_path: Path) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1000
            yield SAMPLES["png"] + bytes(1000 - len(SAMPLES["png"]))

    with pytest.raises(TooLarge):
        await FileStore(tmp_path, largest_bytes=50_000).keep(endless(), "image/png")
    assert sent <= 51_000


async def test_an_upload_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield SAMPLES["png"]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await FileStore(tmp_path).keep(broken(), "image/png")
    assert list(tmp_path.iterdir()) == []


async def test_a_folder_that_cannot_be_made_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageUnavailable):
        await FileStore(tmp_path / "file" / "folder").keep(pieces(SAMPLES["png"]), "image/png")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        "../secrets.json",
        "a" * 32 + "-0.png/..",
        "a" * 32 + "-0.exe",
        "a" * 32 + "-9.png",
        "A" * 32 + "-0.png",
    ],
)
async def test_names_that_are_none_of_ours_are_unknown(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileUnknown):
        await FileStore(tmp_path).read(FileId(name))


async def test_a_name_cannot_be_guessed_nor_read_by_others(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    first = await store.keep(pieces(SAMPLES["gif"]), "image/gif")
    second = await store.keep(pieces(SAMPLES["gif"]), "image/gif")
    assert first.id != second.id
    assert len(first.id.partition("-")[0]) * 4 == 128
    assert stat.S_IMODE((tmp_path / first.id).stat().st_mode) == 0o600
    with pytest.raises(FileUnknown):
        await store.read(FileId("0" * 32 + "-0.gif"))


@given(head=st.binary(max_size=HEAD_BYTES), size=st.integers(1, 7))
async def test_any_bytes_are_kept_or_refused_by_type(
    head: bytes, size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = FileStore(tmp_path_factory.getbasetemp() / "any")
    try:
        kept = await store.keep(pieces(head, size), "")
    except FileRefused:
        assert kind_of(head) is None
    else:
        assert await whole(store, kept.id) == head


def test_frames_of_mpeg_audio_are_known_by_their_header() -> None:
    """Layer III of MPEG 1, 2 and 2.5, at rates that exist (ISO/IEC 11172-3, section 2.4.2.3)."""
    known = {head for head in range(0xFFE0, 0x10000) if kind_of(struct.pack(">HBB", head, 0x90, 0))}
    assert known == {0xFFE2, 0xFFE3, 0xFFF2, 0xFFF3, 0xFFFA, 0xFFFB}
