"""`python -m ui`: Streamlit's options, and a setting that is wrong."""

from __future__ import annotations

import subprocess
import sys

import pytest
from streamlit import config, net_util
from streamlit.web.server.server_util import is_url_from_allowed_origins

from core.settings import Settings
from ui.__main__ import Option, known_hosts, options, stay_inside


@pytest.fixture
def chosen(tmp_path) -> dict[str, Option]:
    return options(Settings(data_dir=tmp_path, upload_max_bytes=300 * 2**20 + 1, ui_port=8600))


def test_every_option_is_one_that_streamlit_knows(chosen):
    assert set(chosen) <= set(config.get_config_options())


def test_nothing_is_sent_anywhere(chosen):
    assert chosen["browser.gatherUsageStats"] == "false"


def test_a_page_of_another_site_is_no_reason_to_ask_the_internet(monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []
    monkeypatch.setattr(net_util, "_make_blocking_http_get", lambda url, **_more: asked.append(url))
    monkeypatch.setattr(net_util, "get_external_ip", net_util.get_external_ip)
    assert not is_url_from_allowed_origins("http://foreign.test")
    assert asked
    asked.clear()
    stay_inside()
    assert not is_url_from_allowed_origins("http://foreign.test")
    assert asked == []


def test_no_other_site_may_steer_the_page_from_around_it(chosen):
    assert chosen["client.allowedOrigins"] == ("http://127.0.0.1:8600",)


def test_where_nobody_signs_in_the_page_answers_to_its_own_names_alone():
    local = ("127.0.0.1", "::1", "localhost")
    public = "https://znayka.example.com/"
    assert known_hosts(Settings()) == local
    assert known_hosts(Settings(ui_host="0.0.0.0", ui_public_url=public)) == (*local, "znayka.example.com")
    assert known_hosts(Settings(trusted_proxy_addresses="127.0.0.1")) == ()
    assert known_hosts(Settings(ui_host="0.0.0.0")) == ()


def test_streamlit_takes_uploads_as_large_as_the_api_does(chosen):
    assert chosen["server.maxUploadSize"] == 301
    assert chosen["server.port"] == 8600


def test_a_wrong_setting_is_one_sentence_not_a_traceback():
    ended = subprocess.run(
        [sys.executable, "-m", "ui"], env={"ZNAYKA_UI_PORT": "много"}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "ZNAYKA_UI_PORT" in ended.stderr
    assert "Traceback" not in ended.stderr
