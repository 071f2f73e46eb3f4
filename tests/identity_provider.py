"""A small provider of identities on loopback: discovery, RS256 keys, authorization code with PKCE, one use a code."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.service import free_ports

CLIENT_ID, CLIENT_SECRET = "znayka", "a secret of the client"
PROMPTS = {"login", "consent"}  # strict as providers may be that do not let people choose among accounts


@dataclass
class Provider:
    """Who signs in next, and what was asked; tests set and read these fields."""

    url: str = ""
    person: dict[str, Any] = field(default_factory=lambda: {"sub": "1", "preferred_username": "иванов"})
    lifetime_s: int = 300
    keys: list[RSAKey] = field(default_factory=lambda: [new_key()])
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    exchanges: int = 0
    fetches: int = 0
    is_down: bool = False

    def claims(self, **more: Any) -> dict[str, Any]:
        """What a good token of the person says."""
        now = int(time.time())
        times = {"iat": now, "exp": now + self.lifetime_s}
        return {"iss": self.url, "aud": CLIENT_ID, **times, **self.person, **more}

    def token(self, **more: Any) -> str:
        """A good token; `more` makes it another."""
        return sign(self.keys[-1], self.claims(**more))


def new_key() -> RSAKey:
    """A key of the provider's, under a name of its own."""
    return RSAKey.generate_key(2048, {"kid": secrets.token_hex(4), "use": "sig", "alg": "RS256"})


def sign(key: RSAKey, claims: dict[str, Any], **header: Any) -> str:
    """A token by RS256."""
    return jwt.encode({"alg": "RS256", "kid": key.kid, "typ": "JWT", **header}, claims, key)


@contextmanager
def identity_provider() -> Iterator[Provider]:
    """Serve until the block ends."""
    provider = Provider()
    port = free_ports(1)[0]
    provider.url = f"http://127.0.0.1:{port}"
    server = uvicorn.Server(uvicorn.Config(_app(provider), port=port, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield provider
    finally:
        server.should_exit = True
        thread.join()


def _app(provider: Provider) -> Starlette:
    def discovery(_request: Request) -> Response:
        if provider.is_down:
            return Response(status_code=503)
        return JSONResponse(
            {
                "issuer": provider.url,
                "authorization_endpoint": f"{provider.url}/authorize",
                "token_endpoint": f"{provider.url}/token",
                "jwks_uri": f"{provider.url}/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            }
        )

    def keys(_request: Request) -> Response:
        provider.fetches += 1
        return JSONResponse({"keys": [key.as_dict(private=False) for key in provider.keys]})

    def authorize(request: Request) -> Response:
        asked = dict(request.query_params)
        if asked.get("client_id") != CLIENT_ID or asked.get("code_challenge_method") != "S256":
            return JSONResponse({"error": "invalid_request"}, 400)
        if not {*asked.get("prompt", "").split()} <= PROMPTS:
            return JSONResponse({"error": "invalid_request", "error_description": "unsupported prompt"}, 400)
        code = secrets.token_urlsafe(16)
        provider.codes[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}", 302)

    async def token(request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        asked = provider.codes.pop(form.get("code", ""), None)
        if not _is_client(request, form):
            return JSONResponse({"error": "invalid_client"}, 401)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked is None or asked["code_challenge"] != challenge or asked["redirect_uri"] != form.get("redirect_uri"):
            return JSONResponse({"error": "invalid_grant"}, 400)
        provider.exchanges += 1
        nonce = {"nonce": asked["nonce"]} if "nonce" in asked else {}
        return JSONResponse(
            {
                "access_token": secrets.token_urlsafe(16),
                "token_type": "Bearer",
                "expires_in": provider.lifetime_s,
                "id_token": provider.token(**nonce),
            }
        )

    return Starlette(
        routes=[
            Route("/.well-known/openid-configuration", discovery),
            Route("/keys", keys),
            Route("/authorize", authorize),
            Route("/token", token, methods=["POST"]),
        ]
    )


def _is_client(request: Request, form: dict[str, str]) -> bool:
    scheme, _, shown = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        return base64.b64decode(shown).decode().split(":", 1) in (
            [CLIENT_ID, CLIENT_SECRET],
            [CLIENT_ID, CLIENT_SECRET.replace(" ", "+")],
        )
    return (form.get("client_id"), form.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)
