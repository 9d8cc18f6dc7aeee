"""What the settings mean for the phone, and for whom it may call."""

from __future__ import annotations

from channels.phone.settings import PhoneSettings
from channels.phone.trunk import TrunkSettings
from config.settings import Settings
from gateway.calls import folder
from gateway.certificate import Certificate
from gateway.outgoing import OutgoingRule


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
        md5=settings.sip.md5,
        authenticate=settings.sip.authenticate,
        area=settings.sip.area,
        max_calls=settings.sip.max_calls,
        max_calls_per_s=settings.sip.max_calls_per_s,
        register_min_s=settings.sip.register_min_s,
        register_max_s=settings.sip.register_max_s,
        ladders=folder(settings),
        ladder_days=settings.sip.ladder_days,
        captures=settings.sip.captures,
        session_expires_s=settings.sip.session_expires_s,
        session_least_s=settings.sip.session_least_s,
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


def outgoing_rule(settings: Settings) -> OutgoingRule:
    """The operator's bounds on calls to citizens."""
    return OutgoingRule(
        allow=settings.outbound.allow,
        per_agent_a_day=settings.outbound.per_agent_a_day,
        a_day=settings.outbound.a_day,
        believes_claims=settings.session.callback_claims,
    )
