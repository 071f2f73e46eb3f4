"""What Streamlit needs to sign people in by OpenID Connect, written where only this process's user can read it."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from pathlib import Path

from core.errors import Misconfigured
from core.settings import Settings

DISCOVERY = "/.well-known/openid-configuration"


def write_secrets(settings: Settings, folder: Path | None = None) -> Path:
    """Write the file and return where it is; raise `Misconfigured` when a setting that it needs is missing.

    Authorization code with PKCE (S256) where the provider offers it; the page gets the identity token alone.
    """
    if not settings.ui_public_url or not settings.oidc_client_secret.get_secret_value():
        raise Misconfigured(
            "sign_in_incomplete",
            "Для входа на страницу нужны ещё ZNAYKA_UI_PUBLIC_URL (адрес страницы в браузере) и "
            "ZNAYKA_OIDC_CLIENT_SECRET.",
        )
    auth = {
        "redirect_uri": f"{settings.ui_public_url.rstrip('/')}/oauth2callback",
        "cookie_secret": settings.ui_cookie_secret.get_secret_value() or secrets.token_urlsafe(32),
        "client_id": settings.oidc_client_id,
        "client_secret": settings.oidc_client_secret.get_secret_value(),
        "server_metadata_url": f"{settings.oidc_issuer.rstrip('/')}{DISCOVERY}",
        "expose_tokens": ["id"],
    }
    # A string of JSON is one of TOML too.
    lines = ["[auth]", *(f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in auth.items())]
    # Left out, Streamlit asks for `prompt=select_account`, which strict providers refuse; a list of none asks nothing.
    lines += ["[auth.client_kwargs]", "prompt = []", ""]
    handle, name = tempfile.mkstemp(prefix="znayka-", suffix=".toml", dir=folder)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))
    return Path(name)
