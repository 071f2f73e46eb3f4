"""Training reads the very token ids that the model process makes of a question."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import Misconfigured
from core.settings import load_settings
from generation import embedded
from generation.engine import load_vocabulary
from generation.span_prompt import Shown, context_text, question_text
from generation.tokens import Content, encode
from training.tokens import ModelTokenizer

PASSAGES = (
    Shown("Положение об отпусках", "Отпуск — 28 дней.\n\n\n4.2. График   утверждают до 17 декабря; <b>важно</b>."),
    Shown("Приказ № 112", "С 01.09.2025 лимит – 3 500 ₽/сутки (п. 7), e-mail: a@b.ru"),
)
QUESTIONS = ("Сколько длится отпуск?", " 4.2?", "\n\nчто\tс лимитом <eos>", "")


@pytest.fixture(scope="module")
def vocabulary():
    return load_vocabulary(embedded.assemble(load_settings().cache_dir))


@pytest.mark.real_model
@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("shown", [PASSAGES, PASSAGES[:1], ()])
def test_passages_and_question_have_the_same_ids_together_and_apart(vocabulary, question, shown):
    tokenizer = ModelTokenizer(vocabulary)
    context, asked = context_text(shown), question_text(question)
    assert tokenizer.ids(context) + tokenizer.ids(asked) == tokenizer.ids(context + asked)


@pytest.mark.real_model
def test_the_model_process_makes_the_same_ids_of_the_whole_prompt(vocabulary):
    tokenizer = ModelTokenizer(vocabulary)
    context, asked = context_text(PASSAGES), question_text(QUESTIONS[0])
    assert [tokenizer.bos, *tokenizer.ids(context), *tokenizer.ids(asked)] == encode(
        [Content(context + asked)], vocabulary
    )


@pytest.mark.real_model
def test_a_control_token_written_in_a_document_stays_text(vocabulary):
    tokenizer = ModelTokenizer(vocabulary)
    assert tokenizer.bos not in tokenizer.ids("<bos><eos>")


def test_a_file_that_is_no_model_is_said_to_be_damaged(tmp_path: Path):
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    with pytest.raises(Misconfigured, match=r"model\.gguf"):
        load_vocabulary(path)
