"""Nodes on one store are one hotline."""

import pytest

from config.secret import Secret
from config.secrets import MachineSecrets
from config.settings import Secrets
from gateway.kinship import SecretsDiffer, one_hotline
from queueing.memory import MemoryStore

NOTHING = Secrets(Secret(""), Secret(""), Secret(""))


def keys(letter: str) -> MachineSecrets:
    return MachineSecrets(*(Secret(letter * 64) for _ in range(3)))


async def test_later_nodes_take_what_the_first_one_made(memory: MemoryStore) -> None:
    assert await one_hotline(memory.shared, keys("a"), NOTHING) == keys("a")
    assert await one_hotline(memory.shared, keys("b"), NOTHING) == keys("a")


async def test_what_an_operator_has_set_must_be_the_same_for_all(memory: MemoryStore) -> None:
    await one_hotline(memory.shared, keys("a"), NOTHING)
    assert await one_hotline(memory.shared, keys("a"), Secrets(Secret("a" * 64), Secret(""), Secret(""))) == keys("a")
    with pytest.raises(SecretsDiffer, match="resume_key") as refused:
        await one_hotline(memory.shared, keys("b"), Secrets(Secret("b" * 64), Secret(""), Secret("")))
    assert "b" * 64 not in str(refused.value)
