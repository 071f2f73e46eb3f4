"""Model files on this machine: which one is chosen, where it stands, whether it is what it should be; `pull` it."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from core.errors import Misconfigured, StorageFull
from core.settings import Settings
from generation import embedded
from generation.catalogue import Catalogue, Model
from generation.download import Hub, Progress, Remote, fetch
from generation.model_file import WrongModelFile, require, sha256_of, write_atomically

DEFAULT_MODEL = embedded.TAUGHT


@dataclass(frozen=True, slots=True)
class Lock:
    """What was pulled: pinned beside the file, because the catalogue does not know the hash."""

    repo: str
    file: str
    revision: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Shelf:
    """The folders that hold model files."""

    data_dir: Path
    cache_dir: Path

    @classmethod
    def of(cls, settings: Settings) -> Shelf:
        """The folders that the settings name."""
        return cls(settings.data_dir, settings.cache_dir)

    def path(self, model: Model) -> Path:
        """Where the file stands or will stand. Repositories reuse file names, so each has its folder."""
        if model.is_embedded:
            return embedded.model_path(self.cache_dir)
        return self.data_dir / "models" / model.repo.replace("/", "--") / model.file


def chosen(settings: Settings) -> str:
    """Name of the model to serve: ZNAYKA_MODEL, else the one chosen by `use`, else the embedded one."""
    if settings.model:
        return settings.model
    try:
        return _choice(settings.data_dir).read_text(encoding="utf-8").strip() or DEFAULT_MODEL
    except FileNotFoundError:
        return DEFAULT_MODEL


def use(name: str, catalogue: Catalogue, data_dir: Path) -> Model:
    """Choose the model that the next start serves. Raises `NotFound`, `Misconfigured`, `StorageFull`."""
    model = catalogue.find(name)
    try:
        write_atomically(_choice(data_dir), f"{model.name}\n")
    except OSError as exc:
        raise StorageFull("disk_full", f"Не удалось записать {_choice(data_dir)}: {exc.strerror}.") from exc
    return model


def pull(model: Model, shelf: Shelf, hub: Hub, progress: Progress) -> Path:
    """Get the model's file, resumed after a cut and checked by SHA-256; nothing is done when it is there.

    Raises `StorageFull` before the first byte when the disk is too small, `Misconfigured` or `TryLater` with
    what to do when the hub does not give the file, `WrongModelFile` when the bytes are not those promised.
    """
    if model.is_embedded:
        return embedded.assemble(shelf.cache_dir)
    path = shelf.path(model)
    if path.is_file() and _expected(model, path):
        with suppress(WrongModelFile):  # a damaged file is what `pull` mends
            return verify(model, shelf)
    remote = hub.describe(model.repo, model.file)
    if model.sha256 and remote.sha256 != model.sha256:
        raise _changed_upstream(model, remote)
    if not (path.is_file() and sha256_of(path) == remote.sha256):  # it may have been copied here by hand
        fetch(hub, remote, path, progress)
    write_atomically(
        _lock_path(path),
        json.dumps(asdict(Lock(model.repo, model.file, remote.revision, remote.size_bytes, remote.sha256)), indent=2),
    )
    return path


def verify(model: Model, shelf: Shelf, *, trust_stamp: bool = False) -> Path:
    """Check the file against its hash and answer its path; `trust_stamp` spares reading an unchanged file again.

    Raises `WrongModelFile` with path and expected hash.
    """
    path = shelf.path(model)
    if model.is_embedded and not path.is_file():
        return embedded.assemble(shelf.cache_dir)
    advice = f"Получите модель командой `znayka models pull {model.name}`."
    expected = _expected(model, path)
    if path.is_file() and not expected:
        lock = _lock_path(path).name
        detail = f"Рядом с {path} нет файла {lock} с контрольной суммой: скопируйте и его. {advice}"
        raise Misconfigured("model_unpinned", detail)
    require(path, expected, advice=advice, trust_stamp=trust_stamp)
    return path


def _expected(model: Model, path: Path) -> str:
    """The hash the file must have: the catalogue's, else the pinned one, else empty."""
    if model.sha256:
        return model.sha256
    try:
        return Lock(**json.loads(_lock_path(path).read_text(encoding="utf-8"))).sha256
    except (OSError, ValueError, TypeError):
        return ""


def _changed_upstream(model: Model, remote: Remote) -> Misconfigured:
    detail = (
        f"На сервере лежит другой файл {model.file}: SHA-256 {remote.sha256}, а в каталоге {model.sha256}. "
        "Он не скачан. Обновите Знайку или проверьте адрес в HF_ENDPOINT."
    )
    return Misconfigured("model_changed", detail)


def _choice(data_dir: Path) -> Path:
    return data_dir / "model"


def _lock_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock.json")
