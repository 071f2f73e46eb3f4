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
UNPICKLING = {
    "pickle",
    "cPickle",
    "_pickle",
    "cloudpickle",
    "dill",
    "joblib",
    "marshal",
    "shelve",
    "langchain_core.load",
}
EVALUATING = {"eval", "exec", "compile"}


def offences(source: str) -> Iterator[str]:
    """What a source does that data could abuse."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names if one.name in UNPICKLING)
        elif isinstance(node, ast.ImportFrom) and node.module in UNPICKLING:
            yield str(node.module)
        elif isinstance(node, ast.Call):
            yield from _call(ast.unparse(node.func), {one.arg: ast.unparse(one.value) for one in node.keywords})


def _call(name: str, given: dict[str | None, str]) -> Iterator[str]:
    is_unsafe = {
        "torch.load": given.get("weights_only") != "True",
        "np.load": given.get("allow_pickle", "False") != "False",
        "numpy.load": given.get("allow_pickle", "False") != "False",
        "yaml.load": True,
        "os.system": True,
    }
    if is_unsafe.get(name) or name in EVALUATING or given.get("shell") == "True":
        yield name


def test_no_module_of_ours_unpickles_or_evaluates() -> None:
    modules = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    assert len(modules) > 250
    found = {str(path.relative_to(ROOT)): list(offences(path.read_text(encoding="utf-8"))) for path in modules}
    assert {path: what for path, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "from langchain_core.load import loads",
        "import torch\ntorch.load(path)",
        "import numpy as np\nnp.load(path, allow_pickle=True)",
        "eval(text)",
        "import subprocess\nsubprocess.run(text, shell=True)",
    ],
)
def test_the_look_at_sources_sees_what_it_looks_for(source: str) -> None:
    assert list(offences(source))


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
encoder = embedded_encoder()
encoder.encode_passages(["Отпуск составляет 28 дней."])
base = SmallBase(Path(sys.argv[1]))
base.add("Отпуск составляет 28 дней.")
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
    script = SCRIPT.format(control=control)
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=300, check=True
    )
    (told,) = [line for line in done.stdout.splitlines() if line.startswith("FOUND")]
    assert (told != "FOUND []") == is_heard
