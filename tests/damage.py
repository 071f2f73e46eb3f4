"""Files damaged at random, in ways that readers meet: the same ones in `make test`, others with each `make fuzz`."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "150"))
SEED = os.environ.get("FUZZ_SEED")
"""None where the examples are to be the same each time."""

_ODD = (
    b"PK\x03\x04",
    b"%PDF-1.7",
    b"\xff\xfe",
    b"\x00",
    b"[" * 5000,
    b"9" * 400,
    b"<a " * 50,
    b"&x;",
    b"]]>",
    b"\xed\xa0\x80",
)


def _damaged(draw: st.DrawFn, content: bytes) -> bytes:
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 64)))
        kind = draw(st.sampled_from(("replace", "cut", "delete", "repeat", "insert")))
        content = {
            "replace": content[:start] + draw(st.binary(max_size=8)) + content[start + 8 :],
            "cut": content[:start],
            "delete": content[:start] + content[end:],
            "repeat": content[:end] + content[start:end] * 20 + content[end:],
            "insert": content[:start] + draw(st.sampled_from(_ODD)) + content[start:],
        }[kind]
    return content


def _with_damaged_member(draw: st.DrawFn, content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(out, "w") as target:
        chosen = draw(st.sampled_from(source.namelist()))
        for name in source.namelist():
            member = source.read(name)
            target.writestr(name, _damaged(draw, member) if name == chosen else member)
    return out.getvalue()


@st.composite
def damaged_files(draw: st.DrawFn, content: bytes) -> bytes:
    """The file, or one member of an archive, with one to four wounds: cut, torn, repeated, replaced, poisoned."""
    inside = content.startswith(b"PK") and draw(st.booleans())
    return (_with_damaged_member if inside else _damaged)(draw, content)


def fuzz(check: Callable[[bytes], None], content: bytes, *, examples: int = EXAMPLES) -> None:
    """Hold a check against so many damaged copies of a file; raises what it raises, for the smallest found."""
    run = settings(
        max_examples=examples,
        derandomize=SEED is None,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )(given(damaged_files(content))(check))
    (run if SEED is None else seed(int(SEED))(run))()
