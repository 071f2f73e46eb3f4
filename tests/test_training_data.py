"""What data sets are made of: shipped sets, mined and taught questions, cleaning, the split, the card."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import InvalidRequest, Misconfigured
from core.types import Passage
from evaluation.pairs import Pair
from tests.scripted_model_server import scripted_model
from training.authored import Source, knowledge_base, our_texts, xquad
from training.card import read_card
from training.collection import NOT_FOUND, UNKNOWN, locate
from training.dataset import Recipe, build, clean, is_dev
from training.duplicates import LIMIT, rouge_l
from training.lessons import read_lessons
from training.material import Material, Question, checked
from training.mining import mined
from training.ranking import neighbours
from training.selfinstruct import Author, instructed

TEXT = "4.1. Ежегодный отпуск составляет 28 календарных дней. 4.2. График утверждается не позднее 15 декабря."


def _material(number: int, *, questions: int = 2, text: str = "") -> Material:
    words = " ".join(f"{chr(1072 + number % 30)}{chr(1072 + n)}{number}" for n in range(12))
    asked = tuple(Question(f"{words.split()[n]} что {n * 7}?", (words.split()[n],)) for n in range(questions))
    return Material(f"m{number}", f"doc{number}", f"Документ {number}", text or words, asked)


def _passage(id_: int, document: str, text: str, page: int | None = None) -> Passage:
    return Passage(id_, "d", document, page, None, text, 0, len(text), 0.0)


def test_our_own_texts_hold_every_answer_word_for_word():
    materials = [material for source in our_texts() for material in source.materials]
    assert len(materials) > 200
    assert all(checked(material) for material in materials)
    assert all(material.questions and material.unanswered for material in materials)


def test_of_xquad_only_the_train_articles_are_read(data):
    split = json.loads((data / "xquad" / "split.json").read_text(encoding="utf-8"))
    source = xquad(data / "xquad")
    assert {material.document for material in source.materials} == set(split["train"])
    assert all(checked(material) for material in source.materials)
    assert sum(len(material.questions) for material in source.materials) > 1500


def test_an_article_that_is_in_train_and_in_dev_stops_everything(tmp_path):
    (tmp_path / "split.json").write_text('{"train": ["A"], "dev": ["A"]}')
    (tmp_path / "xquad.ru.json").write_text('{"data": []}')
    with pytest.raises(InvalidRequest, match="и в train, и в dev"):
        xquad(tmp_path)


def test_questions_on_the_knowledge_base_fit_the_users_own_archive(data):
    source = knowledge_base(data / "kb" / "yandex_cloud_ru.tar.xz")
    assert len(source.materials) > 100
    assert all(checked(material) for material in source.materials)


def test_questions_on_a_text_that_has_changed_are_refused(data, tmp_path):
    articles = json.loads((data / "xquad" / "xquad.ru.json").read_text(encoding="utf-8"))
    for article in articles["data"]:
        article["paragraphs"][0]["context"] = "Другой текст. " + article["paragraphs"][0]["context"]
    (tmp_path / "xquad.ru.json").write_text(json.dumps(articles), encoding="utf-8")
    (tmp_path / "split.json").write_bytes((data / "xquad" / "split.json").read_bytes())
    with pytest.raises(InvalidRequest, match="не тот"):
        xquad(tmp_path)


@pytest.mark.parametrize(
    ("text", "question", "answer"),
    [
        (TEXT, "Что говорится в пункте 4.1?", "Ежегодный отпуск составляет 28 календарных дней."),
        (TEXT, "Сколько составляет ежегодный отпуск?", "28 календарных дней"),
        (TEXT, "До какого срока утверждается график?", "не позднее 15 декабря"),
        ("НДФЛ — это налог на доходы физических лиц.", "Что такое НДФЛ?", "налог на доходы физических лиц"),
        ("## Как часто делаются копии?\n\nРаз в сутки. Хранятся неделю.", "Как часто делаются копии?", "Раз в сутки."),
    ],
)
def test_a_question_is_mined_from_the_wording(text, question, answer):
    assert Question(question, (answer,)) in mined(Material("m", "d", "t", text, ()))


@pytest.mark.parametrize("text", ["Он составляет 5 рублей.", "Однако срок, который составляет 5 дней, мал.", "Лето."])
def test_what_no_rule_turns_into_good_russian_gives_no_question(text):
    assert mined(Material("m", "d", "t", text, ())) == ()


def test_of_what_a_teacher_writes_only_words_of_the_passage_stay():
    page = {
        "questions": [
            {"question": "Сколько длится отпуск?", "answers": ["28  календарных дней"]},
            {"question": "Сколько длится больничный?", "answers": ["10 дней"]},
        ],
        "unanswerable": ["Кто подписывает график?", "Сколько длится отпуск?"],
    }
    with scripted_model() as model:
        model.says = "```json\n" + json.dumps(page, ensure_ascii=False) + "\n```"
        grown, lost = next(iter(instructed([Material("m", "d", "t", TEXT, ())], Author(model.url, "teacher"))))
    assert grown.questions == (Question("Сколько длится отпуск?", ("28 календарных дней",)),)
    assert grown.unanswered == ("Кто подписывает график?",)
    assert lost == 1


def test_a_teacher_that_babbles_leaves_the_passage_as_it_was():
    with scripted_model() as model:
        model.says = "Конечно! Вот вопросы."
        material = Material("m", "d", "t", TEXT, ())
        assert next(iter(instructed([material], Author(model.url, "teacher"))))[0] == material


def test_a_teacher_that_refuses_is_named():
    with scripted_model() as model:
        model.status = 401
        with pytest.raises(Misconfigured, match=model.url):
            Author(model.url, "teacher").ask(Material("m", "d", "t", TEXT, ()))


def test_a_pair_goes_to_the_passage_of_its_document_that_holds_the_answer():
    shown = [_passage(1, "a.pdf", "Срок 5 дней.", 1), _passage(2, "b.pdf", "Срок 5\nдней.", 2)]
    pairs = [
        Pair(2, "Какой срок?", "5 дней", "b.pdf", 2),
        Pair(3, "Какая цена?", "7 рублей", "a.pdf"),
        Pair(4, "Где это?", "", ""),
        Pair(5, "Что тут?", "Срок", "c.pdf"),
    ]
    located = locate(pairs, shown, lambda question: ["passage 2", "passage 1"])
    first, second = located.materials
    assert (first.questions, second.questions) == ((), (Question("Какой срок?", ("5\nдней",)),))
    assert second.unanswered == ("Где это?",)
    assert located.dropped == {NOT_FOUND: 1, UNKNOWN: 1}


def test_rouge_l_is_the_f_measure_of_the_longest_common_subsequence():
    one, other = ["сколько", "длится", "ежегодный", "отпуск"], ["сколько", "дней", "длится", "отпуск"]
    assert rouge_l(one, other) == pytest.approx(0.75)
    assert rouge_l(one, []) == 0.0


def test_near_duplicates_and_foreign_answers_are_dropped_and_counted():
    first = replace(_material(1), questions=(Question("Сколько дней длится отпуск?", ("аа1",)),) * 2)
    first = replace(first, text="аа1 " + first.text)
    wrong = replace(_material(2), questions=(Question("Что это такое?", ("нет такого",)),))
    copy = replace(first, id="m3", document="copy")
    [cleaned], dropped = clean([Source("проба", "Apache-2.0", (first, wrong, copy), {})])
    assert [len(material.questions) for material in cleaned.materials] == [1, 0]
    assert sorted(n for n in dropped.values() if n) == [1, 1, 1]
    assert LIMIT == 0.7


def test_neighbours_are_those_that_the_search_finds_for_the_questions():
    found = {"что 0?": ["m1", "m2", "m3"], "что 7?": ["m3", "m1", "m2"]}
    near = neighbours([_material(1)], lambda question: found[question.partition(" ")[2]])
    assert near == {"m1": ["m3", "m2"]}


def test_a_data_set_is_split_by_document_and_says_what_it_holds(tmp_path: Path):
    source = Source("проба", "Apache-2.0", tuple(_material(number) for number in range(60)), {"плохо": 2})
    every = [material.id for material in source.materials]
    build([source], Recipe("проба", "кодировщик", passes=2), lambda question: every[:24], tmp_path)
    card = read_card(tmp_path)
    train, dev = (list(read_lessons(tmp_path / f"{part}.jsonl")) for part in ("train", "dev"))
    shown = [{passage.title for lesson in part for passage in lesson.passages} for part in (train, dev)]
    assert not shown[0] & shown[1]
    assert shown[1] == {m.title for m in source.materials if is_dev(m.document)}
    assert card.train.lessons == len(train)
    assert (card.licences, card.dropped["плохо"], card.passes) == (("Apache-2.0",), 2, 2)
    assert "Apache-2.0" in (tmp_path / "card.md").read_text(encoding="utf-8")


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path):
    source = Source("проба", "Apache-2.0", tuple(_material(number) for number in range(60)), {})
    cards = [
        build([source], Recipe("проба", "кодировщик"), lambda question: ["m1", "m2"], tmp_path / name)
        for name in ("one", "two")
    ]
    assert cards[0] == cards[1]


def test_too_little_to_learn_from_says_what_to_add(tmp_path):
    with pytest.raises(InvalidRequest, match="--pairs"):
        build([Source("проба", "Apache-2.0", (_material(1),), {})], Recipe("п", "к"), lambda q: [], tmp_path)
