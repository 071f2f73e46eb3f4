"""One llama.cpp model in one context: token ids in, text out. The only module that imports llama_cpp."""

from __future__ import annotations

import ctypes
import logging
import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psutil
from jinja2 import TemplateError

from core.errors import InvalidRequest, Misconfigured, TryLater
from generation.constraint import masking
from generation.generation import Generation
from generation.likelihoods import Likelihoods
from generation.sampling import Sampling, Timings
from generation.tokens import Special

# libgomp reads this when llama.cpp loads it. By default threads spin for milliseconds at every barrier: beside
# another busy process (ingest) on two cores that made decoding nine times slower (1.9 instead of 17 tokens/s).
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import llama_cpp

log = logging.getLogger(__name__)

BATCH_TOKENS = 512
GGML_ERROR = 4
LONGEST_PIECE_BYTES = 256
MARKER_ATTRIBUTES = llama_cpp.LLAMA_TOKEN_ATTR_CONTROL | llama_cpp.LLAMA_TOKEN_ATTR_UNKNOWN


@llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
def _forward_log(level: int, text: bytes, _user_data: Any) -> None:
    log.log(logging.ERROR if level == GGML_ERROR else logging.DEBUG, "%s", text.decode(errors="replace").rstrip())


class LlamaVocabulary:
    """The `Vocabulary` of a loaded model: immutable, so any thread may ask it at any time."""

    def __init__(self, llama: llama_cpp.Llama) -> None:
        self._llama = llama
        self._vocab = llama._model.vocab
        self._buffer_type = ctypes.c_char * LONGEST_PIECE_BYTES
        self.architecture = str(llama.metadata.get("general.architecture", ""))
        self.template: str | None = llama.metadata.get("tokenizer.chat_template")
        self.adds_bos = bool(llama_cpp.llama_vocab_get_add_bos(self._vocab))
        self._markers = MappingProxyType(dict(self._find_markers()))

    def __len__(self) -> int:
        return int(llama_cpp.llama_vocab_n_tokens(self._vocab))

    @property
    def markers(self) -> Mapping[str, int]:
        """Control tokens by their text, and what ends a turn, and what the model's own template writes."""
        return self._markers

    def special(self, role: Special) -> int:
        """Id of a special token; -1 where the vocabulary has none."""
        ask = {
            Special.BOS: llama_cpp.llama_vocab_bos,
            Special.EOS: llama_cpp.llama_vocab_eos,
            Special.NEWLINE: llama_cpp.llama_vocab_nl,
        }
        return int(ask[role](self._vocab))

    def tokenize(self, text: str) -> list[int]:
        """Ids of plain text: no marker is looked for, no BOS added."""
        return list(self._llama.tokenize(text.encode(errors="replace"), add_bos=False, special=False))

    def piece(self, token: int) -> bytes:
        """Bytes of one token. llama-cpp-python's own cuts at 32, fewer than many Russian words have."""
        buffer = self._buffer_type()
        size = llama_cpp.llama_token_to_piece(self._vocab, token, buffer, LONGEST_PIECE_BYTES, 0, True)
        return buffer.raw[: max(size, 0)]

    def text(self, token: int) -> str:
        """How the vocabulary writes a control token; empty for -1."""
        return self.piece(token).decode(errors="replace") if token >= 0 else ""

    def ends_turn(self, token: int) -> bool:
        """Whether the model says with this token that it has finished."""
        return bool(llama_cpp.llama_vocab_is_eog(self._vocab, token))

    def _find_markers(self) -> Iterator[tuple[str, int]]:
        for token in range(len(self)):
            attributes = llama_cpp.llama_vocab_get_attr(self._vocab, token)
            is_user_defined = attributes & llama_cpp.LLAMA_TOKEN_ATTR_USER_DEFINED
            if attributes & MARKER_ATTRIBUTES or self.ends_turn(token) or is_user_defined:
                text = llama_cpp.llama_vocab_get_text(self._vocab, token).decode(errors="replace")
                # Gemma defines whole HTML tags and runs of newlines so: those stay text.
                if text.strip() and (not is_user_defined or self.ends_turn(token) or text in (self.template or "")):
                    yield text, token


