"""Keys are made once, and read by nobody else."""

import json
import multiprocessing
import stat
from pathlib import Path

import pytest

from config.errors import ExposedSecrets, MissingSecret, UnreadableFile
from config.loading import load
from config.secret import Secret, SecretUrl
from config.secrets import FILE_NAME, machine_secrets


def pepper_of(folder: Path) -> str:
    return machine_secrets(load(environment={}, arguments=[f"data={folder}"])).pepper.reveal()


def test_they_are_made_once_and_kept_for_the_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    first = pepper_of(folder)
    assert first == pepper_of(folder)
    assert len(first) == 64
    assert stat.S_IMODE((folder / FILE_NAME).stat().st_mode) == 0o600
    assert list(folder.iterdir()) == [folder / FILE_NAME]
    made = json.loads((folder / FILE_NAME).read_text())
    assert len(set(made.values())) == 3


def test_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert len(set(pool.map(pepper_of, [tmp_path] * 8))) == 1


def test_a_set_one_stands_above_a_made_one(tmp_path: Path) -> None:
    settings = load(environment={"YIHAO_SECRETS__PEPPER": "p" * 32}, arguments=[f"data={tmp_path}"])
    keys = machine_secrets(settings)
    assert keys.pepper.reveal() == "p" * 32
    assert keys.cookie_key.reveal() != ""


def test_none_is_made_where_all_are_set(tmp_path: Path) -> None:
    names = ("pepper", "cookie_key", "resume_key")
    given = [f"secrets.{name}={name[0] * 32}" for name in names]
    machine_secrets(load(environment={}, arguments=[f"data={tmp_path}/none", *given]))
    assert not (tmp_path / "none").exists()


def test_a_missing_one_is_named(tmp_path: Path) -> None:
    pepper_of(tmp_path)
    path = tmp_path / FILE_NAME
    made = json.loads(path.read_text())
    del made["pepper"]
    path.write_text(json.dumps(made))
    with pytest.raises(MissingSecret) as refused:
        pepper_of(tmp_path)
    assert refused.value.key == "secrets.pepper"


def test_exposed_ones_stop_the_start(tmp_path: Path) -> None:
    pepper_of(tmp_path)
    (tmp_path / FILE_NAME).chmod(0o640)
    with pytest.raises(ExposedSecrets):
        pepper_of(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", '{"pepper": 1}', "\x00"])
def test_a_spoiled_file_is_never_overwritten(tmp_path: Path, text: str) -> None:
    path = tmp_path / FILE_NAME
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(UnreadableFile):
        pepper_of(tmp_path)
    assert path.read_text() == text


def test_a_secret_never_shows_itself() -> None:
    secret = Secret("hunter2")
    assert "hunter2" not in f"{secret} {secret!r} {[secret]}"
    assert secret == Secret("hunter2")
    assert secret != Secret("hunter3")
    assert not Secret("")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://store:6379/0", "redis://store:6379/0"),
        ("redis://:pw@store:6379/0", "redis://:(hidden)@store:6379/0"),
        ("redis://store/0?password=pw", "redis://store/0?(hidden)"),
        ("postgresql+asyncpg://me@/db?host=/run", "postgresql+asyncpg://me@/db?host=/run"),
        ("", ""),
    ],
)
def test_an_address_shows_all_but_its_password(url: str, shown: str) -> None:
    assert str(SecretUrl(url)) == shown
