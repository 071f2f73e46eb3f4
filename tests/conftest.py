"""Fixtures that several test modules share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from retrieval.embedding.encoder import Encoder
from tests.embedded_encoder import embedded_encoder
from tests.service import Service

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data() -> Path:
    """The shared test data beside the checkout; a user's checkout has none."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the shared test data in ../shared/data")
    return folder


@pytest.fixture(scope="session")
def examples() -> Path:
    """Our three example documents."""
    return ROOT / "examples"


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    """The embedded encoder, loaded once."""
    return embedded_encoder()


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """All four processes, started once for the whole run because the models take seconds to load.

    Tests share its base: each uses a collection of its own.
    """
    with Service(tmp_path_factory.mktemp("service")) as running:
        yield running
