"""Whether passages say what a sentence of an answer says, with which words, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.types import Passage
from generation.checked_passage import CheckedPassage, Source, missing, shown, stems
from generation.citations import Quote
from generation.nearness import Nearness
from generation.polarity import contradicts, denies
from generation.statements import Reason

# Logistic regressions, fitted and judged by `python -m evaluation.xquad_support`: of the share of the claim's words
# that the quoted sentences hold, the share that stands elsewhere in the passage, and the nearness in meaning.
COVERED, SCATTERED, NEAR, BIAS = 1.7, -4.0, 21.4, -20.4
# Across languages there are no common words: nearness alone.
NEAR_ACROSS, BIAS_ACROSS = 60.0, -52.3
MIN_CONFIDENCE = 0.3
_UNION_GAIN = 0.15  # several cited passages are taken together when that covers this much more than the best alone


@dataclass(frozen=True, slots=True)
class Finding:
    """What the check found for one sentence. `reason` says why it is not supported; None when it is.

    `coverage` is the share of its meaningful words that `quotes` hold, `confidence` the probability that it is right.
    """

    quotes: tuple[Quote, ...] = ()
    coverage: float = 0.0
    confidence: float = 0.0
    reason: Reason | None = Reason.UNSUPPORTED


class Evidence:
    """Passages taken apart once, to check the sentences of one answer against."""

    def __init__(self, passages: Sequence[Passage], nearness: Nearness) -> None:
        self._checked = [CheckedPassage(passage) for passage in passages]
        self._nearness = nearness

    def check(self, claim: str, cited: Sequence[int]) -> Finding:
        """Whether the passages that `claim` cites, counted from 1, support it, alone or together; else any other one.

        A reason is that of the passage that came nearest.
        """
        given = [self._checked[n - 1] for n in cited if 1 <= n <= len(self._checked)]
        found = self._best(claim, given)
        if found.reason:
            others = self._best(claim, [passage for passage in self._checked if passage not in given], is_cited=False)
            found = max((found, others), key=lambda finding: (finding.reason is None, finding.coverage))
        if found.reason is Reason.UNSUPPORTED and cited and not given:
            return Finding(reason=Reason.NO_SOURCE)
        return found

    def _best(self, claim: str, passages: Sequence[CheckedPassage], *, is_cited: bool = True) -> Finding:
        """The support of every cited passage that supports the claim alone, or of all together; of others, the best."""
        alone = [self._weigh(claim, [passage]) for passage in passages]
        best = max(alone, key=lambda finding: (finding.reason is None, finding.coverage), default=Finding())
        if not is_cited or len(passages) < 2:
            return best
        together = self._weigh(claim, passages)
        gain = together.coverage - best.coverage
        if together.reason is None and (best.reason or gain >= _UNION_GAIN):
            return together
        if best.reason:
            return best
        quotes = tuple(quote for finding in alone if finding.reason is None for quote in finding.quotes)
        return Finding(quotes, best.coverage, best.confidence, None)

    def _weigh(self, claim: str, passages: Sequence[CheckedPassage]) -> Finding:
        """Hold the claim against all of `passages` at once."""
        in_text = frozenset().union(*(passage.stems for passage in passages))
        in_titles = frozenset().union(*(passage.title_stems for passage in passages))
        # Words of a title need no support: «Согласно положению об отпусках…».
        wanted = stems(claim) - (in_titles - in_text)
        sources = self._sources(claim, wanted, passages)
        if not wanted or not sources:
            return Finding()
        held = frozenset().union(*(source.held for source in sources))
        covered, scattered = len(wanted & held) / len(wanted), len(wanted & in_text - held) / len(wanted)
        said = " ".join(source.quote.text for source in sources)
        is_russian = all(passage.is_russian for passage in passages)
        if reason := missing(claim, passages) or _denial(claim, said, is_russian=is_russian):
            return Finding(coverage=covered, reason=reason)
        near = float(self._nearness(claim, [said])[0])
        at_home = COVERED * covered + SCATTERED * scattered + NEAR * near + BIAS
        confidence = 1 / (1 + math.exp(-(at_home if is_russian else NEAR_ACROSS * near + BIAS_ACROSS)))
        if confidence < MIN_CONFIDENCE:
            return Finding(coverage=covered, confidence=confidence)
        return Finding(shown(sources, wanted), covered, confidence, None)

    def _sources(self, claim: str, wanted: frozenset[str], passages: Sequence[CheckedPassage]) -> list[Source]:
        """The best words of each passage; of several passages only those that add something."""
        by_words = [passage.by_words(wanted) for passage in passages if passage.is_russian]
        by_meaning = [passage.by_meaning(claim, self._nearness) for passage in passages if not passage.is_russian]
        found = sorted((s for s in by_words if s), key=lambda source: -len(wanted & source.held))
        kept: list[Source] = []
        for source in found:
            if not kept or wanted & source.held - frozenset().union(*(other.held for other in kept)):
                kept.append(source)
        return kept + [source for source in by_meaning if source]


def _denial(claim: str, said: str, *, is_russian: bool) -> Reason | None:
    """Across languages there are no words to compare: only whether both deny something."""
    is_denied = contradicts(claim, said) if is_russian else denies(claim) != denies(said)
    return Reason.NEGATION if is_denied else None
