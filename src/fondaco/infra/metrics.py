"""Metrics of the serving process and of the dealer, for Prometheus.

A registry of its own for each application, so that two in one process (tests) do not count into each other. Every name
is listed in docs/metrics.md; a test fails when one is missing there.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

import fondaco

CONTENT_TYPE = "text/plain; version=0.0.4"
"""Prometheus's text format; the framework adds the character set."""
DEALER_KEY = "metrics.dealer"
"""Where the dealer leaves its metrics on the bus; the serving process tells them with its own."""
LATENCY_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """Every metric that the serving process keeps."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        Info("fondaco_build", "The running version.", registry=self.registry).info({"version": fondaco.__version__})
        self.request_seconds = Histogram(
            "fondaco_http_request_seconds",
            "Time to answer an HTTP request.",
            ["method", "route", "status"],
            buckets=LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        self.stream_sessions = Gauge("fondaco_stream_sessions", "Open streams.", registry=self.registry)
        self.stream_frames = self._counter("fondaco_stream_frames", "Frames handed to subscribers.")
        self.stream_conflated = self._counter("fondaco_stream_conflated_frames", "Frames merged for slow readers.")
        self.stream_dropped = self._counter("fondaco_stream_dropped_ticks", "Ticks that slow readers missed.")
        self.ticks_seen = self._counter("fondaco_market_ticks_seen", "Ticks seen on the bus.", ["symbol"])
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def exposition(self) -> bytes:
        """Everything in Prometheus's text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, description: str, labels: tuple[str, ...] | list[str] = ()) -> Counter:
        return Counter(name, description, labels, registry=self.registry)


class DealerMetrics:
    """Every metric that the dealer keeps."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        market = ["world", "symbol"]
        self.quotes = Counter("fondaco_dealer_quotes", "Quotes that the engine took.", market, registry=self.registry)
        self.refused = Counter(
            "fondaco_dealer_refused", "Submissions that were not taken.", [*market, "code"], registry=self.registry
        )
        self.dropped = Counter(
            "fondaco_dealer_dropped_ticks", "Ticks that were not quoted.", ["symbol", "reason"], registry=self.registry
        )
        self.age_seconds = Histogram(
            "fondaco_dealer_quote_age_seconds",
            "From a trade's receipt until the engine had its quote.",
            market,
            buckets=LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        self.last_received = Gauge(
            "fondaco_dealer_last_quote_timestamp_seconds",
            "Receipt of the trade that the last quote was made of.",
            market,
            registry=self.registry,
        )

    def exposition(self) -> bytes:
        """Everything in Prometheus's text format."""
        return generate_latest(self.registry)
