"""The house as a whole: what becomes of it when one of its duties ends that must not."""

from pathlib import Path

import pytest

from storage.archiver import Archiver
from tests.conftest import Eventually
from tests.gateway.living import living


async def test_a_duty_that_fails_for_good_ends_the_process(
    valkey_url: str, tmp_path: Path, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a gateway looks alive and loses what nobody does any more; a whole one is started in its place."""

    async def breaks(_: Archiver) -> None:
        raise LookupError("a defect")

    async with living(valkey_url, tmp_path) as town:
        assert not town.house.failed.is_set()
    monkeypatch.setattr(Archiver, "run", breaks)
    async with living(valkey_url, tmp_path) as town:
        await eventually(town.house.failed.is_set)
