"""Builds tiny GGUF models for tests: random weights, real architectures, vocabularies with the ids that matter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import gguf
import numpy as np

WIDTH = 32
HEADS = 4
LAYERS = 2
CONTEXT_TOKENS = 16384

SAIGA_WORDS = {"▁user": 1404, "▁system": 1788, "▁bot": 9225}
RUSSIAN = "абвгдеёжзийклмнопрстуфхцчшщъыьэюяАБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ"
LATIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
OTHERS = "0123456789 .,:;!?—-«»()[]<>/|_\"'"

GEMMA_TEMPLATE = """{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- set first_user_prefix = messages[0]['content'] + '\n\n' -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set first_user_prefix = "" -%}
    {%- set loop_messages = messages -%}
{%- endif -%}
{%- for message in loop_messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception("Conversation roles must alternate user/assistant/user/assistant/...") }}
    {%- endif -%}
    {%- set role = "model" if message['role'] == 'assistant' else message['role'] -%}
    {{ '<start_of_turn>' + role + '\n' + (first_user_prefix if loop.first else "") }}
    {{- message['content'] | trim }}
    {{- '<end_of_turn>\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<start_of_turn>model\n' }}{%- endif -%}
"""


@dataclass(frozen=True, slots=True)
class Tokens:
    """A vocabulary: `model` is llama.cpp's word for its kind, `specials` are control tokens by id."""

    model: str
    pieces: tuple[str, ...]
    specials: Mapping[int, str]
    bos: int
    eos: int
    merges: tuple[str, ...] = ()
    pre: str = "default"
    adds_space: bool = True
    user_defined: Mapping[int, str] = field(default_factory=dict)

    def texts(self) -> list[str]:
        """Every token's text, in order of ids."""
        return list(self.pieces)

    def types(self) -> list[gguf.TokenType]:
        """Every token's kind, in order of ids."""
        return [self._type(token, text) for token, text in enumerate(self.pieces)]

    def _type(self, token: int, text: str) -> gguf.TokenType:
        if token in self.specials:
            return gguf.TokenType.UNKNOWN if text == "<unk>" else gguf.TokenType.CONTROL
        if token in self.user_defined:
            return gguf.TokenType.USER_DEFINED
        is_byte = self.model == "llama" and len(text) == 6 and text.startswith("<0x")
        return gguf.TokenType.BYTE if is_byte else gguf.TokenType.NORMAL


def saiga_tokens() -> Tokens:
    """Like LLaMA's SentencePiece: bytes from 3 on (newline is 13), the role words at their ids."""
    return _sentencepiece({0: "<unk>", 1: "<s>", 2: "</s>"}, words=SAIGA_WORDS)


def forgeable_tokens() -> Tokens:
    """The same, but its merges can build `<s>` out of letters."""
    return _sentencepiece({0: "<unk>", 1: "<s>", 2: "</s>"}, words=SAIGA_WORDS, extra=("s>",))


def gemma_tokens() -> Tokens:
    """Like Gemma's: no space put before texts; `<start_of_turn>` is user-defined, `<end_of_turn>` a control token."""
    specials = {0: "<pad>", 1: "<eos>", 2: "<bos>", 3: "<unk>", 4: "<end_of_turn>"}
    return _sentencepiece(specials, words={}, adds_space=False, user_defined={5: "<start_of_turn>"})


def llama3_tokens() -> Tokens:
    """Like Llama 3's byte-level BPE, `\\n\\n` merged into one token."""
    specials = ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
    return _byte_level(specials, pre="llama-bpe")


def nemo_tokens() -> Tokens:
    """Like Mistral Nemo's byte-level BPE with `[INST]` and `[/INST]` as control tokens."""
    return _byte_level(("<s>", "</s>", "<unk>", "[INST]", "[/INST]"), pre="tekken")


