"""The model server as the rest sees it: any that speaks OpenAI's protocol, its errors mapped to ours."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal, cast

import httpx
import openai
from langchain_core.messages import BaseMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.runnables import Runnable
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from core.errors import InvalidRequest, Misconfigured, ServiceError, TryLater
from generation.scales import Scales

AnswerStyle = Literal["prose", "quotes", "spans"]

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_CONNECT_TIMEOUT_S = 5.0
_RETRY_AFTER_S = 10
_RETURN_S = 60.0  # a killed model process is loaded again by then
_POLL_S = 0.25
_DOWN = (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)


@dataclass(frozen=True, slots=True)
class ModelServer:
    """Where the model is and what it can do. `url` ends in `/v1`; `answers` is how it may be used for documents.

    `repeat_penalty` is sent to servers that know this word of llama.cpp's; None sends nothing.
    `prose`: it follows instructions and writes the answer. `quotes`: it only continues text, and chooses what to quote.
    `spans`: it was taught to answer with words of the passages, and `scales` say how sure its answers are.
    """

    url: str
    name: str
    answers: AnswerStyle
    context_tokens: int
    answer_max_tokens: int
    temperature: float = 0.0
    timeout_s: float = 300.0
    api_key: str = ""
    repeat_penalty: float | None = None
    scales: Scales | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """Text, its tokens with their natural log-probabilities, and those of the likeliest first tokens.

    The model's own, before any grammar held it.
    """

    text: str
    tokens: tuple[str, ...]
    logprobs: tuple[float, ...]
    first: Mapping[str, float]


class LanguageModel:
    """One client of one model server. Not bound to a request; `aclose` when the process ends.

    Every call raises `TryLater` when the server is down, silent for `timeout_s` or full, `InvalidRequest` when the text
    does not fit its context, `Misconfigured` when it refuses the key or does not know the model.
    """

    def __init__(self, server: ModelServer) -> None:
        self.server = server
        self._extra = {} if server.repeat_penalty is None else {"repeat_penalty": server.repeat_penalty}
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(server.timeout_s, connect=_CONNECT_TIMEOUT_S),
            # A proxy of the environment is for the world outside, not for our own model process.
            trust_env=httpx.URL(server.url).host not in _LOOPBACK,
        )
        self._chat = ChatOpenAI(
            model=server.name,
            base_url=server.url,
            api_key=SecretStr(server.api_key or "none"),
            temperature=server.temperature,
            # Under this name every server knows it; ChatOpenAI itself would send OpenAI's newer one.
            extra_body={"max_tokens": server.answer_max_tokens, **self._extra},
            max_retries=0,
            http_async_client=self._http,
            stream_usage=False,
            # The reading timeout of the client does this, without a task of its own.
            stream_chunk_timeout=None,
        )
        self._counts_tokens = True
        self._given_up_at = float("-inf")

    @property
    def client(self) -> openai.AsyncOpenAI:
        """The bare client of the same server, for what is passed through as it came."""
        client: openai.AsyncOpenAI = self._chat.root_async_client
        return client

    def as_runnable(self) -> Runnable[Sequence[BaseMessage], str]:
        """The model as a step of a chain: messages in, pieces of text out."""
        return self._chat | StrOutputParser()

    async def stream_chat(self, messages: Sequence[BaseMessage]) -> AsyncGenerator[str]:
        """Give the reply piece by piece. Closing the iterator closes the connection, which stops the model."""
        stream = cast("AsyncGenerator[str]", self.as_runnable().astream(list(messages)))
        async with model_errors(), aclosing(stream) as pieces:
            async for piece in pieces:
                if piece:
                    yield piece

    async def stream_json(
        self, messages: Sequence[Mapping[str, str]], *, schema: Mapping[str, Any], max_tokens: int
    ) -> AsyncGenerator[str]:
        """Give the reply to `messages`, in OpenAI's shape, held to a JSON schema; piece by piece."""
        async with model_errors():
            completion = await self.client.chat.completions.create(
                model=self.server.name,
                messages=cast("Any", list(messages)),
                temperature=self.server.temperature,
                response_format=cast("Any", _json_format(schema)),
                extra_body={"max_tokens": max_tokens, **self._extra},
                stream=True,
            )
            async with completion as chunks:
                async for chunk in chunks:
                    if chunk.choices and chunk.choices[0].delta.content:
                        yield chunk.choices[0].delta.content

    async def stream_completion(
        self, prompt: str, *, max_tokens: int, stop: Sequence[str], schema: Mapping[str, Any] | None = None
    ) -> AsyncGenerator[str]:
        """Continue `prompt` as it stands, without any chat format, piece by piece; as JSON where a schema is given."""
        async with model_errors():
            completion = await self.client.completions.create(
                model=self.server.name,
                prompt=prompt,
                max_tokens=max_tokens,
                stop=list(stop),
                temperature=self.server.temperature,
                extra_body=self._extra | ({"response_format": _json_format(schema)} if schema else {}),
                stream=True,
            )
            async with completion as chunks:
                async for chunk in chunks:
                    if chunk.choices and chunk.choices[0].text:
                        yield chunk.choices[0].text

    async def complete(self, prompt: str, *, grammar: str, stop: str, max_tokens: int, alternatives: int) -> Completion:
        """Continue `prompt` by a grammar up to `stop`, at once, with log-probabilities of what was and might be said.

        Only our own model process knows grammars of this kind; cancelling the call stops the model.
        """
        async with model_errors():
            reply = await self.client.completions.create(
                model=self.server.name,
                prompt=prompt,
                max_tokens=max_tokens,
                stop=stop,
                temperature=0.0,
                logprobs=alternatives,
                extra_body={**self._extra, "guided_grammar": grammar},
            )
        said = reply.choices[0]
        told = said.logprobs
        if told is None:
            raise unavailable()
        return Completion(
            said.text,
            tuple(told.tokens or ()),
            tuple(map(float, told.token_logprobs or ())),
            dict((told.top_logprobs or [{}])[0]),
        )

    async def count_tokens(self, texts: Sequence[str]) -> tuple[int, ...] | None:
        """Tokens of each text by the server's own count; None when it has no such call, as most remote ones."""
        counts: list[int] = []
        async with model_errors():
            for text in texts if self._counts_tokens else ():
                count = await self._count(text)
                if count is None:
                    self._counts_tokens = False
                    break
                counts.append(count)
        return tuple(counts) if self._counts_tokens else None

    async def wait_until_up(self) -> None:
        """Return when the server answers, or after a minute in which it is down or loading. Raises nothing.

        While it stays down only one in a minute waits that long: the others are to fail soon.
        """
        began = time.monotonic()
        patience_s = _RETURN_S if began - self._given_up_at > _RETURN_S else 0.0
        while not await self._is_up():
            if time.monotonic() - began >= patience_s:
                self._given_up_at = began + patience_s if patience_s else self._given_up_at
                return
            await asyncio.sleep(_POLL_S)

    async def _is_up(self) -> bool:
        try:
            reply = await self._http.get(f"{self.server.url}/models", timeout=_CONNECT_TIMEOUT_S)
        except httpx.TimeoutException:
            return True  # busy, which is for the answer's own timeout to judge
        except httpx.HTTPError:
            return False
        return reply.status_code not in _DOWN

    async def _count(self, text: str) -> int | None:
        reply = await self._http.post(self.server.url.removesuffix("/v1") + "/tokenize", json={"content": text})
        if reply.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise unavailable()
        if reply.is_error or "json" not in reply.headers.get("content-type", ""):
            return None
        body = reply.json()
        count = body.get("count", len(body.get("tokens", ())))
        return int(count)

    async def aclose(self) -> None:
        """Close the connections, those of running answers too."""
        await self._http.aclose()


