"""Scales say how often an answer with such signals is right, and live beside the adapter they were fitted to."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from core.errors import InvalidRequest, Misconfigured
from core.settings import Settings
from generation.adapters import scales_of
from generation.catalogue import load_catalogue
from generation.embedded import NAME, TAUGHT
from generation.model_choice import server_of
from generation.scales import Scale, Scales, Signals, beside, read_scales
from training.calibration import Observation, fit_scales, held_out, outcomes

MODEL = load_catalogue().find(TAUGHT)


def _observed(seed: int, number: int = 400) -> list[Observation]:
    """Questions of which the model finds answerable ones likelier to answer, and is right in most of those."""
    chance = random.Random(seed)
    seen = []
    for at in range(number):
        is_answerable = chance.random() < 0.5
        answering = chance.gauss(2.0 if is_answerable else -2.0, 2.0)
        signals = Signals(answering, chance.gauss(-0.5, 0.3), -1.0, chance.gauss(0.85, 0.03), chance.random())
        seen.append(Observation(signals, is_answerable, 1.0 if is_answerable and answering > 0 else 0.2, at // 8))
    return seen


def test_the_probability_is_the_share_that_comes_true_on_questions_not_fitted_to():
    scales = fit_scales(_observed(1))
    others = _observed(2, 2000)
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 1.0)):
        said = [(scales.answerable.probability(o.signals), o.is_answerable) for o in others]
        within = [(p, came) for p, came in said if low <= p < high]
        mean, true = (sum(column) / len(within) for column in zip(*within, strict=True))
        assert true == pytest.approx(mean, abs=0.08)


def test_a_higher_threshold_refuses_more_of_both():
    seen = _observed(1)
    table = outcomes(fit_scales(seen), seen)
    assert [row.refused_answerable for row in table] == sorted(row.refused_answerable for row in table)
    assert all(row.refused_unanswerable >= row.refused_answerable for row in table)
    assert table[0].f1 > table[-1].f1


def test_the_figures_shown_are_of_lessons_that_the_scales_shown_were_not_fitted_to():
    seen = _observed(1)
    even, odd = ([one for one in seen if one.lesson % 2 == half] for half in (0, 1))
    table, number = held_out(seen)

    assert number == len(odd) == len(seen) // 2
    assert table == outcomes(fit_scales(even), odd)
    # Other labels in the half that is shown leave the scales as they were.
    spoilt = [replace(one, f1=0.0) if one.lesson % 2 and one.f1 < 1 else one for one in seen]
    assert [row.refused_answerable for row in held_out(spoilt)[0]] == [row.refused_answerable for row in table]


def test_too_few_lessons_for_halves_are_not_split():
    assert held_out([replace(one, lesson=0) for one in _observed(1)]) is None
    assert held_out([one for one in _observed(1) if one.lesson % 2 == 0 or one.is_answerable]) is None


def test_outcomes_that_are_all_alike_are_refused():
    with pytest.raises(InvalidRequest, match="Добавьте вопросов"):
        fit_scales([one for one in _observed(1) if one.is_answerable])


def test_an_adapter_of_ones_own_is_judged_by_the_scales_beside_it(tmp_path):
    own = tmp_path / "company.gguf"
    scales = Scales(Scale((1.0, 0.0, 0.0, 0.0, 0.0), -1.0), Scale((0.5,) * 5, 0.0))
    scales.write(beside(own))
    assert scales_of(MODEL, own) == scales
    assert server_of(Settings(model=TAUGHT, adapter=own)).scales == scales


def test_without_scales_of_its_own_it_is_judged_by_ours_and_the_log_says_so(tmp_path, caplog):
    assert scales_of(MODEL, tmp_path / "company.gguf") == scales_of(MODEL, None)
    assert "znayka train calibrate" in caplog.text


def test_a_model_without_an_adapter_has_no_scales():
    assert scales_of(load_catalogue().find(NAME), None) is None


@pytest.mark.parametrize("content", ["", "{}", '{"answerable": {"weights": [1], "bias": 0}, "right": {}}'])
def test_a_damaged_file_says_how_to_make_it_again(tmp_path, content):
    path = tmp_path / "company.scale.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(Misconfigured, match="znayka train calibrate"):
        read_scales(path)
