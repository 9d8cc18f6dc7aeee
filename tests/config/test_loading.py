"""Four layers into one value; every refusal names its key."""

import itertools
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

import config.reading as reading
from config.errors import BadValue, ConfigError, UnknownKey, UnreadableFile
from config.loading import FILE_NAME, load
from config.printing import effective
from session.rules import Rules

DEFAULT = Path(reading.__file__).with_name("default.toml")


def test_default_toml_is_the_one_source_of_defaults() -> None:
    """Neither more keys nor fewer than the dataclasses have, in whatever order."""
    assert set(reading.defaults().values) == set(reading.keys())


def test_each_default_has_a_sentence_above_it() -> None:
    lines = DEFAULT.read_text().splitlines()
    for above, line in itertools.pairwise(lines):
        if "=" in line and not line.startswith(("#", " ")):  # a table in a list says itself what it is
            assert above.startswith("# "), line
            assert above.endswith("."), line


def test_the_rules_of_the_machine_have_the_same_defaults() -> None:
    assert load(environment={}).session == Rules()


def test_later_layers_stand_above_earlier_ones(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text("[sip]\nport = 1\nmax_calls = 2\nmax_calls_per_s = 3\n")
    settings = load(
        file=file,
        environment={"YIHAO_SIP__MAX_CALLS": "20", "YIHAO_SIP__MAX_CALLS_PER_S": "30"},
        arguments=["sip.max_calls_per_s=300"],
    )
    assert (settings.sip.port, settings.sip.max_calls, settings.sip.max_calls_per_s) == (1, 20, 300)


def test_the_demo_profile_stands_between_the_defaults_and_what_is_set() -> None:
    assert load(environment={}).sip.trunks == ("127.0.0.0/8", "::1/128")
    assert load(environment={}).agents.ready_on_register
    assert load(environment={"YIHAO_DEMO": "false"}).sip.trunks == ()
    assert load(environment={}, arguments=["sip.trunks=192.0.2.0/24"]).sip.trunks == ("192.0.2.0/24",)


def test_a_file_in_the_data_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("demo = false\n[http]\nport = 99\n")
    settings = load(environment={}, arguments=[f"data={tmp_path}"])
    assert (settings.http.port, settings.demo, settings.data) == (99, False, tmp_path)
    assert settings.recordings_folder == tmp_path / "recordings"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("sip.number=12345,96110", ("12345", "96110")),
        ('sip.number=["12345"]', ("12345",)),
        ("sip.trunks=", ()),
    ],
)
def test_lists_are_written_either_way(written: str, value: tuple[str, ...]) -> None:
    settings = load(environment={}, arguments=[written])
    assert value in (settings.sip.number, settings.sip.trunks)


def test_times_are_numbers_whole_or_not() -> None:
    settings = load(environment={}, arguments=["agents.offer_lease_s=2.5", "session.announce_s=1,2"])
    assert settings.agents.offer_lease_s == 2.5
    assert settings.session.announce_s == (1.0, 2.0)


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("agents.offer_lease_s=20s", "agents.offer_lease_s"),
        ("agents.offer_lease_s=-1", "agents.offer_lease_s"),
        ("agents.offer_lease_s=inf", "agents.offer_lease_s"),
        ("agents.offer_lease_s=true", "agents.offer_lease_s"),
        ("session.announce_s=", "session.announce_s"),
        ("session.announce_s=nan", "session.announce_s"),
        ("sip.port=70000", "sip.port"),
        ("sip.port=5060.5", "sip.port"),
        ("sip.port=", "sip.port"),
        ("sip.trunks=192.0.2.1/24", "sip.trunks"),
        ("sip.trunks=example.org", "sip.trunks"),
        ("sip.number=one", "sip.number"),
        ("sip.number=", "sip.number"),
        ("sip.md5=yes", "sip.md5"),
        ("sip.register_max_s=1", "sip.register_max_s"),
        ("media.port_max=1", "media.port_max"),
        ("store.tenant=Main Street", "store.tenant"),
        ("http.origins=example.org", "http.origins"),
        ("http.origins=https://example.org/page", "http.origins"),
        ("bots.hours=monday 8-18", "bots.hours"),
        ("log.level=loud", "log.level"),
        ("secrets.pepper=short", "secrets.pepper"),
        ("data=a\0b", "data"),
    ],
)
def test_a_bad_value_names_its_key(written: str, key: str) -> None:
    with pytest.raises(BadValue) as refused:
        load(environment={}, arguments=[written])
    assert refused.value.key == key
    assert key in str(refused.value)


