"""Counters and durations for Prometheus. No label holds what people wrote."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from generation.events import Done

BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """One registry, owned by one application, so that two of them in a process do not meet."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "znayka_requests", "Requests by route and status", ["method", "route", "status"], registry=self.registry
        )
        self.request_s = Histogram(
            "znayka_request_seconds",
            "Time to the response's start",
            ["route"],
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self.search_s = Histogram("znayka_search_seconds", "Search", buckets=BUCKETS_S, registry=self.registry)
        self.first_token_s = Histogram(
            "znayka_first_token_seconds", "Question to first token", buckets=BUCKETS_S, registry=self.registry
        )
        self.answers = Counter("znayka_answers", "Answers by outcome", ["outcome"], registry=self.registry)
        self.answer_sentences = Counter(
            "znayka_answer_sentences",
            "Sentences of answers by verdict",
            ["verdict"],
            registry=self.registry,
        )
        self.language_retries = Counter(
            "znayka_language_retries", "Answers begun anew because they were not in Russian", registry=self.registry
        )
        self.escalations = Counter("znayka_escalations", "Answers marked for a person", registry=self.registry)
        self.conflicts = Counter(
            "znayka_conflicts", "Answers that another document contradicts", registry=self.registry
        )
        self.documents = Gauge("znayka_documents", "Documents by status", ["status"], registry=self.registry)
        self.feedback = Gauge("znayka_feedback", "Opinions by verdict", ["verdict"], registry=self.registry)
        self.reembedding = Gauge(
            "znayka_reembedding_passages",
            "Passages with vectors of the new model, and all, while models change",
            ["share"],
            registry=self.registry,
        )
        self.waiting = Gauge("znayka_questions_waiting", "Questions in the queue", registry=self.registry)
        self.running = Gauge("znayka_questions_running", "Answers being made", registry=self.registry)

    def count(self, done: Done) -> None:
        """Count a finished answer, its sentences and its retries."""
        answer = done.answer
        self.answers.labels("refused" if answer.refused else "answered").inc()
        for check in answer.checks:
            self.answer_sentences.labels(check.verdict).inc()
        self.language_retries.inc(done.retries)
        self.escalations.inc(answer.escalate)
        self.conflicts.inc(bool(answer.conflicts))
        if answer.timings.first_token_ms is not None:
            self.first_token_s.observe(answer.timings.first_token_ms / 1000)

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)
