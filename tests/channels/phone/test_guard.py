"""Buckets and bans."""

import ipaddress

from channels.phone.guard import Guard, GuardSettings, is_scanner

STRANGER = "198.51.100.7"
TRUNK = "203.0.113.9"


def guard() -> Guard:
    return Guard(GuardSettings(), [ipaddress.ip_network("203.0.113.0/24")])


def test_stranger_has_32_in_two_seconds_and_then_300_of_silence() -> None:
    doorman = guard()
    assert sum(doorman.admit(STRANGER, 0.0) for _ in range(100)) == 32
    assert not doorman.admit(STRANGER, 299.0)
    assert doorman.is_banned(STRANGER, 299.0)
    assert not doorman.is_banned(TRUNK, 299.0)
    assert doorman.admit(STRANGER, 301.0)
    assert doorman.admit("198.51.100.8", 0.0), "nobody else is harmed"


def test_steady_stranger_within_the_rate_is_heard() -> None:
    doorman = guard()
    assert all(doorman.admit(STRANGER, number / 10) for number in range(1_000))


def test_trunk_is_limited_but_never_banned() -> None:
    doorman = guard()
    heard = sum(doorman.admit(TRUNK, 0.0) for _ in range(2_000))
    assert heard == GuardSettings().known_burst
    assert doorman.admit(TRUNK, 1.0)
    for _ in range(20):
        doorman.failed(TRUNK, "8001", 1.0)
    assert doorman.admit(TRUNK, 1.5)


def test_trunk_that_floods_is_not_heard_for_some_seconds() -> None:
    doorman = guard()
    heard = [number for number in range(240_000) if doorman.admit(TRUNK, number / 20_000)]
    assert len(heard) < 1_600, "12 s at 20,000 a second: the burst, and a little for each time that it is tried again"
    assert doorman.admit("203.0.113.10", 12.0), "nobody else is harmed"
    assert doorman.admit(TRUNK, 18.0)


def test_trunk_that_sends_twice_its_bound_loses_half() -> None:
    doorman = guard()
    heard = sum(doorman.admit(TRUNK, number / 1_200) for number in range(12_000))
    assert 0 <= 1_200 + 10 * 600 - heard <= 1


def test_registered_phone_is_known_until_its_registration_ends() -> None:
    doorman = guard()
    doorman.welcome(STRANGER, 100.0)
    assert all(doorman.admit(STRANGER, 1.0) for _ in range(100))
    doorman.admit(STRANGER, 200.0)
    assert sum(doorman.admit(STRANGER, 200.0) for _ in range(100)) < 100


def test_five_wrong_passwords_ban_the_address_and_bar_the_name() -> None:
    doorman = guard()
    doorman.welcome("192.0.2.1", 1_000.0)
    for second in range(5):
        assert doorman.admit(STRANGER, second)
        doorman.failed(STRANGER, "8001", second)
    assert not doorman.admit(STRANGER, 10.0)
    assert doorman.is_barred("198.51.100.99", "8001", 10.0)
    assert not doorman.is_barred("192.0.2.1", "8001", 10.0), "its owner is at home"
    assert not doorman.is_barred("198.51.100.99", "8001", 400.0)


def test_slow_mistakes_ban_nobody() -> None:
    doorman = guard()
    for minute in range(20):
        doorman.failed(STRANGER, "8001", minute * 30.0)
    assert doorman.admit(STRANGER, 600.0)


def test_tables_are_bounded() -> None:
    doorman = guard()
    for number in range(70_000):
        doorman.admit(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 0.0)
    assert len(doorman._buckets) <= 65_536


def test_a_scanner_is_banned_by_its_first_word_but_nobody_who_is_known() -> None:
    doorman = guard()
    doorman.welcome("198.51.100.9", 900.0)
    scan = b"OPTIONS sip:1 SIP/2.0\r\nUser-Agent: friendly-scanner\r\n\r\n"
    for host, is_heard in ((STRANGER, False), (TRUNK, True), ("198.51.100.9", True)):
        assert doorman.admit(host, 0.0)
        assert not doorman.is_scan(host, b"OPTIONS sip:1 SIP/2.0\r\nUser-Agent: baresip\r\n\r\n", 0.0)
        assert doorman.is_scan(host, scan, 0.0)
        assert doorman.admit(host, 299.0) is is_heard
    assert doorman.admit(STRANGER, 301.0)


def test_scanners() -> None:
    assert is_scanner(b"OPTIONS sip:1 SIP/2.0\r\nUser-Agent: friendly-scanner\r\n\r\n")
    assert is_scanner(b"OPTIONS sip:1 SIP/2.0\r\nuser-agent:SIPVicious 0.3\r\n\r\n")
    assert not is_scanner(b"OPTIONS sip:1 SIP/2.0\r\nUser-Agent: baresip v1.0.0\r\n\r\nfriendly-scanner")
    assert not is_scanner(b"INVITE sip:sipcli@h SIP/2.0\r\nX: 1\r\n\r\n")


def test_a_proxy_speaks_for_many() -> None:
    doorman = Guard(GuardSettings(), (), [ipaddress.ip_network("203.0.113.0/24")])
    heard = sum(doorman.admit(TRUNK, 0.0) for _ in range(20_000))
    assert heard == GuardSettings().proxy_burst, "and has a bound of its own"
    assert doorman.admit(TRUNK, 10.0)
    assert not doorman.is_trunk(TRUNK)
