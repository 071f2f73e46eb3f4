"""No data is unpickled, evaluated or handed to a shell: looked for in the sources, and listened for at run time."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]["packages"]
FOLDERS = (*PACKAGES, "scripts", "docker")
UNPICKLING = {
    "pickle",
    "cPickle",
    "_pickle",
    "cloudpickle",
    "dill",
    "joblib",
    "jsonpickle",
    "marshal",
    "shelve",
    "langchain_core.load",
}
# Calls by their last word, whatever they are called on.
ALWAYS = {"read_pickle", "unsafe_load", "full_load", "popen", "getoutput"}
EVALUATING = {"eval", "exec", "compile"}  # the built-in ones: a model has a method `eval`
QUALIFIED = EVALUATING | {f"builtins.{one}" for one in EVALUATING} | {"yaml.load", "os.system"}
LOADERS = {"torch", "numpy", "yaml", "os", "builtins"}


def offences(source: str) -> Iterator[str]:
    """What a source does that data could abuse."""
    tree = ast.parse(source)
    called = _names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names if _unpickles(one.name))
        elif isinstance(node, ast.ImportFrom):
            full = (f"{node.module}.{one.name}" for one in node.names)
            yield from (name for name in full if _unpickles(name))
        elif isinstance(node, ast.Call):
            first, dot, rest = ast.unparse(node.func).partition(".")
            name = called.get(first, first) + dot + rest
            yield from _call(name, node)


def _names(tree: ast.AST) -> dict[str, str]:
    """What the names of the modules and functions that data could abuse stand for in a source."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {one.asname: one.name for one in node.names if one.asname}
        elif isinstance(node, ast.ImportFrom) and node.module in LOADERS:
            found |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
    return found


def _unpickles(module: str) -> bool:
    return any(module == one or module.startswith(f"{one}.") for one in UNPICKLING)


def _call(name: str, node: ast.Call) -> Iterator[str]:
    given = {one.arg: ast.unparse(one.value) for one in node.keywords}
    imported = ast.literal_eval(node.args[0]) if node.args and isinstance(node.args[0], ast.Constant) else ""
    is_unsafe = (
        (name == "torch.load" and given.get("weights_only") != "True")
        or (name == "numpy.load" and given.get("allow_pickle", "False") != "False")
        or (name.rsplit(".", 1)[-1] in ALWAYS)
        or name in QUALIFIED
        or given.get("shell", "False") != "False"
        or given.get("trust_remote_code", "False") != "False"
        or (name.rsplit(".", 1)[-1] in {"import_module", "__import__"} and _unpickles(str(imported)))
    )
    if is_unsafe:
        yield name


def test_no_module_of_ours_unpickles_or_evaluates() -> None:
    modules = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    assert len(modules) > 250
    found = {str(path.relative_to(ROOT)): list(offences(path.read_text(encoding="utf-8"))) for path in modules}
    assert {path: what for path, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import pickle as harmless",
        "import marshal",
        "import shelve",
        "import dill",
        "import cloudpickle",
        "from joblib import load",
        "from langchain_core import load",
        "from langchain_core.load import loads",
        "from langchain_core.load.load import loads",
        "import importlib\nimportlib.import_module('pickle')",
        "import torch\ntorch.load(path)",
        "import torch as t\nt.load(path)",
        "from torch import load\nload(path)",
        "import torch\ntorch.load(path, weights_only=False)",
        "import numpy as np\nnp.load(path, allow_pickle=True)",
        "from numpy import load as read\nread(path, allow_pickle=chosen)",
        "import pandas as pd\npd.read_pickle(path)",
        "import yaml\nyaml.load(text)",
        "from yaml import load\nload(text)",
        "eval(text)",
        "exec(text)",
        "import builtins\nbuiltins.eval(text)",
        "from os import system\nsystem(text)",
        "import subprocess\nsubprocess.run(text, shell=True)",
        "import subprocess\nsubprocess.run(text, shell=chosen)",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
    ],
)
def test_the_look_at_sources_sees_what_it_looks_for(source: str) -> None:
    assert list(offences(source))


@pytest.mark.parametrize(
    "source",
    [
        "import re\nre.compile(text)",
        "model.eval()",
        "import torch\ntorch.load(path, weights_only=True, map_location='cpu')",
        "import numpy as np\nnp.load(path, mmap_mode='r')",
        "import json\njson.load(file)",
        "import subprocess\nsubprocess.run([program, text])",
    ],
)
def test_the_look_at_sources_lets_pass_what_is_safe(source: str) -> None:
    assert not list(offences(source))


DOCUMENTS = [path for path in (ROOT / "examples").iterdir() if path.suffix in {".docx", ".md", ".pdf"}]

SCRIPT = """
import sys
found = []
sys.addaudithook(lambda event, told: found.append(told) if event == "pickle.find_class" else None)
{control}
from pathlib import Path
from core.types import Principal
from retrieval.searcher import Searcher
from retrieval.vector_index import VectorIndex
from tests.embedded_encoder import embedded_encoder
from tests.small_base import SmallBase, WordEncoder
from ingest.limits import Limits
from ingest.readers import read
encoder = embedded_encoder()
documents = [Path("examples") / name for name in {documents!r}]
texts = [read(path, path.name, Limits(), lambda done, total: None).pages[0].text[:1500] for path in documents]
assert all(text.strip() for text in texts)
encoder.encode_passages(texts)
encoder.encode_queries(["отпуск"])
base = SmallBase(Path(sys.argv[1]))
for text in ("Отпуск составляет 28 дней.", *texts):
    base.add(text)
base.compact()
index = VectorIndex(base.index_folder)
hits = Searcher(base.database, WordEncoder(), index, dense_weight=0.5).search(
    "отпуск", principal=Principal("test"), collection=None, top_k=3
)
assert hits.passages
print("FOUND", found)
"""


@pytest.mark.real_model
@pytest.mark.parametrize(
    ("control", "is_heard"), [("", False), ("import pickle; pickle.loads(b'cos\\ngetcwd\\n.')", True)]
)
def test_loading_the_encoder_the_base_and_the_index_unpickles_nothing(tmp_path, control, is_heard) -> None:
    assert {path.suffix for path in DOCUMENTS} == {".docx", ".md", ".pdf"}
    script = SCRIPT.format(control=control, documents=[path.name for path in DOCUMENTS])
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=300, check=True
    )
    (told,) = [line for line in done.stdout.splitlines() if line.startswith("FOUND")]
    assert (told != "FOUND []") == is_heard
