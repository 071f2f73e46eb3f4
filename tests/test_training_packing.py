"""A tree teaches what its branches would teach one by one, and nothing looks into a neighbour."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.tiny_course import LESSONS, tiny_base
from training.lessons import tree_of
from training.packing import Branch, Tree, pack, shares
from training.tokens import ModelTokenizer
from training.weights import Lora, Student

TREE = Tree((2, 10, 11), (Branch((20, 21), (30, 31)), Branch((22,), (32, 33, 34))))


def test_each_branch_sees_the_trunk_and_itself_and_goes_on_from_the_trunks_end():
    packed = pack(TREE, window=100)
    assert packed.ids.tolist() == [[2, 10, 11, 20, 21, 30, 31, 22, 32, 33, 34]]
    assert packed.positions.tolist() == [[0, 1, 2, 3, 4, 5, 6, 3, 4, 5, 6]]
    assert packed.full[0, 0, 8].tolist() == [True] * 3 + [False] * 4 + [True] * 2 + [False] * 2


def test_a_sliding_layer_sees_no_further_back_than_its_window():
    packed = pack(TREE, window=2)
    assert packed.sliding[0, 0, 7].tolist() == [
        False,
        False,
        True,
        False,
        False,
        False,
        False,
        True,
        False,
        False,
        False,
    ]


def test_every_question_weighs_the_same_and_only_answers_are_predicted():
    packed = pack(TREE, window=100)
    assert packed.predicting.tolist() == [4, 5, 7, 8, 9]
    assert packed.labels.tolist() == [30, 31, 32, 33, 34]
    assert packed.weights.tolist() == pytest.approx([1 / 4] * 2 + [1 / 6] * 3)


def test_the_saving_counts_the_trunk_once():
    assert shares([TREE]) == pytest.approx((7 + 7) / 11)


@pytest.mark.real_model
def test_the_loss_of_a_tree_is_the_mean_of_its_branches_alone(tmp_path: Path):
    _, model = tiny_base(tmp_path)
    student = Student(model, Lora(rank=4, alpha=4), "cpu")
    student.train(is_training=False)
    tree = tree_of(LESSONS[0], ModelTokenizer.of(model))
    alone = [Tree(tree.trunk, (branch,)) for branch in tree.branches]
    with torch.no_grad():
        together = float(student.loss(pack(tree, window=student.window)))
        apart = [float(student.loss(pack(one, window=student.window))) for one in alone]
    assert together == pytest.approx(sum(apart) / len(apart), abs=1e-5)
