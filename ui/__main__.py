"""`python -m ui`: serve the page with the settings of the service. All of Streamlit's options stand here."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from streamlit import logger, net_util
from streamlit.web import cli
from uvicorn.config import LOGGING_CONFIG

from core.errors import Misconfigured
from core.logs import log_to_stderr
from core.settings import LOOPBACK, Settings, load_settings
from ui.sign_in import write_secrets

log = logging.getLogger("ui")  # also when run as __main__
SCRIPT = Path(__file__).with_name("app.py")
Option = str | int | tuple[str, ...]


def options(settings: Settings) -> dict[str, Option]:
    """Streamlit's options: nothing leaves the machine, no menu of its own, uploads as large as the API's."""
    return {
        "server.address": settings.ui_host,
        "server.port": settings.ui_port,
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "server.maxUploadSize": -(-settings.upload_max_bytes // 2**20),
        "browser.gatherUsageStats": "false",
        # Else Streamlit's own cloud may put the page into a frame and tell it what to do.
        "client.allowedOrigins": (own_address(settings),),
        "server.allowedHosts": known_hosts(settings),
        "logger.hideWelcomeMessage": "true",
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "client.showErrorLinks": "false",
        "client.showSidebarNavigation": "false",
        "theme.base": "light",
        "theme.primaryColor": "#1f5fa8",
        "theme.backgroundColor": "#ffffff",
        "theme.secondaryBackgroundColor": "#f3f5f8",
        "theme.textColor": "#1d2530",
    }


def own_address(settings: Settings) -> str:
    """Where the page is opened, as far as the settings tell."""
    return settings.ui_public_url.rstrip("/") or f"http://{settings.ui_host}:{settings.ui_port}"


def known_hosts(settings: Settings) -> tuple[str, ...]:
    """The names under which the page may be opened; none: under any.

    Where nobody signs in, a site of somebody's whose name leads to this machine would else be the page to a browser,
    and read the documents. A visitor of such a site is not signed in there.
    """
    public = urlsplit(settings.ui_public_url).hostname
    if settings.has_sign_in or (public is None and settings.ui_host not in LOOPBACK):
        return ()
    return (*LOOPBACK, *((public,) if public else ()))


def main() -> int:
    """Run until stopped; 2 when a setting is wrong."""
    log_to_stderr()
    try:
        settings = load_settings()
    except Misconfigured as exc:
        log.critical("%s", exc.detail)
        return 2
    logging.getLogger().setLevel(settings.log_level.upper())
    chosen = options(settings)
    secrets_file: Path | None = None
    try:
        if settings.oidc_issuer:
            secrets_file = write_secrets(settings)
            chosen["secrets.files"] = str(secrets_file)
        return _serve(chosen)
    except Misconfigured as exc:
        log.critical("%s", exc.detail)
        return 2
    finally:
        if secrets_file is not None:
            secrets_file.unlink(missing_ok=True)


def stay_inside() -> None:
    """Keep Streamlit from asking a server on the internet for this machine's address.

    It would whenever a page of another site tries the websocket, holding up everybody meanwhile.
    """
    vars(net_util)["get_external_ip"] = lambda: None


def share_logs() -> None:
    """Have Streamlit and the server below it log as all of the service does, not by handlers of their own.

    Neither has an option for it: a format of Streamlit's could not escape what a message holds.
    """
    vars(logger)["setup_formatter"] = _hand_over
    for one in vars(logger)["_loggers"].values():
        _hand_over(one)
    LOGGING_CONFIG["handlers"], LOGGING_CONFIG["loggers"] = {}, {}


def _hand_over(one: logging.Logger) -> None:
    one.handlers.clear()
    one.propagate = True


def _serve(chosen: Mapping[str, Option]) -> int:
    # The address that the page sees is that of the other end of the connection, never one that a header tells.
    os.environ["FORWARDED_ALLOW_IPS"] = ""
    stay_inside()
    share_logs()
    flags = [
        f"--{name}={each}"
        for name, value in chosen.items()
        for each in (value if isinstance(value, tuple) else (value,))
    ]
    return int(cli.main(["run", str(SCRIPT), *flags], standalone_mode=False) or 0)


if __name__ == "__main__":
    sys.exit(main())
