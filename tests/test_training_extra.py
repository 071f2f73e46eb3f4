"""Without the packages for training, every command of it says how to install them."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from cli.training import app
from core.errors import Misconfigured
from training import extra


def test_what_is_missing_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(extra, "PACKAGES", ("peft", "no_such_package"))
    with pytest.raises(Misconfigured, match=r"no_such_package.*pip install"):
        extra.require_extra()


@pytest.mark.parametrize("command", [["dataset"], ["run", "data"], ["export", "run"]])
def test_each_command_asks_for_the_packages_before_it_does_anything(monkeypatch, command):
    monkeypatch.setattr(extra, "PACKAGES", ("no_such_package",))
    result = CliRunner().invoke(app, command)
    assert isinstance(result.exception, Misconfigured)