def _json_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": dict(schema), "strict": True}}


def unavailable() -> TryLater:
    """The model server cannot be reached or broke off."""
    detail = "Модель сейчас не отвечает. Повторите вопрос через несколько секунд; поиск по документам работает."
    return TryLater("model_unavailable", detail, retry_after_s=_RETRY_AFTER_S)


@asynccontextmanager
async def model_errors() -> AsyncIterator[None]:
    """Turn what the client of the model server raises into ours."""
    try:
        yield
    except (openai.APITimeoutError, httpx.TimeoutException) as exc:
        detail = "Модель слишком долго молчит. Повторите вопрос позже или задайте его короче."
        raise TryLater("model_timeout", detail, retry_after_s=_RETRY_AFTER_S) from exc
    except openai.APIStatusError as exc:
        raise _of_status(exc) from exc
    except (openai.APIError, httpx.HTTPError) as exc:
        raise unavailable() from exc


def _of_status(exc: openai.APIStatusError) -> ServiceError:
    code = exc.status_code
    if code == HTTPStatus.TOO_MANY_REQUESTS:
        return TryLater("model_busy", "Модель занята другими вопросами. Повторите позже.", retry_after_s=_RETRY_AFTER_S)
    if code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return Misconfigured("model_key", "Сервер модели не принял ключ. Проверьте ZNAYKA_LLM_API_KEY.")
    if code == HTTPStatus.NOT_FOUND:
        return Misconfigured("model_unknown", "Сервер не знает такой модели. Проверьте ZNAYKA_MODEL и ZNAYKA_LLM_URL.")
    if (exc.code or "").startswith("schema_"):
        return InvalidRequest(str(exc.code), str((exc.body or {"message": ""})["message"]))  # type: ignore[index]
    if code < HTTPStatus.INTERNAL_SERVER_ERROR:
        detail = "Запрос не помещается в контекст модели. Сократите вопрос или начните разговор заново."
        return InvalidRequest("context_overflow", detail)
    return unavailable()
