"""Measures follow-ups made whole by the rules, on talk that they were not written with.

`python -m evaluation.dialogues --data ../shared/data` searches the base of `evaluation.queries` for each last question:
as typed, as the rules make it whole, and as a person did. `--half` takes every second dialogue: rules may be improved
looking at `seen`, and are reported on `unseen`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from core.settings import load_settings
from core.types import Passage, Turn
from evaluation.base import EVERYONE, key_of, open_base
from evaluation.query_sets import load_documents, read_rows
from evaluation.retrieval_sets import load_kb_asked
from generation.follow_up import whole
from retrieval.chosen_models import chosen_encoder, chosen_reranker
from retrieval.searcher import Searcher
from retrieval.stems import stem_text

TOP = 5
HALVES = {"all": slice(None), "seen": slice(0, None, 2), "unseen": slice(1, None, 2)}


@dataclass(frozen=True, slots=True)
class Dialogue:
    """Questions of one person in order. `whole` is the last one as it stands by itself, None where it already does.

    The passage that answers it holds the words `holds`.
    """

    kind: str
    turns: tuple[str, ...]
    whole: str | None
    holds: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the rules made of the last question. Ranks from 1, None where the answer is not among the first five.

    `is_alike`: the first passage found is the one that the whole question finds first.
    """

    dialogue: Dialogue
    made: str
    typed: int | None = None
    rewritten: int | None = None
    meant: int | None = None
    is_alike: bool = False

    @property
    def is_left_alone(self) -> bool:
        """Whether the question is asked in the words that were typed."""
        return stem_text(self.made) == stem_text(self.dialogue.turns[-1])


def load_dialogues(half: str = "all") -> tuple[Dialogue, ...]:
    """Those that the package carries; raises `KeyError` for a half that is none."""
    rows = read_rows("dialogues.jsonl")[HALVES[half]]
    return tuple(Dialogue(**{**row, "turns": tuple(row["turns"])}) for row in rows)


def ask(dialogue: Dialogue, searcher: Searcher) -> Outcome:
    """Make the last question whole; search for it where it needed that."""
    *before, last = dialogue.turns
    made = whole(last, [Turn(question, "") for question in before])
    if dialogue.whole is None:
        return Outcome(dialogue, made)
    typed, rewritten, meant = (_found(text, searcher) for text in (last, made, dialogue.whole))
    return Outcome(
        dialogue,
        made,
        _rank(typed, dialogue.holds),
        _rank(rewritten, dialogue.holds),
        _rank(meant, dialogue.holds),
        is_alike=rewritten[0].id == meant[0].id,
    )


def shown(outcomes: Sequence[Outcome]) -> str:
    """A line a kind: hits of the last question as typed, made whole and whole; the share of the rest left alone."""
    lines = [f"{'':10}{'n':>4}{'typed':>14}{'made whole':>14}{'whole':>14}{'as whole':>10}{'left alone':>12}"]
    leaning = [one for one in outcomes if one.dialogue.whole]
    standing = [one for one in outcomes if not one.dialogue.whole]
    for part in (leaning, standing):
        kinds = dict.fromkeys(one.dialogue.kind for one in part)
        lines += [_line(kind, [one for one in part if one.dialogue.kind == kind]) for kind in kinds]
    lines += [_line("leaning", leaning), _line("standing", standing)]
    return "\n".join(lines)


def _line(name: str, outcomes: Sequence[Outcome]) -> str:
    alone = _share([one.is_left_alone for one in outcomes])
    if not outcomes or outcomes[0].dialogue.whole is None:
        return f"{name:10}{len(outcomes):4}{'':52}{alone:12.1f}"
    ranks = ([getattr(one, of) for one in outcomes] for of in ("typed", "rewritten", "meant"))
    hits = "".join(f"{_hit(rank, 1):8.1f}{_hit(rank, TOP):6.1f}" for rank in ranks)
    return f"{name:10}{len(outcomes):4}{hits}{_share([one.is_alike for one in outcomes]):10.1f}{alone:12.1f}"


def _hit(ranks: Sequence[int | None], depth: int) -> float:
    return _share([rank is not None and rank <= depth for rank in ranks])


def _share(values: Sequence[bool]) -> float:
    return 100 * fmean(values) if values else 0.0


def _found(question: str, searcher: Searcher) -> Sequence[Passage]:
    return searcher.search(question, principal=EVERYONE, collection=None, top_k=TOP).passages


def _rank(found: Sequence[Passage], words: str) -> int | None:
    return next((at for at, one in enumerate(found, start=1) if words in " ".join(one.text.split())), None)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point."""
    wanted = _arguments(arguments)
    settings = load_settings()
    encoder = chosen_encoder(settings)
    sources = load_documents(wanted.data, wanted.examples, load_kb_asked(wanted.data, settings), settings)
    folder = settings.cache_dir / "evaluation" / f"queries-{key_of(sources, encoder)}"
    base = open_base(folder, sources, encoder, lambda _done, _total: None)
    searcher = base.searcher(encoder, dense_weight=settings.dense_weight, reranker=chosen_reranker(settings))
    outcomes = [ask(dialogue, searcher) for dialogue in load_dialogues(wanted.half)]
    base.close()
    sys.stdout.write(f"{shown(outcomes)}\n")
    if wanted.verbose:
        for one in outcomes:
            ranks = f"{one.typed}/{one.rewritten}/{one.meant}"
            sys.stdout.write(f"{one.dialogue.kind:9}{ranks:16}{' | '.join(one.dialogue.turns)} => {one.made}\n")


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with xquad/, kb/ and documents/")
    parser.add_argument("--examples", type=Path, default=Path("examples"), help="folder with the example documents")
    parser.add_argument("--half", choices=tuple(HALVES), default="all")
    parser.add_argument("--verbose", action="store_true", help="show what every question was made into")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
