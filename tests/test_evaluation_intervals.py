from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from evaluation.intervals import Verdict, difference, estimate, judge, tally


def verdict(before: Sequence[float], after: Sequence[float], *, is_higher_better: bool = True) -> Verdict:
    return judge(difference(before, after, 7), tally(before, after), is_higher_better=is_higher_better)


def test_the_interval_of_a_share_is_about_two_standard_errors_wide() -> None:
    values = [1.0] * 60 + [0.0] * 40
    found = estimate(values, seed=7)

    assert (found.value, found.count) == (0.6, 100)
    error = np.sqrt(0.6 * 0.4 / 100)
    assert found.low == pytest.approx(0.6 - 1.96 * error, abs=0.02)
    assert found.high == pytest.approx(0.6 + 1.96 * error, abs=0.02)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = list(np.random.default_rng(1).random(30))

    assert estimate(values, seed=7) == estimate(values, seed=7)
    assert estimate(values, seed=7) != estimate(values, seed=8)


def test_a_share_that_never_failed_is_still_in_doubt() -> None:
    # Wilson: n / (n + z^2) for n successes of n.
    found = estimate([1.0] * 24, seed=7)

    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(24 / (24 + 1.96**2), abs=1e-3)
    assert estimate([0.0], seed=7).high == pytest.approx(1.96**2 / (1 + 1.96**2), abs=1e-3)


def test_one_duration_has_no_interval_to_speak_of() -> None:
    assert estimate([130.0], seed=7).low == 130.0


def test_a_small_difference_is_noise_and_a_steady_one_is_not() -> None:
    rng = np.random.default_rng(3)
    before = rng.random(80)
    jitter = before + rng.normal(0, 0.2, 80) * (1 - 2 * (np.arange(80) % 2))
    better = before + 0.1 + rng.normal(0, 0.02, 80)

    assert verdict(before, jitter) is Verdict.NOISE
    assert verdict(before, better) is Verdict.BETTER
    assert verdict(before, better, is_higher_better=False) is Verdict.WORSE
    assert verdict(before, before) is Verdict.NOISE


def test_pairing_finds_what_two_separate_intervals_would_hide() -> None:
    before = np.linspace(0, 1, 40)
    after = before + np.where(np.arange(40) % 3 == 0, 0.05, 0.02)

    assert estimate(before, 7).high > estimate(after, 7).low
    assert verdict(before, after) is Verdict.BETTER


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_handful_of_questions_proves_nothing_however_alike_they_moved(count: int) -> None:
    assert verdict([0.0] * count, [1.0] * count) is Verdict.NOISE
    assert verdict([1.0] * count, [0.5] * count) is Verdict.NOISE


def test_six_questions_that_all_moved_alike_are_the_fewest_that_prove_something() -> None:
    assert verdict([0.0] * 6, [0.5] * 6) is Verdict.BETTER
    assert verdict([0.5] * 6, [0.0] * 6) is Verdict.WORSE


def test_a_mean_that_a_few_questions_carry_is_noise_when_the_signs_do_not_confirm_it() -> None:
    before, after = np.zeros(40), np.array([1.0] * 5 + [0.0] * 35)

    assert difference(before, after, 7).low > 0
    assert tally(before, after).p_value > 0.05
    assert verdict(before, after) is Verdict.NOISE
    # Ten large gains against twenty-nine small losses: the mean says better, most questions say worse.
    torn = np.array([1.0] * 10 + [-0.02] * 29 + [0.0])
    assert difference(before, torn, 7).low > 0
    assert tally(before, torn).p_value < 0.05
    assert verdict(before, torn) is Verdict.NOISE


def test_wins_ties_and_losses_are_counted_and_tested_by_signs() -> None:
    counted = tally([0.0] * 10, [1.0] * 7 + [0.0] * 2 + [-1.0])

    assert (counted.wins, counted.ties, counted.losses) == (7, 2, 1)
    # Two-sided: 2 * (C(8,0) + C(8,1)) / 2^8.
    assert counted.p_value == pytest.approx(2 * 9 / 256)
    assert tally([0.5], [0.5]).p_value == 1.0
