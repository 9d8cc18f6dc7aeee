"""The house as a whole: what it refuses to open with, and what becomes of it when a duty ends that must not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from config.errors import NoDataFolder
from config.loading import load
from gateway.house import open_house
from queueing.errors import StoreAbsent, UnfitAddress
from session.errors import YihaoError
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


@pytest.mark.parametrize(
    ("data", "store", "refusal", "said"),
    [
        ("a file", "", NoDataFolder, "a file cannot be used: File exists; name another with --data"),
        ("/proc/yihao", "", NoDataFolder, "the data folder /proc/yihao cannot be used"),
        ("/proc/self", "", NoDataFolder, "the data folder /proc/self cannot be used"),
        ("data", "http://me:canary@there", UnfitAddress, "store.url must be redis://"),
        ("data", "redis://me:canary@127.0.0.1:{port}", StoreAbsent, "no store answers at store.url"),
    ],
)
async def test_what_it_cannot_use_is_named_with_its_mend(
    tmp_path: Path, free_port: Callable[[], int], data: str, store: str, refusal: type[YihaoError], said: str
) -> None:
    (tmp_path / "a file").touch()
    url = store.format(port=free_port())
    with pytest.raises(refusal) as refused:
        async with open_house(load(arguments=[f"data={tmp_path / data}", f"store.url={url}"], environment={})):
            pass
    assert said in str(refused.value)
    assert "canary" not in str(refused.value)
