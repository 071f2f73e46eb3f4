"""The sets that this package carries: texts of our own, and questions of our own on others' texts.

Of others' texts only character offsets are kept; they are joined with the user's own copy, whose licence goes with it.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from core.errors import InvalidRequest
from training.material import Material, Question, checked, material_of, read_xquad

_HASH_CHARS = 16


@dataclass(frozen=True, slots=True)
class Source:
    """Materials that came together, and on which terms."""

    name: str
    licence: str
    materials: tuple[Material, ...]
    dropped: Mapping[str, int]  # questions that were left out, by why, in Russian


def our_texts() -> Iterator[Source]:
    """Company papers and encyclopedia articles, made up or written for this.

    Of the first sets each passage is a document of its own; `articles` and `papers` have several passages a document.
    """
    for name in ("company", "encyclopedia"):
        found = (material_of(row) for row in _rows(name))
        materials = tuple(checked(replace(material, document=material.id)) for material in found)
        yield Source(f"Знайка, {name}", "Apache-2.0", materials, {})
    for name in ("articles", "papers"):
        yield Source(f"Знайка, {name}", "Apache-2.0", tuple(checked(material_of(row)) for row in _rows(name)), {})


def xquad(folder: Path) -> Source:
    """The `train` articles of XQuAD in Russian with its questions and ours; those of `dev` are never read.

    Raises `InvalidRequest` when the folder lacks `xquad.ru.json`, or `split.json` with two lists apart.
    """
    try:
        split = json.loads((folder / "split.json").read_text(encoding="utf-8"))
        train, dev = frozenset(split["train"]), frozenset(split["dev"])
        own = {material.id: material for material in read_xquad(folder / "xquad.ru.json", train)}
    except (OSError, ValueError, KeyError) as exc:
        detail = f"В {folder} нужны файлы xquad.ru.json и split.json со списками train и dev: {exc}."
        raise InvalidRequest("no_xquad", detail) from exc
    if train & dev or any(material.document in dev for material in own.values()):
        detail = f"В {folder / 'split.json'} одни статьи названы и в train, и в dev: учить на проверочных нельзя."
        raise InvalidRequest("mixed_split", detail)
    added = {material.id: material for material in _joined("xquad_ru", {id_: m.text for id_, m in own.items()})}
    materials = tuple(_with(material, added.get(material.id)) for material in own.values())
    return Source("XQuAD-ru, статьи train", "CC BY-SA 4.0", materials, {})


def knowledge_base(archive: Path) -> Source:
    """Our questions on files of the Yandex Cloud documentation. Raises `InvalidRequest` when it cannot be read."""
    rows = list(_rows("yandex_cloud_ru"))
    wanted = {row["id"].partition("@")[0] for row in rows}
    try:
        whole = dict(_members(archive, wanted))
    except (OSError, tarfile.TarError) as exc:
        raise InvalidRequest("no_archive", f"Архив {archive} не читается: {exc}.") from exc
    texts = {row["id"]: _piece(row["id"], whole) for row in rows}
    materials = (replace(m, document=m.title) for m in _joined("yandex_cloud_ru", texts))
    return Source("Документация Yandex Cloud", "CC BY 4.0", tuple(materials), {})


def _rows(name: str) -> Iterator[dict[str, Any]]:
    text = files("training").joinpath(f"data/{name}.jsonl").read_text(encoding="utf-8")
    return (json.loads(line) for line in text.splitlines())


def _joined(name: str, texts: Mapping[str, str]) -> Iterator[Material]:
    """Our questions laid over the user's texts. Raises `InvalidRequest` for a text that is not the one we read."""
    for row in _rows(name):
        text = texts.get(row["id"], "")
        if hashlib.sha256(text.encode()).hexdigest()[:_HASH_CHARS] != row["text_sha256"]:
            detail = f"Текст «{row['id']}» в вашей копии не тот, по которому написаны вопросы. Возьмите исходный файл."
            raise InvalidRequest("other_text", detail)
        asked = tuple(Question(qa["q"], tuple(text[start:end] for start, end in qa["a"])) for qa in row["qas"])
        title = row["id"].partition("@")[0]
        yield Material(row["id"], title.partition("#")[0], title, text, asked, tuple(row["none"]))


def _with(material: Material, added: Material | None) -> Material:
    if added is None:
        return material
    return replace(material, questions=material.questions + added.questions, unanswered=added.unanswered)


def _piece(id_: str, whole: Mapping[str, str]) -> str:
    path, _, place = id_.partition("@")
    start, end = map(int, place.split(":"))
    return whole.get(path, "")[start:end]


def _members(archive: Path, wanted: Iterable[str]) -> Iterator[tuple[str, str]]:
    kept = frozenset(wanted)
    with tarfile.open(archive) as opened:
        for member in opened:
            name = member.name.removeprefix("./")
            file = opened.extractfile(member) if name in kept else None
            if file is not None:
                yield name, file.read().decode("utf-8")
