"""Tokens of the company's provider of identities (OpenID Connect). The only user of joserfc."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from core.errors import TryLater, Unauthorized
from core.settings import Settings, is_private_way

DISCOVERY = "/.well-known/openid-configuration"
# Signatures that only the provider can make; «none» and those with a shared secret are not among them.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
TYPES = (None, "JWT", "at+jwt", "application/at+jwt")
LEEWAY_S = 60
FETCH_TIMEOUT_S = 5.0
KEYS_LIFE_S = 3600.0
KEYS_REST_S = 10.0  # between two fetches, so that tokens with invented key names cost the provider nothing
RETRY_AFTER_S = 10


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a provider or a proxy vouches for, with the groups that it claims."""

    name: str
    groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class Provider:
    """Who signs tokens, for whom they must be, and in which claims the person stands."""

    issuer: str
    audience: str
    user_claim: str
    groups_claim: str

    @classmethod
    def of(cls, settings: Settings) -> Provider | None:
        """Return what the settings name; None when there is no provider."""
        if not settings.oidc_issuer:
            return None
        return cls(settings.oidc_issuer, settings.oidc_client_id, settings.oidc_user_claim, settings.oidc_groups_claim)


class IdentityTokens:
    """Checks tokens by the provider's published keys, which are fetched once and again when they change.

    Safe to use from several threads.
    """

    def __init__(
        self,
        provider: Provider,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` gives seconds since the epoch, for the times in tokens; `ticks` only ever grows."""
        self._provider = provider
        self._clock = clock
        self._ticks = ticks
        self._lock = threading.Lock()
        self._keys: KeySet | None = None
        self._fetched_at = 0.0

    def person(self, token: str) -> Person:
        """Return whom the token stands for.

        Raises `Unauthorized` for one that is forged, of somebody else, for somebody else or past its time,
        `TryLater` while the provider's keys cannot be had.
        """
        try:
            header = jws.extract_compact(token.encode()).headers()
            if header.get("typ") not in TYPES:
                raise refused("token_of_another_kind")
            decoded = jwt.decode(token, self._key(header.get("kid")), algorithms=ALGORITHMS)
            self._check(decoded.claims)
        except (JoseError, ValueError) as exc:
            raise refused(getattr(exc, "error", "") or "bad_token") from exc
        return self._named(decoded.claims)

    def _check(self, claims: Mapping[str, Any]) -> None:
        audience = self._provider.audience
        rules = jwt.JWTClaimsRegistry(
            now=lambda: int(self._clock()),
            leeway=LEEWAY_S,
            iss={"essential": True, "value": self._provider.issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
        )
        rules.validate(dict(claims))
        # A token for several services is ours only when it was given to our client (OpenID Connect Core, 3.1.3.7).
        if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != audience:
            raise refused("token_for_another_client")

    def _named(self, claims: Mapping[str, Any]) -> Person:
        name, groups = claims.get(self._provider.user_claim), claims.get(self._provider.groups_claim, [])
        if not isinstance(name, str) or not name.strip():
            raise refused("token_without_user")
        listed = [groups] if isinstance(groups, str) else groups
        if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
            raise refused("token_with_odd_groups")
        return Person(name, frozenset(listed))

    def _key(self, kid: str | None) -> Any:
        for known in (self._key_set(is_new=False), self._key_set(is_new=True)):
            fitting = [key for key in known.keys if kid is None or key.kid == kid]
            if len(fitting) == 1:
                return fitting[0]
        raise refused("token_of_unknown_key")

    def _key_set(self, *, is_new: bool) -> KeySet:
        with self._lock:
            age_s = self._ticks() - self._fetched_at
            if self._keys is None or age_s > (KEYS_REST_S if is_new else KEYS_LIFE_S):
                self._keys = self._fetched()
                self._fetched_at = self._ticks()
            return self._keys

    def _fetched(self) -> KeySet:
        try:
            with httpx.Client(timeout=FETCH_TIMEOUT_S, trust_env=False, verify=ssl.create_default_context()) as http:
                found = http.get(self._provider.issuer.rstrip("/") + DISCOVERY).raise_for_status().json()
                return KeySet.import_key_set(http.get(self._keys_url(found)).raise_for_status().json())
        except (httpx.HTTPError, JoseError, ValueError, KeyError, TypeError) as exc:
            raise TryLater(
                "provider_down",
                "Сервер входа не отвечает или настроен неверно, поэтому вас не удалось узнать. Повторите позже; "
                "администратору: проверьте ZNAYKA_OIDC_ISSUER.",
                retry_after_s=RETRY_AFTER_S,
            ) from exc

    def _keys_url(self, found: Mapping[str, Any]) -> str:
        url: str = found["jwks_uri"]
        if found["issuer"] != self._provider.issuer or not is_private_way(url):
            raise ValueError("the provider's document is of another provider, or its keys come by an open way")
        return url


def refused(reason: str) -> Unauthorized:
    """One answer for every bad token; `reason` is for the log alone."""
    error = Unauthorized("bad_token", "Вход не подтверждён или его время истекло. Войдите снова.")
    error.add_note(reason)
    return error
