"""What the model process tells Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from generation.sampling import Timings


class Metrics:
    """Counters of one process, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._prompt_tokens = self._counter("prompt_tokens", "tokens of prompts")
        self._reused_tokens = self._counter("reused_tokens", "tokens of prompts that stood in the context already")
        self._completion_tokens = self._counter("completion_tokens", "tokens of answers")
        self._prefill_s = self._counter("prefill_seconds", "time spent reading prompts")
        self._decode_s = self._counter("decode_seconds", "time spent writing answers")
        self._waiting = Gauge("znayka_llm_waiting", "requests waiting for the slot", registry=self._registry)
        self._busy = Gauge("znayka_llm_busy", "1 while the model works", registry=self._registry)

    def count(self, timings: Timings) -> None:
        """Add one finished generation."""
        self._prompt_tokens.inc(timings.prompt_tokens)
        self._reused_tokens.inc(timings.reused_tokens)
        self._completion_tokens.inc(timings.completion_tokens)
        self._prefill_s.inc(timings.prefill_ms / 1000)
        self._decode_s.inc(timings.decode_ms / 1000)

    def text(self, *, waiting: int, is_busy: bool) -> str:
        """The exposition, with the queue as it is now."""
        self._waiting.set(waiting)
        self._busy.set(is_busy)
        return generate_latest(self._registry).decode()

    def _counter(self, name: str, meaning: str) -> Counter:
        return Counter(f"znayka_llm_{name}", meaning, registry=self._registry)
