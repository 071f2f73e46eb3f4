"""Every setting of the service. Each is an environment variable with the prefix `ZNAYKA_`; units stand in the names."""

from __future__ import annotations

import os
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.errors import Misconfigured

PREFIX = "ZNAYKA_"
Network = IPv4Network | IPv6Network
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Settings(BaseSettings):
    """Read once, by the entry points; parts get values as arguments. Unknown names are refused."""

    # An empty variable is as good as none: an empty path would be the working folder.
    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, env_ignore_empty=True)

    data_dir: Path = Field(Path("data"), description="documents, database, index, logs")
    cache_dir: Path = Field(Path.home() / ".cache" / "znayka", description="models and builds that can be made again")
    database_url: str = Field("", description="empty: znayka.db in data_dir; otherwise sqlite:////path")
    database_busy_timeout_s: float = Field(10.0, gt=0, description="wait for another writer before giving up")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="what the logs hold")

    api_host: str = Field("127.0.0.1", description="beyond this machine a key is needed")
    api_port: int = Field(8000, ge=1, le=65535, description="port of REST and the OpenAI protocol")
    api_connections_max: int = Field(500, ge=1, description="open at once; keep it below the limit of open files")
    api_header_timeout_s: float = Field(15.0, gt=0, description="the header of a request must be whole by then")
    api_body_timeout_s: float = Field(30.0, gt=0, description="wait for a body, beyond the time its size may take")
    api_body_min_bytes_per_s: int = Field(4096, gt=0, description="slowest pace of a body")
    api_body_max_bytes: int = Field(2**20, gt=0, description="one request that uploads no file")
    api_send_timeout_s: float = Field(60.0, gt=0, description="wait for a client that does not read its answer")
    ui_host: str = Field("127.0.0.1", description="set up sign-in before others can reach it")
    ui_port: int = Field(8501, ge=1, le=65535, description="port of the page")
    ui_api_url: str = Field("", description="where the page finds the API; empty: api_host and api_port")
    ui_api_key: SecretStr = Field(SecretStr(""), description="key the page shows to the API")
    ui_public_url: str = Field(
        "", description="address of the page in the browser: for sign-in by OIDC, and for any name but localhost"
    )
    ui_cookie_secret: SecretStr = Field(SecretStr(""), description="signs sessions; empty: they end with the page")

    oidc_issuer: str = Field("", description="provider of identities, as its tokens name it; empty: no such sign-in")
    oidc_client_id: str = Field("", description="what the provider calls this service; tokens are for it")
    oidc_client_secret: SecretStr = Field(SecretStr(""), description="of that client, for the page")
    oidc_user_claim: str = Field("preferred_username", description="claim of a token that names the user")
    oidc_groups_claim: str = Field("groups", description="claim of a token that lists the user's groups")
    trusted_proxy_addresses: str = Field("", description="addresses or networks, by commas, that may name the user")
    trusted_proxy_user_header: str = Field("X-Forwarded-User", description="header in which they name the user")
    trusted_proxy_groups_header: str = Field("X-Forwarded-Groups", description="header with groups, by commas")
    audit_questions: bool = Field(False, description="keep the text of questions in the audit log")
    audit_keep_days: int = Field(0, ge=0, description="age at which entries of the audit log are removed; 0: never")

    upload_max_bytes: int = Field(200 * 2**20, gt=0, description="one uploaded file")
    upload_max_files: int = Field(200, gt=0, description="files in one upload")
    uploads_max: int = Field(64, gt=0, description="uploads received at once; others wait")
    uploads_wait_max_s: float = Field(60.0, gt=0, description="longest such wait before an upload is refused")
    question_max_chars: int = Field(4000, gt=0, description="one question or search; plain chat takes five times that")
    disk_reserve_bytes: int = Field(200 * 2**20, ge=0, description="free space that uploads leave")

    parse_timeout_s: float = Field(600.0, gt=0, description="wall time for one document, OCR included")
    parse_cpu_s: int = Field(300, gt=0, description="processor time for one document, OCR excluded")
    parse_memory_bytes: int = Field(1500 * 2**20, gt=0, description="address space of the parser child")
    parse_output_chars: int = Field(30_000_000, gt=0, description="text one document may give")
    parse_max_pages: int = Field(5000, gt=0, description="pages of one document")
    archive_max_bytes: int = Field(500 * 2**20, gt=0, description="sum of unpacked sizes of one archive")
    archive_max_files: int = Field(2000, gt=0, description="files of one archive, inner archives included")
    ocr_page_timeout_s: float = Field(120.0, gt=0, description="wall time for one page in Tesseract")
    worker_stall_s: float = Field(1800.0, ge=5, description="silence after which a stuck worker is ended and replaced")
    attempts_max: int = Field(3, gt=0, description="worker deaths after which a document is given up")

    passage_max_chars: int = Field(1200, ge=200, description="longest passage; holds for documents read from now on")
    passage_overlap_chars: int = Field(150, ge=0, description="what neighbours of one section share")
    embedding_model: str = Field("multilingual-e5-small", description="embedded name, local folder or hub name")
    embedding_backend: Literal["openvino", "sentence_transformers"] = Field(
        "openvino", description="int8 by OpenVINO, or the plain library"
    )
    embedding_threads: int = Field(0, ge=0, description="0: all cores in the worker, one in the API")
    top_k: int = Field(6, ge=1, le=50, description="passages found for a question")
    dense_weight: float = Field(0.6, ge=0, le=1, description="share of the dense score in the fusion")
    reranker: str = Field("", description="cross-encoder, local folder or hub name; empty: none")
    reranker_max_passages: int = Field(20, ge=1, le=100, description="first candidates that it reads")
    reranker_max_tokens: int = Field(512, ge=16, description="longest question and passage together that it reads")
    index_compact_passages: int = Field(2000, gt=0, description="changes after which the index file is rewritten")

    model: str = Field("", description="name in the catalogue; empty: the one chosen by `znayka models use`")
    adapter: Path | None = Field(None, description="own LoRA (GGUF) for the embedded model, not the one it has")
    llm_host: str = Field("127.0.0.1", description="where the model process listens and is looked for")
    llm_port: int = Field(8011, ge=1, le=65535, description="port of the model process")
    llm_url: str = Field("", description="another OpenAI-compatible server; empty: our own model process")
    llm_api_key: SecretStr = Field(SecretStr(""), description="key for llm_url")
    llm_slots: int = Field(1, gt=0, description="answers generated at once")
    llm_threads: int = Field(0, ge=0, description="0: all cores")
    llm_context_tokens: int = Field(4096, ge=512, description="prompt and answer together; costs memory")
    llm_timeout_s: float = Field(300.0, gt=0, description="longest silence of the model before it counts as down")
    answer_max_tokens: int = Field(400, gt=0, description="longest answer")
    answer_temperature: float = Field(0.0, ge=0, le=2, description="0 repeats the documents most exactly")
    schema_max_bytes: int = Field(32 * 2**10, gt=0, description="one JSON schema that an answer is held to")
    schema_max_depth: int = Field(8, gt=0, le=16, description="nesting of a JSON schema")
    schema_max_fields: int = Field(300, gt=0, le=2000, description="fields of a JSON schema, references followed")
    extract_max_passages: int = Field(60, gt=0, description="longest document that facts are drawn from")
    extract_max_tokens: int = Field(1000, gt=0, description="longest JSON for one window of a document")
    escalate_below_confidence: float = Field(0.5, ge=0, le=1, description="less sure answers are marked for a person")
    evaluation_max_bytes: int = Field(5 * 2**20, gt=0, description="one file of questions with expected answers")
    evaluation_max_pairs: int = Field(1000, gt=0, le=10_000, description="questions of one evaluation")
    queue_max: int = Field(20, ge=0, description="questions that may wait")
    queue_max_s: float = Field(60.0, gt=0, description="longest expected wait that is still accepted")
    queue_max_per_key: int = Field(5, gt=0, description="questions of one key waiting or being answered")

    test_mode: bool = Field(False, description="for tests of Знайка itself; refused beyond this machine")
    faults: str = Field("", description="with test_mode only: where to die or fail, see docs/reliability.md")

    @model_validator(mode="after")
    def _overlap_fits(self) -> Self:
        if self.passage_overlap_chars * 2 > self.passage_max_chars:
            raise ValueError("ZNAYKA_PASSAGE_OVERLAP_CHARS must be at most half of ZNAYKA_PASSAGE_MAX_CHARS")
        return self

    @model_validator(mode="after")
    def _faults_are_for_tests(self) -> Self:
        if self.faults and not self.test_mode:
            raise ValueError("ZNAYKA_FAULTS breaks the service on purpose: only with ZNAYKA_TEST_MODE")
        if self.test_mode and self.needs_key:
            raise ValueError("ZNAYKA_TEST_MODE is refused when ZNAYKA_API_HOST lets other machines in")
        return self

    @model_validator(mode="after")
    def _sign_in_is_whole(self) -> Self:
        if self.oidc_issuer and not self.oidc_client_id:
            raise ValueError("ZNAYKA_OIDC_CLIENT_ID is needed with ZNAYKA_OIDC_ISSUER")
        if self.oidc_issuer and not is_private_way(self.oidc_issuer):
            raise ValueError("ZNAYKA_OIDC_ISSUER must be https, or http on this machine")
        try:
            self.trusted_networks  # noqa: B018 - reading it is the check
        except ValueError as exc:
            raise ValueError(f"ZNAYKA_TRUSTED_PROXY_ADDRESSES: {exc}") from exc
        return self

    @property
    def trusted_networks(self) -> tuple[Network, ...]:
        """Where a trusted proxy calls from; empty when there is none."""
        names = (name.strip() for name in self.trusted_proxy_addresses.split(","))
        return tuple(ip_network(name) for name in names if name)

    @property
    def has_sign_in(self) -> bool:
        """Say whether people sign in, so that nobody is let in nameless."""
        return bool(self.oidc_issuer or self.trusted_networks)

    @property
    def sql_url(self) -> str:
        """The database's URL, SQLite's file included."""
        return self.database_url or f"sqlite:///{(self.data_dir / 'znayka.db').absolute()}"

    @property
    def needs_key(self) -> bool:
        """Say whether others than this machine can reach the API, which is never open without a key."""
        return self.api_host not in LOOPBACK

    @property
    def api_url(self) -> str:
        """Where the page finds the API, without a trailing slash."""
        return (self.ui_api_url or f"http://{self.api_host}:{self.api_port}").rstrip("/")

    @property
    def model_url(self) -> str:
        """Base URL of the OpenAI-compatible model server, ending in `/v1`."""
        return (self.llm_url or f"http://{self.llm_host}:{self.llm_port}/v1").rstrip("/")


def is_private_way(url: str) -> bool:
    """Say whether nobody on the way to `url` can read or change what is said."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)


def load_settings() -> Settings:
    """Read the environment; raise `Misconfigured` that names every wrong or unknown variable."""
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    unknown = sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known)
    wrong = [f"неизвестная настройка {name}" for name in unknown]
    try:
        settings = Settings()
    except ValidationError as exc:
        wrong += [f"{PREFIX}{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in exc.errors()]
    if wrong:
        raise Misconfigured("bad_settings", "Настройки неверны: " + "; ".join(wrong) + ". См. docs/configuration.md.")
    return settings
