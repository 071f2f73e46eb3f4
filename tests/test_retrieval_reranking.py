"""A real cross-encoder, of two tiny layers, orders the first passages by its scores; bad ones are refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import CrossEncoder, SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
    XLMRobertaModel,
)

from cli.service_checks import check_reranker
from core.errors import Misconfigured
from core.settings import Settings
from retrieval.embedding.encoder import Backend, make_encoder
from retrieval.reranking import Reranker, make_reranker
from retrieval.searcher import Searcher
from retrieval.vector_index import VectorIndex
from tests.small_base import EVERYONE, SmallBase, WordEncoder

pytestmark = pytest.mark.real_model

QUESTION = "отпуск по графику"
TEXTS = [f"Отпуск номер {number} дают по графику {'и приказу ' * number}" for number in range(6)]


def tokenizer() -> PreTrainedTokenizerFast:
    """Words of the texts above, each a token, between `<s>` and `</s>` as XLM-R has them."""
    words = sorted({word for text in [QUESTION, *TEXTS] for word in text.split()})
    vocabulary = {piece: id_ for id_, piece in enumerate(["<s>", "<pad>", "</s>", "<unk>", *words])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=False)
    named = {"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>"}
    return PreTrainedTokenizerFast(
        tokenizer_object=made, **named, pad_token="<pad>", unk_token="<unk>", model_max_length=64
    )


def config(labels: int = 1) -> XLMRobertaConfig:
    return XLMRobertaConfig(
        vocab_size=64,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=80,
        type_vocab_size=1,
        initializer_range=0.5,  # far apart, so that no two scores are equal
        num_labels=labels,
    )


def save_cross_encoder(folder: Path, labels: int = 1, *, is_safe: bool = True) -> Path:
    torch.manual_seed(3)
    model = XLMRobertaForSequenceClassification(config(labels))
    if is_safe:
        model.save_pretrained(folder)
    else:
        folder.mkdir()
        model.config.save_pretrained(folder)
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
    tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture
def reranker(tmp_path: Path) -> Reranker:
    folder = save_cross_encoder(tmp_path / "cross")
    made = make_reranker(str(folder), cache_dir=tmp_path, limit=4, max_tokens=64, threads=1)
    assert made is not None
    return made


@pytest.fixture
def base(tmp_path: Path) -> Iterator[SmallBase]:
    base = SmallBase(tmp_path)
    for text in TEXTS:
        base.add(text)
    yield base
    base.close()


def found(base: SmallBase, reranker: Reranker | None) -> list[str]:
    index = VectorIndex(base.index_folder)
    searcher = Searcher(base.database, WordEncoder(), index, dense_weight=0.5, reranker=reranker)
    return [one.text for one in searcher.search(QUESTION, principal=EVERYONE, collection=None, top_k=6).passages]


def test_the_first_passages_follow_its_scores_and_the_rest_stay(
    base: SmallBase, reranker: Reranker, tmp_path: Path
) -> None:
    before = found(base, None)
    after = found(base, reranker)
    own = CrossEncoder(str(tmp_path / "cross"), device="cpu")
    titles = {text: f"{number}" for number, text in enumerate(TEXTS)}
    judged = own.predict([(QUESTION, f"{titles[text]}\n{text}") for text in before[:4]])
    assert after[:4] == [before[row] for row in np.argsort(-judged)]
    assert after[:4] != before[:4]
    assert after[4:] == before[4:]


def test_a_long_pair_is_cut_and_not_refused(reranker: Reranker) -> None:
    assert np.isfinite(reranker.model.scores(QUESTION, [TEXTS[1] * 100])).all()
    assert reranker.model.scores(QUESTION, []).shape == (0,)


def test_none_is_made_when_the_setting_is_empty(tmp_path: Path) -> None:
    assert make_reranker("", cache_dir=tmp_path, limit=4, max_tokens=64, threads=1) is None


def refusal(model: str, cache_dir: Path) -> str:
    with pytest.raises(Misconfigured) as raised:
        make_reranker(model, cache_dir=cache_dir, limit=4, max_tokens=64, threads=1)
    return raised.value.detail


def test_what_cannot_be_a_reranker_is_refused_with_the_setting(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    three = save_cross_encoder(tmp_path / "three", labels=3)
    pickled = save_cross_encoder(tmp_path / "pickled", is_safe=False)
    for model in (tmp_path / "нет", tmp_path / "empty", three, pickled):
        assert "ZNAYKA_RERANKER" in refusal(str(model), tmp_path)


def test_the_doctor_knows_it(tmp_path: Path) -> None:
    folder = save_cross_encoder(tmp_path / "cross")
    levels = [
        check_reranker(Settings(cache_dir=tmp_path, reranker=name)).level
        for name in ("", str(folder), "BAAI/bge-reranker-v2-m3", str(tmp_path / "нет"))
    ]
    assert [str(level) for level in levels] == [str(levels[0]), str(levels[0]), *map(str, levels[2:])]
    assert len({str(level) for level in levels}) == 3


@pytest.mark.parametrize("backend", ["openvino", "sentence_transformers"])
def test_a_model_that_takes_its_first_token_is_pooled_so_by_both_backends(tmp_path: Path, backend: Backend) -> None:
    """As bge-m3, USER-bge-m3 and FRIDA do: their folder says so, and no prefix or one of the family's name."""
    torch.manual_seed(5)
    XLMRobertaModel(config()).save_pretrained(tmp_path / "plain")
    tokenizer().save_pretrained(tmp_path / "plain")
    transformer = Transformer(str(tmp_path / "plain"))
    pooled = {}
    for mode in ("cls", "mean"):
        folder = tmp_path / mode / "bge-m3"
        pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode=mode)
        SentenceTransformer(modules=[transformer, pooling], device="cpu").save(str(folder))
        encoder = make_encoder(str(folder), backend=backend, cache_dir=tmp_path / f"cache-{mode}", threads=1)
        pooled[mode] = encoder.encode_queries([QUESTION])[0]
        inputs = tokenizer()(QUESTION, return_tensors="pt")
        with torch.no_grad():
            tokens = transformer.auto_model(**inputs).last_hidden_state[0]
        expected = (tokens[0] if mode == "cls" else tokens.mean(dim=0)).numpy()
        assert pooled[mode] @ expected / np.linalg.norm(expected) > 0.9
    assert pooled["cls"] @ pooled["mean"] < 0.99
