"""How many contradictions between documents are told, and how many that are none.

`python -m evaluation.contradictions FOLDER` prints both; FOLDER holds `xquad`. Caught are pairs of editions that we
made up (`evaluation/data/editions.jsonl`) in three batches: rules and thresholds were made on the first two, the third
was written afterwards. Pairs of the kind `same` only look like a contradiction. Alarms are counted on
XQuAD's `train` questions, each answered with its own words and found by the real search among all 240 paragraphs, none
of which contradicts another: every alarm is false.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from core.settings import Settings, load_settings
from core.types import Citation, Passage, Principal
from evaluation.base import open_base
from evaluation.xquad import Paragraph, load_paragraphs
from generation.contradiction import Contradiction, Contrast, Told
from generation.nearness import EncoderNearness
from generation.quantities import quantities
from retrieval.chosen_models import chosen_encoder, chosen_reranker
from retrieval.embedding.encoder import Encoder
from retrieval.sentences import split_sentences

EDITIONS = Path(__file__).parent / "data" / "editions.jsonl"
ASKER = Principal("evaluation")
NOTHING = "same"  # the kind of a pair that only looks like a contradiction


@dataclass(frozen=True, slots=True)
class Trial:
    """A question answered by `answer`, words of the first of `passages`; `kind` names what is tried."""

    kind: str
    question: str
    answer: str
    passages: tuple[Passage, ...]

    def told(self, *, is_sentence: bool) -> Told:
        """The words as an answer that cites their sentence, or, as prose would, all of that sentence."""
        home = self.passages[0]
        at = home.text.index(self.answer)
        around = [one for one in split_sentences(home.text) if one.start < at + len(self.answer) and at < one.end]
        quote = home.text[around[0].start : around[-1].end]
        citation = Citation(1, home.document_id, home.document, home.page, home.section, quote)
        return Told(quote if is_sentence else self.answer, citation)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one kind of trials: the contradictions told of each, and the milliseconds it took."""

    kind: str
    told: tuple[tuple[Contradiction, ...], ...]
    ms: tuple[float, ...]

    @property
    def alarms(self) -> int:
        """In how many something was told."""
        return sum(map(bool, self.told))


def measure(trials: Sequence[Trial], encoder: Encoder, *, is_sentence: bool) -> dict[str, Outcome]:
    """Look for contradictions in every trial; one outcome a kind, in the order of their first trial."""
    found: dict[str, list[tuple[tuple[Contradiction, ...], float]]] = {}
    for trial in trials:
        started_s = time.perf_counter()
        contrast = Contrast(trial.question, trial.passages, EncoderNearness(encoder))
        told = tuple(contrast.contradictions([trial.told(is_sentence=is_sentence)]))
        found.setdefault(trial.kind, []).append((told, (time.perf_counter() - started_s) * 1000))
    return {
        kind: Outcome(kind, tuple(told for told, _ in of_kind), tuple(ms for _, ms in of_kind))
        for kind, of_kind in found.items()
    }


def editions(path: Path = EDITIONS) -> Iterator[Trial]:
    """The pairs that we made up."""
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        texts = ((row["document"], row["text"]), (row["other"], row["other_text"]))
        passages = (Passage(n, str(n), name, 1, None, text, 0, len(text)) for n, (name, text) in enumerate(texts, 1))
        kind = NOTHING if row["kind"] == NOTHING else "different"
        yield Trial(f"{row['batch']}, {kind}", row["question"], row["answer"], tuple(passages))


def answered(paragraphs: Sequence[Paragraph], settings: Settings, encoder: Encoder) -> Iterator[Trial]:
    """Questions of the `train` articles whose paragraph the search finds, with what it found, that paragraph first."""
    with tempfile.TemporaryDirectory() as folder:
        base = open_base(Path(folder) / "base", [one.source for one in paragraphs], encoder, lambda _done, _total: None)
        searcher = base.searcher(encoder, dense_weight=settings.dense_weight, reranker=chosen_reranker(settings))
        for paragraph in paragraphs:
            for question in () if paragraph.is_dev else paragraph.questions:
                found = searcher.search(question.text, principal=ASKER, collection=None, top_k=settings.top_k).passages
                own = [passage for passage in found if passage.document == paragraph.name]
                if own and question.answer in own[0].text:
                    others = (passage for passage in found if passage is not own[0])
                    kind = "number" if any(one.unit for one in quantities(question.answer)) else "words"
                    yield Trial(kind, question.text, question.answer, (own[0], *others))
        base.close()


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with xquad/")
    parser.add_argument("--show", action="store_true", help="print every alarm and every pair that was missed")
    arguments = parser.parse_args()
    settings = load_settings()
    encoder = chosen_encoder(settings, threads=1)
    xquad = tuple(answered(load_paragraphs(arguments.data), settings, encoder))
    for title, trials in (("editions", tuple(editions())), ("XQuAD train", xquad)):
        for is_sentence in (False, True):
            outcomes = measure(trials, encoder, is_sentence=is_sentence)
            _say(f"{title}, answers are {'whole sentences' if is_sentence else 'words'}\n")
            for outcome in outcomes.values():
                told = f"{outcome.alarms:4} of {len(outcome.told):4} told"
                _say(f"  {outcome.kind:14}{told}, {median(outcome.ms):.0f} ms\n")
            if arguments.show:
                _show(outcomes)


def _show(outcomes: dict[str, Outcome]) -> None:
    for outcome in outcomes.values():
        for told in outcome.told:
            for one in told:
                _say(f"    {one.kind}: {one.said!r} / {one.found!r} in {one.quote.passage.document!r}\n")


def _say(text: str) -> None:
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
