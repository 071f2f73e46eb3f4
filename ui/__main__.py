"""`python -m ui`: serve the page with the settings of the service. All of Streamlit's options stand here."""

from __future__ import annotations

import sys
from pathlib import Path

from streamlit.web import cli

from core.errors import Misconfigured
from core.settings import Settings, load_settings

SCRIPT = Path(__file__).with_name("app.py")


def options(settings: Settings) -> dict[str, str | int]:
    """Streamlit's options: nothing leaves the machine, no menu of its own, uploads as large as the API's."""
    return {
        "server.address": settings.ui_host,
        "server.port": settings.ui_port,
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "server.maxUploadSize": -(-settings.upload_max_bytes // 2**20),
        "browser.gatherUsageStats": "false",
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


def main() -> int:
    """Run until stopped; 2 when a setting is wrong."""
    try:
        settings = load_settings()
    except Misconfigured as exc:
        sys.stderr.write(f"{exc.detail}\n")
        return 2
    flags = [f"--{name}={value}" for name, value in options(settings).items()]
    return int(cli.main(["run", str(SCRIPT), *flags], standalone_mode=False) or 0)


if __name__ == "__main__":
    sys.exit(main())
