"""The fast backend: the model quantised to int8 and run by OpenVINO. The only module that imports it or nncf."""

from __future__ import annotations

import ctypes
import json
import logging
import multiprocessing
import signal
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from functools import cached_property
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import openvino as ov
from tokenizers import Tokenizer

from core.errors import Misconfigured, ServiceError
from core.types import Problem
from retrieval.embedding.artifact import build_model

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from retrieval.embedding.encoder import Weights

# Raise it when the conversion below changes, so that kept results of the older one are made again.
CONVERSION = 2
BATCH = 16
# How much of the activations' outliers smoothing moves into the weights. nncf's default of 0.95 costs e5 twice the
# error: on Russian questions a cosine to float32 of 0.9978 instead of 0.9989.
SMOOTHING = 0.7
INT8_FLAGS = frozenset({"avx512_vnni", "avx_vnni", "amx_int8", "i8mm"})

PR_SET_PDEATHSIG = 1
LENGTH_STEP = 16

log = logging.getLogger(__name__)


class OpenVinoEncoder:
    """One model compiled on first use: for the latency of a question and, on several threads, for passages in parallel.

    A compiled model takes half a gigabyte, so one thread, which gains nothing from the second, makes do with the first.
    """

    def __init__(self, weights: Weights, converted: Path, *, threads: int) -> None:
        shape = json.loads((converted / "shape.json").read_text(encoding="utf-8"))
        self._weights = weights
        self._path = converted / "model.xml"
        self._threads = threads
        self._dimension = int(shape["dimension"])
        self._max_tokens = int(shape["max_tokens"])
        self._tokenizer = Tokenizer.from_file(str(converted / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self._max_tokens)
        self._query_lock = threading.Lock()
        self._passage_lock = threading.Lock()

    @classmethod
    def load(cls, weights: Weights, *, cache_dir: Path, threads: int) -> OpenVinoEncoder:
        """Convert the weights if this version of everything did not do so before, then load them."""
        precision = "int8" if has_int8_instructions() else "float"
        versions = f"{CONVERSION}-{version('openvino')}-{version('nncf')}"
        target = cache_dir / "models" / f"openvino-{precision}-{weights.fingerprint}-{versions}"
        try:
            return cls(weights, build_model(target, lambda aside: _convert_apart(weights, aside)), threads=threads)
        except ServiceError:
            raise
        except Exception as exc:
            raise Misconfigured(
                "embedding_backend",
                f"OpenVINO не может выполнить модель эмбеддингов {weights.name}: {exc}. "
                "Задайте ZNAYKA_EMBEDDING_BACKEND=sentence_transformers.",
            ) from exc

    @property
    def name(self) -> str:
        """Model as the settings name it."""
        return self._weights.name

    @property
    def fingerprint(self) -> str:
        """Identity of the weights, whichever backend runs them."""
        return self._weights.fingerprint

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._dimension

    @property
    def max_tokens(self) -> int:
        """Longest text that is read whole."""
        return self._max_tokens

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of questions, (n, dimension), one after another: a question comes alone."""
        vectors = np.empty((len(texts), self._dimension), np.float32)
        with self._query_lock:
            for row, ids in enumerate(self._tokens(texts, self._weights.query_prompt)):
                vectors[row] = self._query_request.infer(_batch([ids], self._max_tokens))[0][0]
        return vectors

    def encode_passages(
        self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """Vectors of passages, (n, dimension), computed in batches of like length, several at once."""
        tokens = self._tokens(texts, self._weights.passage_prompt)
        vectors = np.empty((len(texts), self._dimension), np.float32)
        done = 0

        def keep(request: Any, rows: list[int]) -> None:
            nonlocal done
            vectors[rows] = request.get_output_tensor(0).data
            done += len(rows)
            if on_progress:
                on_progress(done)

        with self._passage_lock:
            queue = self._passage_queue
            queue.set_callback(keep)
            for rows in batches([len(ids) for ids in tokens], parallel=len(queue)):
                queue.start_async(_batch([tokens[row] for row in rows], self._max_tokens), rows)
            queue.wait_all()
        return vectors

    def _tokens(self, texts: Sequence[str], prompt: str) -> list[list[int]]:
        return [encoded.ids for encoded in self._tokenizer.encode_batch_fast([prompt + text for text in texts])]

    @cached_property
    def _query_model(self) -> Any:
        return self._compile("LATENCY")

    @cached_property
    def _query_request(self) -> Any:
        return self._query_model.create_infer_request()

    @cached_property
    def _passage_queue(self) -> Any:
        return ov.AsyncInferQueue(self._compile("THROUGHPUT") if self._threads > 1 else self._query_model)

    def _compile(self, hint: str) -> Any:
        options = {
            "PERFORMANCE_HINT": hint,
            "INFERENCE_NUM_THREADS": self._threads,
            "ENABLE_CPU_PINNING": False,
        }
        return ov.Core().compile_model(str(self._path), "CPU", options)


def batches(lengths: Sequence[int], *, parallel: int) -> list[list[int]]:
    """Split rows into batches of like length, longest first; small inputs still give work to `parallel` requests."""
    size = max(1, min(BATCH, -(-len(lengths) // max(1, parallel))))
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    return [order[start : start + size] for start in range(0, len(order), size)]


def _batch(tokens: list[list[int]], max_tokens: int) -> dict[str, NDArray[np.int64]]:
    """Ids and mask, (batch, length); what is padded is masked, so its id does not matter.

    Lengths go in steps, because the library keeps prepared code for every shape that it has met.
    """
    longest = max(map(len, tokens))
    ids = np.zeros((len(tokens), min(max_tokens, -(-longest // LENGTH_STEP) * LENGTH_STEP)), np.int64)
    mask = np.zeros_like(ids)
    for row, text in enumerate(tokens):
        ids[row, : len(text)] = text
        mask[row, : len(text)] = 1
    return {"input_ids": ids, "attention_mask": mask}


def has_int8_instructions() -> bool:
    """Whether this processor multiplies bytes natively.

    Without such instructions (VNNI, AMX, I8MM) int8 is no faster than float32 and may overflow: the model stays float.
    """
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.is_file() and not INT8_FLAGS.isdisjoint(cpuinfo.read_text(encoding="utf-8").split())


def _convert_apart(weights: Weights, target: Path) -> None:
    """Convert in a process of its own: torch and nncf would hold a gigabyte for as long as this one lives."""
    log.info("converting %s for this processor (once, about half a minute)", weights.name)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn, initializer=_die_with_parent) as pool:
        problem = pool.submit(_convert_or_tell, weights.folder, target).result()
    if problem is not None:
        raise Misconfigured(problem.code, problem.detail)


def _convert_or_tell(folder: Path, target: Path) -> Problem | None:
    """Run in the child; our errors come back as values because they do not survive pickling."""
    try:
        convert(folder, target, has_int8_instructions())
    except ServiceError as exc:
        return Problem(exc.code, exc.detail)
    return None


def _die_with_parent() -> None:
    """Have the kernel end this process with the one that started it: nobody else would want its result."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def convert(folder: Path, target: Path, is_int8: bool) -> None:
    """Write the graph, the tokenizer and the shape of a sentence-transformers folder into `target`.

    int8 is calibrated post-training quantisation of weights and activations, with smoothing for transformers.
    """
    # Heavy, and needed in the converting process only.
    from retrieval.embedding.sentence_transformers import export

    exported = export(folder, target)
    model = ov.convert_model(exported.module, example_input=exported.example)
    if is_int8:
        model = _quantise(model, Tokenizer.from_file(str(target / "tokenizer.json")), exported.max_tokens)
    ov.save_model(model, str(target / "model.xml"))
    shape = {"dimension": exported.dimension, "max_tokens": exported.max_tokens}
    (target / "shape.json").write_text(json.dumps(shape), encoding="utf-8")


def _quantise(model: Any, tokenizer: Any, max_tokens: int) -> Any:
    import nncf
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, AdvancedSmoothQuantParameters

    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    texts = files(__package__).joinpath("calibration.txt").read_text(encoding="utf-8").splitlines()
    tokens = [tokenizer.encode(text).ids for text in texts]
    dataset = nncf.Dataset(tokens, lambda ids: _batch([ids], len(ids)))  # padding would blur what is measured
    return nncf.quantize(
        model,
        dataset,
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(texts),
        advanced_parameters=AdvancedQuantizationParameters(
            smooth_quant_alphas=AdvancedSmoothQuantParameters(matmul=SMOOTHING)
        ),
    )
