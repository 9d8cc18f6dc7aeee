"""What the settings mean for the phone, and for whom it may call."""

from __future__ import annotations

import ipaddress
from dataclasses import replace

from channels.browser.settings import BrowserSettings
from channels.door import filled
from channels.phone.carriers import CarrierSettings
from channels.phone.flow import Protocol3261
from channels.phone.settings import PhoneSettings
from channels.phone.sip.login import Login
from channels.phone.sip.uri import Uri
from channels.phone.trunk import TrunkSettings
from channels.phone.vigil import Vigilance
from config.settings import Carrier, Settings
from gateway import parking
from gateway.calls import folder
from gateway.certificate import Certificate
from gateway.outgoing import OutgoingRule, Place
from session.audio import Secrecy
from session.rules import Rules


def phone_settings(settings: Settings, certificate: Certificate) -> PhoneSettings:
    """The phone's, out of the whole configuration."""
    return PhoneSettings(
        host=settings.sip.host,
        host6=settings.sip.host6,
        port=settings.sip.port,
        tls=certificate.serving,
        tls_port=settings.sip.tls_port,
        verifying=certificate.verifying,
        origins=settings.http.origins,
        advertised_host=settings.sip.advertised_host,
        numbers=settings.sip.number,
        realm=settings.sip.realm,
        trunks=settings.sip.trunks,
        proxies=settings.sip.trusted_proxies,
        carriers=tuple(map(carrier_of, settings.sip.carriers)),
        nameservers=settings.sip.nameservers,
        srtp=Secrecy(settings.sip.srtp),
        md5=settings.sip.md5,
        authenticate=settings.sip.authenticate,
        area=settings.sip.area,
        max_calls=settings.sip.max_calls,
        max_calls_per_s=settings.sip.max_calls_per_s,
        overload_s=settings.sip.overload_s,
        register_min_s=settings.sip.register_min_s,
        register_max_s=settings.sip.register_max_s,
        codes={
            **parking.codes(settings.agents.park_code),
            **dict(one.split(" ", 1) for one in settings.agents.codes),
        },
        echo_code=settings.agents.echo_code,
        ladders=folder(settings),
        ladder_days=settings.sip.ladder_days,
        captures=settings.sip.captures,
        session_expires_s=settings.sip.session_expires_s,
        session_least_s=settings.sip.session_least_s,
        vigilance=Vigilance(page_s=settings.sip.page_back_s),
        kept_call_s=settings.sip.kept_call_s,
        outbound=TrunkSettings(
            host=settings.outbound.trunk,
            port=settings.outbound.port,
            transport=settings.outbound.transport,
            caller=settings.outbound.caller,
            form=settings.outbound.form,
            returns=settings.outbound.returns,
        ),
        debts=settings.data / "debts",
    )


def browser_settings(settings: Settings) -> BrowserSettings:
    """That of pages' calls."""
    return filled(BrowserSettings, settings.browser, number=settings.sip.number[0])


def rules_of(settings: Settings) -> Rules:
    """The sessions'. Nobody is promised a call where we cannot call."""
    rules = settings.session
    return rules if settings.outbound.leads_anywhere else replace(rules, callback_pauses_s=())


def outgoing_rule(settings: Settings) -> OutgoingRule:
    """The operator's bounds on calls to citizens."""
    return OutgoingRule(
        allow=settings.outbound.allow,
        per_agent_a_day=settings.outbound.per_agent_a_day,
        a_day=settings.outbound.a_day,
        places=tuple(Place(one.name, one.number, one.emergency) for one in settings.outbound.places),
        area=settings.sip.area,
        believes_claims=settings.session.callback_claims,
    )


def carrier_of(carrier: Carrier) -> CarrierSettings:
    """A carrier as the operator writes it, as the phone has it."""
    return CarrierSettings(
        name=carrier.name,
        host=carrier.host,
        port=carrier.port or None,
        transport=Protocol3261(carrier.transport) if carrier.transport else None,
        networks=tuple(ipaddress.ip_network(one) for one in carrier.networks),
        login=Login(carrier.username, carrier.password.reveal()) if carrier.username else None,
        registers=carrier.registers,
        expires_s=int(carrier.expires_s),
        identity=carrier.identity,
        domain=carrier.domain,
        proxy=Uri.parse(f"sip:{carrier.proxy}") if carrier.proxy else None,
        caller=carrier.caller,
        form=carrier.form,
        numbers=carrier.numbers,
        codecs=carrier.codecs,
        srtp=Secrecy(carrier.srtp),
        calls=carrier.calls,
        asked_s=carrier.asked_s,
    )