def write_model(path: Path, tokens: Tokens, *, arch: str = "llama", template: str | None = None, seed: int = 0) -> Path:
    """Write a model with random weights; the same arguments give the same bytes.

    Control tokens weigh nothing, so that at temperature 0 its text goes on until it is stopped.
    """
    writer = gguf.GGUFWriter(path, arch)
    _add_shape(writer)
    _add_tokens(writer, tokens, template)
    for name, tensor in _tensors(arch, tokens, seed):
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _sentencepiece(
    specials: Mapping[int, str],
    *,
    words: Mapping[str, int],
    extra: Iterable[str] = (),
    adds_space: bool = True,
    user_defined: Mapping[int, str] | None = None,
) -> Tokens:
    fixed = {**specials, **(user_defined or {}), **{token: word for word, token in words.items()}}
    first_byte = max([*specials, *(user_defined or {})]) + 1
    fixed |= {first_byte + n: f"<0x{n:02X}>" for n in range(256)}
    # A merge needs every left part of its word in the vocabulary.
    stems = [word[:n] for word in words for n in range(2, len(word))]
    letters = [*"▁", *OTHERS.replace(" ", ""), *LATIN, *RUSSIAN]
    free = iter(dict.fromkeys([*stems, *extra, *letters]))
    size = max([*fixed, first_byte + 256 + len(letters) + len(stems)]) + 8
    pieces = [fixed[token] if token in fixed else next(free, f"<filler {token}>") for token in range(size)]
    bos, eos = (next(t for t, s in specials.items() if s in names) for names in (("<s>", "<bos>"), ("</s>", "<eos>")))
    return Tokens("llama", tuple(pieces), specials, bos, eos, adds_space=adds_space, user_defined=user_defined or {})


def _byte_level(specials: tuple[str, ...], *, pre: str) -> Tokens:
    alphabet = _byte_alphabet()
    newlines = alphabet[ord("\n")] * 2
    pieces = (*specials, *(alphabet[n] for n in range(256)), newlines)
    merges = (f"{newlines[0]} {newlines[0]}",)
    return Tokens("gpt2", pieces, dict(enumerate(specials)), bos=0, eos=1, merges=merges, pre=pre)


def _byte_alphabet() -> dict[int, str]:
    """GPT-2's letters for bytes: printable ones stand for themselves, the others are moved past 255."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [n for n in range(256) if n not in printable]
    return {n: chr(n) for n in printable} | {n: chr(256 + place) for place, n in enumerate(others)}


def _add_shape(writer: gguf.GGUFWriter) -> None:
    writer.add_context_length(CONTEXT_TOKENS)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(2 * WIDTH)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_key_length(WIDTH // HEADS)
    writer.add_value_length(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_sliding_window(CONTEXT_TOKENS)


def _add_tokens(writer: gguf.GGUFWriter, tokens: Tokens, template: str | None) -> None:
    writer.add_tokenizer_model(tokens.model)
    writer.add_tokenizer_pre(tokens.pre)
    writer.add_token_list(tokens.texts())
    writer.add_token_types(tokens.types())
    if tokens.merges:
        writer.add_token_merges(list(tokens.merges))
    else:
        writer.add_token_scores([-float(token) for token in range(len(tokens.pieces))])
    writer.add_bos_token_id(tokens.bos)
    writer.add_eos_token_id(tokens.eos)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(tokens.adds_space)
    if template is not None:
        writer.add_chat_template(template)


def _tensors(arch: str, tokens: Tokens, seed: int) -> Iterable[tuple[str, np.ndarray]]:
    random = np.random.default_rng(seed)

    def matrix(rows: int, columns: int) -> np.ndarray:
        return random.normal(0, 0.1, (rows, columns)).astype(np.float32)

    vocabulary = len(tokens.pieces)
    embeddings = output = matrix(vocabulary, WIDTH)
    if arch != "gemma3":
        output = matrix(vocabulary, WIDTH)
    output[list(tokens.specials)] = 0
    ones, head_ones = np.ones(WIDTH, np.float32), np.ones(WIDTH // HEADS, np.float32)
    yield "token_embd.weight", embeddings
    yield "output_norm.weight", ones
    if arch != "gemma3":
        yield "output.weight", output
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            yield f"{block}.{name}.weight", matrix(WIDTH, WIDTH)
        for name in ("ffn_gate", "ffn_up"):
            yield f"{block}.{name}.weight", matrix(2 * WIDTH, WIDTH)
        yield f"{block}.ffn_down.weight", matrix(WIDTH, 2 * WIDTH)
        yield f"{block}.attn_norm.weight", ones
        yield f"{block}.ffn_norm.weight", ones
        if arch == "gemma3":
            yield f"{block}.post_attention_norm.weight", ones
            yield f"{block}.post_ffw_norm.weight", ones
            yield f"{block}.attn_q_norm.weight", head_ones
            yield f"{block}.attn_k_norm.weight", head_ones
