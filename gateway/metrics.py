"""What is measured: Prometheus, no personal datum in a label."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

ANSWER_BUCKETS = (1, 2, 5, 10, 15, 20, 30, 45, 60, 120, 300, 600)
MOS_BUCKETS = (1.5, 2, 2.6, 3.1, 3.6, 4.0, 4.3, 4.5)
"""From 3.6 on some users are dissatisfied, from 4.3 on nearly none (ITU-T G.107, annex B)."""
LAG_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2)


class Metrics:
    """One node's figures, in a registry of its own so that several nodes can live in one process."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.waiting = Gauge("yihao_waiting", "Sessions in line", ["queue"], registry=registry)
        self.longest_wait_s = Gauge("yihao_longest_wait_seconds", "Longest wait", ["queue"], registry=registry)
        self.agents = Gauge("yihao_agents", "Assignees by what they do", ["routing"], registry=registry)
        self.offers = Counter("yihao_offers", "Offers by their outcome", ["outcome"], registry=registry)
        self.answer_s = Histogram(
            "yihao_answer_seconds", "Wait until a human answered", buckets=ANSWER_BUCKETS, registry=registry
        )
        self.sessions = Counter("yihao_sessions", "Sessions that began", registry=registry)
        self.legs = Gauge("yihao_legs", "Legs held by this node", ["channel"], registry=registry)
        self.effects_failed = Counter(
            "yihao_effects_failed", "Effects that a channel could not do", ["effect"], registry=registry
        )
        self.dials = Counter("yihao_dials", "Calls to citizens by how far they came", ["outcome"], registry=registry)
        self.dials_refused = Counter(
            "yihao_dials_refused", "Calls to citizens that a rule forbade", ["why"], registry=registry
        )
        self.promises = Gauge("yihao_calls_owed", "Calls that citizens are owed", ["state"], registry=registry)
        self.promises_ended = Gauge(
            "yihao_calls_owed_ended", "Calls that were owed, by how that ended", ["end"], registry=registry
        )
        self.loop_lag_s = Histogram(
            "yihao_loop_lag_seconds", "How late the event loop runs", buckets=LAG_BUCKETS, registry=registry
        )
        self.packets_lost = Gauge(
            "yihao_packets_lost", "RTP packets that never came, of calls that have ended", registry=registry
        )
        self.media_deaths = Counter(
            "yihao_media_deaths", "Processes that carried sound and died, with their calls", registry=registry
        )
        self.call_mos = Histogram(
            "yihao_call_mos",
            "How calls sounded at their end, a leg each (E-model)",
            buckets=MOS_BUCKETS,
            registry=registry,
        )
        self.calls_unheard = Counter(
            "yihao_calls_unheard", "Legs of calls from which nothing was ever heard", registry=registry
        )
        self.calls_unrecorded = Counter(
            "yihao_calls_unrecorded", "Calls that were to be recorded and are not", registry=registry
        )
        self.store_up = Gauge("yihao_store_up", "1 while the store confirms writes", registry=registry)

    def exposition(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self.registry)
