"""The doctor: each thing that is missing or unsafe is found, and its mend is said."""

import resource
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import redis.asyncio

from config.loading import load
from config.settings import Settings
from gateway import doctor
from gateway.cli import main
from gateway.doctor import Finding, Grade, examine, examine_store


def _settings(data: Path, *sets: str) -> Settings:
    return load(arguments=[f"data={data}", "demo=false", "http.port=0", "sip.port=0", *sets], environment={})


def _found(settings: Settings, word: str) -> Finding:
    (found,) = [one for one in examine(settings) if word in one.what]
    return found


def _grade(settings: Settings, word: str) -> Grade:
    found = _found(settings, word)
    assert (found.grade is Grade.OK) is not bool(found.mend), "what is wrong has a mend, and only that"
    return found.grade


def test_a_good_machine_is_found_good(tmp_path: Path) -> None:
    settings = _settings(tmp_path, "sip.trunks=192.0.2.0/24")
    assert [one for one in examine(settings) if one.grade is Grade.FAULT and "pages" not in one.what] == []


def test_a_data_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "data"):
        assert _grade(_settings(folder), "data folder") is Grade.FAULT
    assert _grade(_settings(tmp_path / "new" / "data"), "data folder") is Grade.OK
    assert not (tmp_path / "new").exists(), "it only looks"


@pytest.mark.parametrize("name", ["secrets.json", "credentials.json"])
def test_secrets_that_others_can_read(tmp_path: Path, name: str) -> None:
    secret = tmp_path / name
    secret.write_text("{}")
    secret.chmod(0o640)
    assert _grade(_settings(tmp_path), name) is Grade.FAULT
    secret.chmod(0o600)
    assert not [one for one in examine(_settings(tmp_path)) if name in one.what]


def test_a_disk_that_is_nearly_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: real._replace(free=1024**2))
    assert _grade(_settings(tmp_path), "MiB free") is Grade.WARNING


def test_too_few_open_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 256))
    assert _grade(_settings(tmp_path), "open files") is Grade.WARNING


@pytest.mark.parametrize(
    ("name", "kind"),
    [("http", socket.SOCK_STREAM), ("sip", socket.SOCK_DGRAM), ("sip", socket.SOCK_STREAM)],
)
def test_a_port_that_is_taken(tmp_path: Path, free_port: Callable[[], int], name: str, kind: int) -> None:
    """SIP needs its port for UDP and TCP."""
    port = free_port()
    settings = _settings(tmp_path, f"{name}.port={port}")
    assert _grade(settings, f"{name} port") is Grade.OK
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", port))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        assert _grade(settings, f"{name} port") is Grade.WARNING


@pytest.mark.parametrize(
    ("trunks", "grade"),
    [
        ("", Grade.WARNING),
        ("0.0.0.0/0", Grade.FAULT),
        ("192.0.2.0/24,10.0.0.0/8", Grade.FAULT),
        ("192.0.2.0/24", Grade.OK),
        ("127.0.0.0/8", Grade.OK),
    ],
)
def test_who_may_call(tmp_path: Path, trunks: str, grade: Grade) -> None:
    assert _grade(_settings(tmp_path, f"sip.trunks={trunks}"), "trunk") is grade


def test_a_web_server_that_is_open_without_a_proxy(tmp_path: Path) -> None:
    assert _grade(_settings(tmp_path, "http.host=0.0.0.0"), "web server") is Grade.WARNING
    for sets in (("http.host=0.0.0.0", "http.origins=https://hotline.example.cn"), ("http.host=::1",)):
        assert not [one for one in examine(_settings(tmp_path, *sets)) if "web server" in one.what]


def test_the_demonstration_is_no_city(tmp_path: Path) -> None:
    assert _grade(_settings(tmp_path, "demo=true"), "demonstration profile") is Grade.WARNING


def test_pages_that_are_not_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "__file__", str(tmp_path / "doctor.py"))
    assert _grade(_settings(tmp_path), "pages are") is Grade.FAULT
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "index.html").write_text("")
    assert _grade(_settings(tmp_path), "pages are") is Grade.OK


def test_clients_that_could_be_taken_for_each_other(tmp_path: Path) -> None:
    one, same = (f'{{id = "{name}", secrets = ["{"s" * 32}"]}}' for name in ("one", "two"))
    alike = _settings(tmp_path, f"govapi.clients=[{one}, {same}]")
    assert _grade(alike, "two clients have the same secret") is Grade.FAULT
    plain = f'{{id = "one", secrets = ["{"s" * 32}"], callback = "http://app.example.cn/"}}'
    assert _grade(_settings(tmp_path, f"govapi.clients=[{plain}]"), "must be https") is Grade.FAULT


def test_an_account_that_is_half_filled_in(tmp_path: Path) -> None:
    assert not [one for one in examine(_settings(tmp_path)) if "wechat" in one.what]
    half = _settings(tmp_path, "wechat.secret=hunter2", "wechat_kf.corpid=ww1")
    for key in ("wechat.appid", "wechat.token", "wechat_kf.open_kfid", "wechat_kf.secret", "wechat_kf.aes_keys"):
        assert _grade(half, f"{key} is empty") is Grade.FAULT
    assert not [one for one in examine(half) if "hunter2" in one.what + one.mend]
    whole = _settings(tmp_path, "wechat.appid=wx1", "wechat.secret=s", "wechat.token=t")
    assert not [one for one in examine(whole) if "is empty" in one.what]
    assert _grade(whole, "in the clear") is Grade.WARNING


def test_a_dialler_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_spec", lambda _: None)
    assert _grade(_settings(tmp_path), "pyVoIP") is Grade.WARNING


async def test_a_store_that_is_durable(tmp_path: Path, valkey_url: str) -> None:
    assert (await examine_store(_settings(tmp_path))).grade is Grade.OK
    assert (await examine_store(_settings(tmp_path, f"store.url={valkey_url}"))).grade is Grade.OK


async def test_a_store_that_is_not_there(tmp_path: Path, free_port: Callable[[], int]) -> None:
    url = f"redis://:hunter2@127.0.0.1:{free_port()}/0"
    found = await examine_store(_settings(tmp_path, f"store.url={url}"))
    assert found.grade is Grade.FAULT
    assert found.mend
    assert "hunter2" not in found.what + found.mend


async def test_a_store_that_can_lose_what_was_acknowledged(tmp_path: Path, valkey_url: str) -> None:
    async with redis.asyncio.Redis.from_url(valkey_url) as client:
        await client.config_set("appendfsync", "everysec")
        try:
            unsafe = await examine_store(_settings(tmp_path, f"store.url={valkey_url}"))
            accepted = await examine_store(_settings(tmp_path, f"store.url={valkey_url}", "store.accept_unsafe=true"))
        finally:
            await client.config_set("appendfsync", "always")
    assert unsafe.grade is Grade.FAULT
    assert "appendfsync" in unsafe.what
    assert accepted.grade is not Grade.FAULT


def test_the_command_says_each_line_and_fails_on_a_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["doctor", "--data", str(tmp_path), "--set", "http.port=0", "--set", "sip.port=0"]
    assert main([*arguments, "--set", "sip.trunks=0.0.0.0/0"]) == 1
    said = capsys.readouterr().out
    assert "FAULT   trunk 0.0.0.0/0 lets half the world call → name the carrier's own addresses" in said
    assert "OK      Python 3." in said
