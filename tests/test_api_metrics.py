"""What an answer leaves in the counters: figures, and not a word of it."""

from __future__ import annotations

from api.metrics import Metrics
from core.types import Answer, Check, Timings, Verdict
from generation.events import Done


def answer(*checks: Check, escalate: bool = False) -> Answer:
    timings = Timings(search_ms=10, first_token_ms=200, total_ms=900)
    return Answer("Да [1].", False, (), "saiga", timings, checks=checks, escalate=escalate)


def test_sentences_are_counted_by_verdict_and_retries_by_themselves():
    metrics = Metrics()
    dropped = Check("Секретная сумма 112 рублей.", Verdict.DROPPED, "number")
    metrics.count(Done(answer(Check("Да.", Verdict.SUPPORTED), dropped, dropped, escalate=True), retries=1))
    text = metrics.text().decode()
    assert 'znayka_answer_sentences_total{verdict="supported"} 1.0' in text
    assert 'znayka_answer_sentences_total{verdict="dropped"} 2.0' in text
    assert "znayka_language_retries_total 1.0" in text
    assert "znayka_escalations_total 1.0" in text
    assert 'znayka_answers_total{outcome="answered"} 1.0' in text
    assert "Секретная" not in text
