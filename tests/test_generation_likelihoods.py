from __future__ import annotations

import numpy as np
import pytest

from generation.likelihoods import Likelihoods


def test_log_probabilities_are_of_all_the_models_scores_whatever_is_chosen():
    scores = np.log(np.array([0.1, 0.2, 0.3, 0.4], np.float32)) + 100  # any constant may be added to scores
    heard = Likelihoods(alternatives=2)
    assert heard.note(None, scores) is scores
    choice = heard.of(0)
    assert choice.logprob == pytest.approx(np.log(0.1), abs=1e-4)
    assert [token for token, _ in choice.likeliest] == [3, 2]
    assert np.exp([logprob for _, logprob in choice.likeliest]) == pytest.approx([0.4, 0.3], abs=1e-4)
