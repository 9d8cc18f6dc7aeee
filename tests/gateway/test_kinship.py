"""Nodes on one store are one hotline, or do not start."""

import pytest

from config.secret import Secret
from config.secrets import MachineSecrets
from gateway.kinship import SecretsDiffer, one_hotline
from queueing.memory import MemoryStore


def keys(pepper: str = "p" * 64) -> MachineSecrets:
    return MachineSecrets(Secret("r" * 64), Secret("c" * 64), Secret(pepper))


async def test_nodes_of_the_same_secrets_are_kin(memory: MemoryStore) -> None:
    await one_hotline(memory.shared, keys())
    await one_hotline(memory.shared, keys())


async def test_a_node_with_other_secrets_is_told_what_to_do(memory: MemoryStore) -> None:
    await one_hotline(memory.shared, keys())
    with pytest.raises(SecretsDiffer, match="secrets") as refused:
        await one_hotline(memory.shared, keys("q" * 64))
    assert "q" * 64 not in str(refused.value)
    await one_hotline(memory.shared, keys())
