"""Kept calls on disk, shared by processes that live and die."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from channels.phone.debts import Debt, Debts, Fate
from channels.phone.journal import Journal
from session.address import Address
from session.ids import LegId

KEEPER = """
import asyncio, sys
from pathlib import Path
from channels.phone.debts import Debts
from tests.channels.phone.test_debts import debt

async def keep() -> None:
    async with Debts(Path(sys.argv[1])) as debts:
        for number in range(3):
            await debts.note(debt(number))
        await debts.strike(debt(1).leg)
        print("kept", flush=True)
        await asyncio.Event().wait()

asyncio.run(keep())
"""


def debt(number: int, fate: Fate = Fate.KEPT) -> Debt:
    return Debt(
        LegId(f"call-{number}"), Address.parse(f"tel:+861380013800{number}"), "12345", True, 100.0 + number, fate
    )


@asynccontextmanager
async def keeper(folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Another process of that folder, which keeps calls 0 and 2."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KEEPER, str(folder), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"kept\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_living_process_keeps_its_calls_and_a_dead_one_leaves_them_to_be_owed(tmp_path: Path) -> None:
    async with keeper(tmp_path) as process, Debts(tmp_path) as debts:
        await debts.adopt()
        assert debts.due() == []
        process.kill()
        await process.wait()
        await debts.adopt()
        assert debts.due() == [debt(0, Fate.OWED), debt(2, Fate.OWED)]
        await asyncio.gather(*(debts.strike(one.leg) for one in debts.due()))
        assert list(tmp_path.iterdir()) == []


async def test_of_two_who_come_for_a_dead_process_one_gets_what_it_left(tmp_path: Path) -> None:
    async with Debts(tmp_path) as first:
        await first.note(debt(1, Fate.GONE))
    async with Debts(tmp_path) as one, Debts(tmp_path) as other:
        await asyncio.gather(one.adopt(), other.adopt())
        assert sorted([one.due(), other.due()], key=len) == [[], [debt(1, Fate.GONE)]]
    async with Debts(tmp_path) as last:
        await last.adopt()
        assert last.due() == [debt(1, Fate.GONE)], "who took it over and settled nothing gives it back"


async def test_what_was_noted_last_counts_and_the_earliest_comes_first(tmp_path: Path) -> None:
    async with Debts(tmp_path) as debts:
        for number in (3, 1, 2):
            await debts.note(debt(number))
        await debts.note(debt(3, Fate.OWED))
        await debts.note(debt(1, Fate.GONE))
        assert debts.due() == [debt(1, Fate.GONE), debt(3, Fate.OWED)]
        await debts.strike(LegId("never"))
    async with Debts(tmp_path) as later:
        await later.adopt()
        assert later.due() == [debt(1, Fate.GONE), debt(2, Fate.OWED), debt(3, Fate.OWED)]


async def test_nothing_kept_leaves_nothing(tmp_path: Path) -> None:
    async with Debts(tmp_path / "debts") as debts:
        await debts.adopt()
        assert not (tmp_path / "debts").exists()
        await debts.note(debt(1))
        await debts.strike(debt(1).leg)
        await debts.adopt()
        (file,) = (tmp_path / "debts").iterdir()
        assert file.read_bytes() == b""
    assert list((tmp_path / "debts").iterdir()) == []


@pytest.mark.parametrize("cut", [b'{"leg": "call-9", "addr', b"\xff\xfe", b"[]", b"7", b'{"fate": "struck"}'])
async def test_a_line_cut_short_costs_no_other(tmp_path: Path, cut: bytes) -> None:
    async with Debts(tmp_path) as debts:
        await debts.note(debt(1, Fate.OWED))
        (file,) = tmp_path.iterdir()
        with file.open("ab") as half:
            half.write(cut)
        await debts.note(debt(2, Fate.OWED))
    async with Debts(tmp_path) as later:
        await later.adopt()
        assert later.due() == [debt(1, Fate.OWED), debt(2, Fate.OWED)]


async def test_a_disk_that_fails_is_told_and_the_calls_are_kept_in_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "debts").write_text("a file where the folder should be")
    async with Debts(tmp_path / "debts") as debts:
        await debts.note(debt(1, Fate.OWED))
        assert debts.due() == [debt(1, Fate.OWED)]
        assert "cannot be noted on disk" in caplog.text
        assert "13800" not in caplog.text


def test_a_journal_that_its_holder_removed_meanwhile_is_nobodys(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path)
    (path,) = tmp_path.iterdir()
    assert Journal.take(path) is None
    journal.remove()
    assert Journal.take(path) is None
