"""People sign in by a provider of identities or behind a trusted proxy; whoever only says so is refused."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest
from authlib.integrations.httpx_client import OAuth2Client

import api.identity_tokens
from api.door import Door, Shown
from api.identity_tokens import IdentityTokens
from api.identity_tokens import Provider as OidcProvider
from core.errors import Misconfigured, Unauthorized
from core.settings import Settings, load_settings
from core.types import Role
from retrieval.store import grants, keys, people
from retrieval.store.grants import ObjectKind, Opening, SubjectKind
from retrieval.store.keys import Terms
from tests.identity_provider import CLIENT_ID, CLIENT_SECRET, Provider, identity_provider, new_key, sign
from tests.service import Service
from tests.small_base import SmallBase
from tests.small_service import SmallService, small_service

HERE = "http://127.0.0.1/callback"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with identity_provider() as running:
        yield running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[SmallService]:
    folder = tmp_path_factory.mktemp("sign-in")
    with small_service(folder, oidc_issuer=provider.url, oidc_client_id=CLIENT_ID) as running:
        running.base.add("Отпуск длится 28 дней.", collection="кадры")
        with running.base.database.write() as conn:
            people.add_group(conn, "/Кадровики", now=time.time())
            group = people.subject(conn, SubjectKind.GROUP, "/кадровики")
            grants.give(conn, group, Opening(ObjectKind.COLLECTION, "кадры", Role.READER), now=time.time())
        yield running


def session(service: SmallService, token: str | None, **headers: str) -> httpx.Response:
    with service.client(token, **headers) as client:
        return client.get("/v1/session")


def test_a_person_signs_in_by_code_with_pkce_and_has_the_rights_of_their_groups(
    service: SmallService, provider: Provider
) -> None:
    provider.person = {"sub": "7", "preferred_username": "Петров", "groups": ["/Кадровики", "/прочие"]}
    verifier = "v" * 60
    options = {"redirect_uri": HERE, "scope": "openid", "code_challenge_method": "S256", "trust_env": False}
    with OAuth2Client(CLIENT_ID, CLIENT_SECRET, **options) as client:
        url, _ = client.create_authorization_url(f"{provider.url}/authorize", code_verifier=verifier, nonce="n")
        came_back = httpx.get(url, trust_env=False).headers["location"]
        fetched = client.fetch_token(f"{provider.url}/token", authorization_response=came_back, code_verifier=verifier)
    known = session(service, fetched["id_token"]).raise_for_status().json()
    assert known == {
        "name": "user:петров", "role": "reader", "collections": ["кадры"], "editable": [], "documents": 0,
        "edits_all": False,
    }  # fmt: skip
    with service.client(fetched["id_token"]) as http:
        assert len(http.post("/v1/search", json={"query": "отпуск"}).json()["passages"]) == 1
        assert http.post("/v1/documents", files={"file": ("a", b"x")}, data={"collection": "кадры"}).status_code == 403


def test_somebody_without_groups_here_is_let_in_and_sees_nothing(service: SmallService, provider: Provider) -> None:
    provider.person = {"sub": "8", "preferred_username": "чужой"}
    with service.client(provider.token()) as http:
        assert http.get("/v1/documents").json()["items"] == []
        assert http.get("/v1/collections").json()["items"] == []
        assert http.post("/v1/search", json={"query": "отпуск"}).json()["passages"] == []


def test_a_blocked_person_is_refused_though_the_provider_vouches_for_them(
    service: SmallService, provider: Provider
) -> None:
    provider.person = {"sub": "9", "preferred_username": "Уволенный", "groups": ["/Кадровики"]}
    assert session(service, provider.token()).status_code == 200
    with service.base.database.write() as conn:
        people.add_user(conn, "уволенный", now=0)
        people.block_user(conn, "уволенный", now=1)
    assert session(service, provider.token()).status_code == 401


def unsigned(claims: dict[str, Any], header: dict[str, Any], signature: bytes = b"") -> str:
    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    return ".".join([part(json.dumps(header).encode()), part(json.dumps(claims).encode()), part(signature)])


def hmac_by_public_key(provider: Provider) -> str:
    """The old trick: the public key, which everybody has, taken as a shared secret."""
    import hmac

    signed = unsigned(provider.claims(), {"alg": "HS256", "typ": "JWT", "kid": provider.keys[0].kid}).rpartition(".")[0]
    secret = provider.keys[0].as_pem(private=False)
    signature = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def forged(provider: Provider) -> str:
    key = new_key()
    return sign(key, provider.claims(), kid=provider.keys[0].kid)


NOW = int(time.time())
BAD_TOKENS = {
    "signed by somebody else": forged,
    "signed by a key that the provider does not have": lambda p: sign(new_key(), p.claims()),
    "signed by nobody": lambda p: unsigned(p.claims(), {"alg": "none", "typ": "JWT"}),
    "signed with the public key as a secret": hmac_by_public_key,
    "past its time": lambda p: p.token(exp=NOW - 3600),
    "without a time": lambda p: sign(p.keys[0], {k: v for k, v in p.claims().items() if k != "exp"}),
    "not yet valid": lambda p: p.token(nbf=NOW + 3600),
    "of another provider": lambda p: p.token(iss="https://evil.example"),
    "for another service": lambda p: p.token(aud="another"),
    "for several services and given to another": lambda p: p.token(aud=[CLIENT_ID, "another"], azp="another"),
    "without a user": lambda p: p.token(preferred_username=""),
    "with a user that is no text": lambda p: p.token(preferred_username=["иванов"]),
    "with groups that are no list of names": lambda p: p.token(groups={"/кадровики": True}),
    "for signing out": lambda p: sign(p.keys[0], p.claims(), typ="logout+jwt"),
    "cut short": lambda p: p.token()[:-20],
    "no token at all": lambda p: "a.b.c",
}


@pytest.mark.parametrize("kind", BAD_TOKENS)
def test_a_token_is_refused_that_is(service: SmallService, provider: Provider, kind: str) -> None:
    provider.person = {"sub": "1", "preferred_username": "иванов"}
    assert session(service, provider.token()).status_code == 200
    answer = session(service, BAD_TOKENS[kind](provider))
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_token")


def test_new_keys_of_the_provider_are_fetched_and_invented_ones_are_not_asked_for_each_time(
    service: SmallService, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.identity_tokens, "KEYS_REST_S", 0.0)
    provider.keys = [*provider.keys, new_key()]
    assert session(service, provider.token()).status_code == 200
    monkeypatch.setattr(api.identity_tokens, "KEYS_REST_S", 60.0)
    fetched = provider.fetches
    for _ in range(20):
        assert session(service, sign(new_key(), provider.claims())).status_code == 401
    assert provider.fetches == fetched


def test_new_keys_of_the_provider_are_fetched_though_the_clock_was_a_day_ahead_before() -> None:
    wall, ticks = [time.time() + 86_400], [0.0]
    with identity_provider() as provider:
        who = OidcProvider(provider.url, CLIENT_ID, "preferred_username", "groups")
        known = IdentityTokens(who, lambda: wall[0], lambda: ticks[0])
        provider.person = {"sub": "1", "preferred_username": "иванов"}
        with pytest.raises(Unauthorized):
            known.person(provider.token())  # past its time, by this clock
        wall[0] -= 86_400
        provider.keys = [*provider.keys, new_key()]
        ticks[0] += api.identity_tokens.KEYS_REST_S + 1
        assert known.person(provider.token()).name == "иванов"


def test_while_the_provider_is_down_known_keys_serve_and_a_service_without_them_says_when_to_come_back(
    tmp_path: Path, service: SmallService, provider: Provider
) -> None:
    assert session(service, provider.token()).status_code == 200
    provider.is_down = True
    try:
        assert session(service, provider.token()).status_code == 200
        with small_service(tmp_path, oidc_issuer=provider.url, oidc_client_id=CLIENT_ID) as fresh:
            answer = session(fresh, provider.token())
    finally:
        provider.is_down = False
    assert (answer.status_code, answer.json()["code"]) == (503, "provider_down")
    assert answer.headers["retry-after"]


def test_where_people_sign_in_nobody_nameless_is_let_in(service: SmallService) -> None:
    assert session(service, None).status_code == 401
    assert session(service, "whatever").status_code == 401


def test_keys_work_beside_sign_in(service: SmallService) -> None:
    assert session(service, service.key("бот", "кадры")).json()["name"] == "бот"


def door(base: SmallBase, networks: str = "10.0.0.0/8, ::1") -> Door:
    trusted = tuple(ip_network(one.strip()) for one in networks.split(","))
    return Door(base.database, time.time, is_open_to_owner=False, trusted=trusted)


def shown(address: str, *users: str, bearer: str | None = None, groups: tuple[str, ...] = ()) -> Shown:
    return Shown(bearer, users, groups, address)


@pytest.fixture
def base(tmp_path: Path) -> Iterator[SmallBase]:
    made = SmallBase(tmp_path)
    with made.database.write() as conn:
        people.add_group(conn, "кадровики", now=0)
        group = people.subject(conn, SubjectKind.GROUP, "кадровики")
        grants.give(conn, group, Opening(ObjectKind.COLLECTION, "кадры", Role.READER), now=0)
    yield made
    made.close()


def test_a_trusted_proxy_names_the_user_and_their_groups(base: SmallBase) -> None:
    for address in ("10.1.2.3", "::1", "::ffff:10.1.2.3"):
        known = door(base).admit(shown(address, "Иванов", groups=("прочие, Кадровики",)))
        assert (known.name, known.collections) == ("user:иванов", {"кадры"})


@pytest.mark.parametrize(
    "sent",
    [
        shown("192.168.0.1", "иванов"),
        shown("testclient", "иванов"),
        shown("", "иванов"),
        shown("10.1.2.3", "иванов", "петров"),
        shown("10.1.2.3", "иванов", groups=("а", "б")),
        shown("10.1.2.3", ""),
        shown("10.1.2.3", "ива\nнов"),
        shown("10.1.2.3"),
        shown("10.1.2.3", "иванов", bearer="znk_wrong"),
        shown("10.1.2.3", "иванов", bearer=""),
    ],
    ids=[
        "another address", "no address", "an empty address", "two users", "groups sent twice", "an empty name",
        "an odd name", "no name", "a bad key beside the name", "an empty key beside the name",
    ],
)  # fmt: skip
def test_a_named_user_is_refused_with(base: SmallBase, sent: Shown) -> None:
    with pytest.raises(Unauthorized):
        door(base).admit(sent)


def test_the_page_s_key_asks_for_the_person_it_names_and_no_other_key_may(base: SmallBase) -> None:
    with base.database.write() as conn:
        page = keys.create(conn, "страница", [], now=time.time() - 1, terms=Terms(speaks_for_users=True))
        bot = keys.create(conn, "бот", None, now=time.time() - 1)
    known = door(base).admit(shown("192.168.0.1", "иванов", bearer=page, groups=("кадровики",)))
    assert (known.name, known.collections) == ("user:иванов", {"кадры"})
    assert door(base).admit(shown("192.168.0.1", bearer=page)).collections == frozenset()
    assert door(base).admit(shown("10.1.2.3", bearer=bot)).name == "бот"
    with pytest.raises(Unauthorized):
        door(base).admit(shown("10.1.2.3", "иванов", bearer=bot))


def test_russian_names_in_headers_are_read_as_utf_8(tmp_path: Path) -> None:
    with small_service(tmp_path, trusted_proxy_addresses="127.0.0.1") as service:
        answer = httpx.get(
            f"{service.url}/v1/session", headers=[(b"X-Forwarded-User", "Иванов".encode())], trust_env=False
        )
    assert answer.json()["name"] == "user:иванов"


@pytest.mark.real_model
def test_nobody_becomes_a_trusted_proxy_by_a_header(tmp_path: Path) -> None:
    with Service(tmp_path, parts=("api",), trusted_proxy_addresses="10.0.0.0/8") as service:
        for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded"):
            headers = {name: "10.1.2.3", "X-Forwarded-User": "admin"}
            assert httpx.get(f"{service.api_url}/v1/session", headers=headers, trust_env=False).status_code == 401


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TRUSTED_PROXY_ADDRESSES", "всем"),
        ("TRUSTED_PROXY_ADDRESSES", "10.0.0.1/8"),
        ("OIDC_ISSUER", "http://id.example.com"),
    ],
)
def test_a_sign_in_that_would_be_unsafe_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("ZNAYKA_OIDC_CLIENT_ID", CLIENT_ID)
    monkeypatch.setenv(f"ZNAYKA_{name}", value)
    with pytest.raises(Misconfigured, match=f"ZNAYKA_{name}"):
        load_settings()


def test_a_provider_needs_a_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZNAYKA_OIDC_ISSUER", "https://id.example.com")
    with pytest.raises(Misconfigured, match="ZNAYKA_OIDC_CLIENT_ID"):
        load_settings()
    assert Settings(oidc_issuer="https://id.example.com", oidc_client_id=CLIENT_ID).has_sign_in