def c_library() -> Any:
    """llama.cpp's own functions, its log sent to ours, for what runs no model: writing files."""
    llama_cpp.llama_log_set(_forward_log, ctypes.c_void_p(0))
    return llama_cpp


def load_vocabulary(path: Path) -> LlamaVocabulary:
    """The tokenizer of a model file without its weights. Raises `Misconfigured` when llama.cpp cannot read the file."""
    llama_cpp.llama_log_set(_forward_log, ctypes.c_void_p(0))
    try:
        return LlamaVocabulary(llama_cpp.Llama(str(path), vocab_only=True, verbose=False))
    except (ValueError, RuntimeError, OSError, AssertionError, TemplateError) as exc:
        detail = f"llama.cpp не смог прочитать словарь из {path}: файл повреждён. Проверьте: znayka models verify."
        raise Misconfigured("model_unloadable", detail) from exc


class Engine:
    """Owns one `Llama`: call `generate` from one thread at a time; `vocabulary` and `count` from any."""

    def __init__(self, path: Path, *, context_tokens: int, threads: int = 0, adapter: Path | None = None) -> None:
        """Load the model; `threads` 0 takes physical cores to decode and all cores to read the prompt.

        `adapter` is a LoRA in GGUF that stays on for the engine's life.
        Raises `Misconfigured` when the file is not a GGUF that llama.cpp can load.
        """
        llama_cpp.llama_log_set(_forward_log, ctypes.c_void_p(0))
        cores = len(os.sched_getaffinity(0))
        try:
            self._llama = llama_cpp.Llama(
                str(path),
                lora_path=str(adapter) if adapter else None,
                n_ctx=context_tokens,
                n_batch=BATCH_TOKENS,
                n_threads=threads or min(cores, psutil.cpu_count(logical=False) or cores),
                n_threads_batch=threads or cores,
                swa_full=True,  # without it a sliding-window model cannot keep a prefix
                verbose=False,
            )
        except (ValueError, RuntimeError, OSError, AssertionError, TemplateError) as exc:
            detail = (
                f"llama.cpp не смог загрузить {path}: файл повреждён или не хватает памяти. Проверьте его командой "
                "`znayka models verify`; если он цел, выберите модель меньше: `znayka models list`."
            )
            raise Misconfigured("model_unloadable", detail) from exc
        self.context_tokens = int(self._llama.n_ctx())
        self.vocabulary = LlamaVocabulary(self._llama)

    def count(self, text: str) -> int:
        """Tokens that `text` takes in a prompt."""
        return len(self.vocabulary.tokenize(text))

    def check_fits(self, prompt: Sequence[int]) -> None:
        """Raise `InvalidRequest` unless the prompt leaves room for an answer's first token."""
        if len(prompt) >= self.context_tokens:
            raise InvalidRequest(
                "context_overflow",
                f"Запрос занимает {len(prompt)} токенов, а модель читает не больше {self.context_tokens - 1}. "
                "Сократите вопрос, историю или число отрывков.",
            )

    def generate(self, prompt: Sequence[int], sampling: Sampling, is_cancelled: Callable[[], bool]) -> Generation:
        """Prepare to continue `prompt`; iterate over the result to run it. Raises `InvalidRequest`."""
        self.check_fits(prompt)
        return Generation(_Decoding(self._llama, self.vocabulary, prompt, sampling, is_cancelled))

    def forget(self) -> tuple[str, ...]:
        """Drop what was read for earlier prompts, its bytes too; a job of the slot that says nothing."""
        self._llama.reset()  # type: ignore[no-untyped-call]
        self._llama.input_ids[:] = 0
        self._llama._ctx.kv_cache_clear()  # type: ignore[no-untyped-call]
        return ()

    def close(self) -> None:
        """Free the model's memory."""
        self._llama.close()


