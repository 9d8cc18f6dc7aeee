"""The machine's certificate: what is wrong with it is named, and a renewed one is taken up."""

import os
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from config.loading import load
from config.settings import Settings
from gateway.certificate import BadCertificate, Certificate
from gateway.doctor import Grade, examine
from tests.peers.certificates import Certified, certify


def _settings(folder: Path, made: Certified, *sets: str) -> Settings:
    named = [f"data={folder}", "demo=false", "http.port=0", "sip.port=0", "http.tls_port=0", "sip.tls_port=0"]
    files = [f"tls.certificate={made.certificate}", f"tls.key={made.key}", *sets]
    return load(arguments=[*named, *files], environment={})


def _grade(settings: Settings, start: str) -> Grade:
    (found,) = [one.grade for one in examine(settings) if one.what.startswith(start)]
    return found


def test_none_is_named(tmp_path: Path) -> None:
    settings = load(arguments=[f"data={tmp_path}"], environment={})
    assert Certificate(settings.tls).serving is None
    assert _grade(settings, "no certificate") is Grade.WARNING


def test_one_that_serves(tmp_path: Path) -> None:
    settings = _settings(tmp_path, certify(tmp_path))
    serving = Certificate(settings.tls).serving
    assert serving is not None
    assert serving.minimum_version is ssl.TLSVersion.TLSv1_2
    assert _grade(settings, "certificate for 89 more days") is Grade.OK
    assert _grade(settings, "https port") is Grade.OK


@pytest.mark.parametrize(
    ("spoil", "key"),
    [
        ({"certificate": "absent.pem"}, "certificate"),
        ({"key": ""}, "key"),
        ({"certificate": ""}, "certificate"),
        ({"authorities": "absent.pem"}, "authorities"),
    ],
)
def test_one_that_cannot_serve(tmp_path: Path, spoil: dict[str, str], key: str) -> None:
    settings = _settings(tmp_path, certify(tmp_path))
    with pytest.raises(BadCertificate) as caught:
        Certificate(replace(settings.tls, **spoil))
    assert caught.value.key == key


def test_what_the_doctor_sees(tmp_path: Path) -> None:
    assert _grade(_settings(tmp_path, certify(tmp_path, days=3)), "the certificate ends") is Grade.WARNING
    assert _grade(_settings(tmp_path, certify(tmp_path, days=0)), "the certificate ends") is Grade.FAULT
    made = certify(tmp_path)
    made.key.chmod(0o644)
    assert _grade(_settings(tmp_path, made), "the private key") is Grade.FAULT
    made.certificate.write_text("no certificate")
    assert _grade(_settings(tmp_path, made), "tls.certificate") is Grade.FAULT


def test_a_renewed_one_is_taken_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = certify(tmp_path)
    certificate = Certificate(_settings(tmp_path, made).tls)
    assert certificate.serving is not None
    caplog.set_level("INFO")
    certificate.renew(certificate.serving)
    assert caplog.records == []
    made.certificate.write_text("half written")
    certificate.renew(certificate.serving)
    assert [one.levelname for one in caplog.records] == ["ERROR"]
    certify(tmp_path)
    os.utime(made.certificate, (1, 1))
    certificate.renew(certificate.serving)
    assert [one.levelname for one in caplog.records] == ["ERROR", "INFO"]