def test_a_refusal_keeps_the_value_to_itself() -> None:
    with pytest.raises(BadValue) as refused:
        load(environment={"YIHAO_SECRETS__PEPPER": "hunter2"})
    assert "hunter2" not in str(refused.value)
    assert "environment" in str(refused.value)


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("sip.prot", "sip.port"),
        ("session.wrap_ms", "session.wrap_s"),
        ("chat_grace_s", "session.chat_grace_s"),
        ("http.offer_lease_s", "agents.offer_lease_s"),
        ("zzz.qqq", None),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest(key: str, nearest: str | None) -> None:
    with pytest.raises(UnknownKey) as refused:
        load(environment={}, arguments=[f"{key}=1"])
    assert (refused.value.key, refused.value.nearest) == (key, nearest)


def test_an_unknown_key_is_refused_in_every_layer(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    for text in ("[sip]\nprot = 1\n", "[spi]\nport = 1\n", "prot = 1\n", "[sip.port]\nx = 1\n", "[spi]\n"):
        file.write_text(text)
        with pytest.raises(ConfigError):
            load(file=file, environment={})
    with pytest.raises(UnknownKey):
        load(environment={"YIHAO_SIP__PROT": "1"})
    with pytest.raises(BadValue):
        load(environment={}, arguments=["sip.port"])


def test_variables_of_tools_are_let_be() -> None:
    load(environment={"YIHAO_SIP_CORPUS": "/x", "PATH": "/bin"})


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("[sip")
    large = tmp_path / "large.toml"
    large.write_text("#" * (1024 * 1024 + 1))
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    for file in (broken, large, binary, tmp_path, tmp_path / "none.toml"):
        with pytest.raises(UnreadableFile) as refused:
            load(file=file, environment={})
        assert refused.value.path == file


def test_what_is_printed_reads_back(tmp_path: Path) -> None:
    settings = load(environment={}, arguments=["sip.number=12345,96110", "log.format=json", f'data={tmp_path}/数据"\\'])
    printed = tmp_path / "printed.toml"
    printed.write_text(effective(settings))
    assert load(file=printed, environment={}) == settings
    assert set(tomllib.loads(effective(settings))) == {one.name for one in fields(settings)}


def test_a_list_of_tables(tmp_path: Path) -> None:
    """From a file, or as one line from the environment; what may be left out has its default."""
    file = tmp_path / "own.toml"
    file.write_text(f'[[govapi.clients]]\nid = "one"\nsecrets = ["{"s" * 32}"]\n[[govapi.clients]]\nid = "two"\n{TWO}')
    one, two = load(file=file, environment={}).govapi.clients
    assert (one.id, one.callback, two.id, two.requests_burst) == ("one", "", "two", 7)
    line = f'[{{id = "one", secrets = ["{"s" * 32}"]}}]'
    (same,) = load(environment={"YIHAO_GOVAPI__CLIENTS": line}).govapi.clients
    assert same == one
    assert "s" * 32 not in effective(load(file=file, environment={}))
    assert 'id = "two"' in effective(load(file=file, environment={}))


TWO = f'secrets = ["{"t" * 32}", "{"u" * 32}"]\nrequests_burst = 7\n'


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("1", "govapi.clients"),
        ("[1]", "govapi.clients"),
        ('[{secrets = ["sssssssssssssssssssssssssssssssss"]}]', "govapi.clients.id"),
        ('[{id = "one"}]', "govapi.clients.secrets"),
        ('[{id = "one", secrets = []}]', "govapi.clients.secrets"),
        ('[{id = "one", secrets = ["short"]}]', "govapi.clients.secrets"),
        ('[{id = "One", secrets = ["sssssssssssssssssssssssssssssssss"]}]', "govapi.clients.id"),
    ],
)
def test_a_table_that_does_not_fit_is_named(value: str, key: str) -> None:
    with pytest.raises(BadValue) as refused:
        load(environment={}, arguments=[f"govapi.clients={value}"])
    assert refused.value.key == key


def test_a_slip_in_a_table_is_found() -> None:
    with pytest.raises(UnknownKey, match="did you mean secrets"):
        load(environment={}, arguments=['govapi.clients=[{id = "one", secret = []}]'])


def test_secrets_are_hidden_when_printed() -> None:
    key = "k" * 32
    settings = load(
        environment={
            "YIHAO_SECRETS__PEPPER": key,
            "YIHAO_STORAGE__URL": "postgresql+asyncpg://yihao:hunter2@db/yihao",
            "YIHAO_STORE__URL": "redis://:hunter2@store:6379/0",
        }
    )
    for shown in (effective(settings), repr(settings)):
        assert "hunter2" not in shown
        assert key not in shown
    assert "@store:6379/0" in effective(settings)
    assert "yihao:(hidden)@db/yihao" in effective(settings)
    assert settings.storage.url.reveal() == "postgresql+asyncpg://yihao:hunter2@db/yihao"