class _Decoding:
    """llama.cpp at work on one answer: a `generation.generation.Decoding`."""

    def __init__(
        self,
        llama: llama_cpp.Llama,
        vocabulary: LlamaVocabulary,
        prompt: Sequence[int],
        sampling: Sampling,
        is_cancelled: Callable[[], bool],
    ) -> None:
        self._llama = llama
        self._prompt = prompt
        self.vocabulary = vocabulary
        self.sampling = sampling
        self.is_cancelled = is_cancelled
        self.likelihoods = None if sampling.alternatives is None else Likelihoods(sampling.alternatives)
        self.timings = Timings(len(prompt), reused_tokens=0)
        self.room_tokens = int(llama.n_ctx()) - len(prompt)

    def tokens(self) -> Generator[int, None, None]:
        """Tokens as llama.cpp gives them, timed; ends early when cancelled during the prefill."""
        sampling = self.sampling
        _switch_adapter(self._llama, is_on=sampling.is_taught)
        self._llama.set_seed(llama_cpp.LLAMA_DEFAULT_SEED if sampling.seed is None else sampling.seed)
        self.timings.reused_tokens = self._common_prefix()
        tokens = self._llama.generate(
            self._prompt,
            temp=sampling.temperature,
            top_k=sampling.top_k,
            top_p=sampling.top_p,
            min_p=0.0,
            repeat_penalty=sampling.repeat_penalty,
            logits_processor=self._processors(),
        )
        try:
            yield from self._timed(tokens)
        finally:
            tokens.close()
            _let_go(self._llama)

    def _timed(self, tokens: Iterator[int]) -> Generator[int, None, None]:
        started = time.perf_counter()
        first = self._prefill(tokens)
        self.timings.prefill_ms = (time.perf_counter() - started) * 1000
        if first is None:
            self.timings.finish_reason = "cancelled"
            return
        decoding = time.perf_counter()
        self.timings.completion_tokens = 1
        yield first
        while True:
            try:
                token = next(tokens)
            except RuntimeError as exc:
                raise _failed() from exc
            self.timings.completion_tokens += 1
            self.timings.decode_ms = (time.perf_counter() - decoding) * 1000
            yield token

    def _processors(self) -> llama_cpp.LogitsProcessorList | None:
        constraint = self.sampling.constraint
        found = [self.likelihoods.note] if self.likelihoods else []
        return llama_cpp.LogitsProcessorList([*found, *([masking(constraint)] if constraint else [])]) or None

    def _prefill(self, tokens: Iterator[int]) -> int | None:
        """The first token, or None when cancelled: reading a long prompt takes up to minutes.

        llama.cpp asks the callback between operations whether to stop. It is set for the prefill alone, because
        it costs a call into Python for each operation, and decoding is asked at every token anyway.
        """
        callback = llama_cpp.ggml_abort_callback(lambda _data: self.is_cancelled())
        llama_cpp.llama_set_abort_callback(self._llama.ctx, callback, None)
        try:
            return next(tokens)
        except RuntimeError as exc:
            # What was read before the last batch stays reusable, its logits do not.
            self._llama._requires_eval = True
            if self.is_cancelled():
                return None
            raise _failed() from exc
        finally:
            llama_cpp.llama_set_abort_callback(self._llama.ctx, llama_cpp.ggml_abort_callback(), None)

    def _common_prefix(self) -> int:
        held = self._llama.input_ids[: self._llama.n_tokens].tolist()
        pairs = zip(held, self._prompt[:-1], strict=False)
        return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(held), len(self._prompt) - 1))


def _switch_adapter(llama: llama_cpp.Llama, *, is_on: bool) -> None:
    """Set the strength of the adapter, if there is one; what was read with another strength is of no use."""
    if llama._lora_adapter is None or llama.lora_scale == float(is_on):
        return
    adapters = (llama_cpp.llama_adapter_lora_p_ctypes * 1)(llama._lora_adapter)  # type: ignore[misc]
    if llama_cpp.llama_set_adapters_lora(llama.ctx, adapters, 1, (ctypes.c_float * 1)(float(is_on))):
        raise _failed()
    llama.lora_scale = float(is_on)
    llama.reset()  # type: ignore[no-untyped-call]


def _let_go(llama: llama_cpp.Llama) -> None:
    """Free what chose the tokens, some megabytes an answer, now: it holds itself, and Python looks for such seldom."""
    sampler, llama._sampler = llama._sampler, None
    if sampler is not None:
        sampler.close()
        for _, custom in sampler.custom_samplers:
            vars(custom).clear()


def _failed() -> TryLater:
    return TryLater("model_failed", "Модель прервала работу. Повторите вопрос.", retry_after_s=5)
