"""OpenAI's completion protocol on the wire: requests as they come, answers as its clients expect them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from core.errors import ServiceError
from generation.catalogue import SamplingDefaults
from generation.formats import Message, Role
from generation.likelihoods import Choice
from generation.sampling import Sampling, Timings

DEFAULT_MAX_TOKENS = 512
TEXT_MAX_CHARS = 2_000_000

Text = Annotated[str, Field(max_length=TEXT_MAX_CHARS)]


class StreamOptions(BaseModel):
    """What a stream carries beside text."""

    include_usage: bool = False


class JsonSchemaIn(BaseModel):
    """A schema as OpenAI names it; `name` and `strict` are taken and change nothing: every answer is held strictly."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    schema_: dict[str, Any] = Field(alias="schema")


class JsonSchemaFormat(BaseModel):
    """`{"type": "json_schema", "json_schema": {"schema": {…}}}`: the answer is JSON of this schema."""

    type: Literal["json_schema"]
    json_schema: JsonSchemaIn


class JsonObjectFormat(BaseModel):
    """`{"type": "json_object"}`: the answer is some JSON object."""

    type: Literal["json_object"]


class TextFormat(BaseModel):
    """`{"type": "text"}`: the answer is text, as without any format."""

    type: Literal["text"]


ResponseFormat = Annotated[JsonSchemaFormat | JsonObjectFormat | TextFormat, Field(discriminator="type")]


class SamplingRequest(BaseModel):
    """Fields that chat and raw completions share. Those of OpenAI's that we do not know are ignored.

    `model` is ignored too: one process serves one model, whatever a client calls it.
    """

    model_config = ConfigDict(extra="ignore")

    model: str = ""
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=0)
    repeat_penalty: float | None = Field(None, gt=0, le=2)
    stop: str | list[str] | None = None
    seed: int | None = None
    response_format: ResponseFormat | None = None

    @property
    def json_schema(self) -> dict[str, Any] | None:
        """The schema that the answer must have, if it must be JSON at all."""
        match self.response_format:
            case JsonSchemaFormat(json_schema=wanted):
                return wanted.schema_
            case JsonObjectFormat():
                return {"type": "object"}
        return None

    def sampling(self, defaults: SamplingDefaults, stop: tuple[str, ...] = ()) -> Sampling:
        """What was asked for, the model's defaults where nothing was."""
        asked = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return Sampling(
            max_tokens=self.max_completion_tokens or self.max_tokens or DEFAULT_MAX_TOKENS,
            temperature=defaults.temperature if self.temperature is None else self.temperature,
            top_k=defaults.top_k if self.top_k is None else self.top_k,
            top_p=defaults.top_p if self.top_p is None else self.top_p,
            repeat_penalty=defaults.repeat_penalty if self.repeat_penalty is None else self.repeat_penalty,
            stop=(*stop, *asked),
            seed=None if self.seed is None else self.seed % 2**32,
        )


class TextPart(BaseModel):
    """A part of a message's content; we read text only."""

    type: Literal["text"]
    text: Text


class ChatMessage(BaseModel):
    """A message; `developer` is OpenAI's newer word for `system`."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Text | list[TextPart]

    def message(self) -> Message:
        """The message with its parts joined."""
        text = self.content if isinstance(self.content, str) else "\n".join(part.text for part in self.content)
        role: Role = "system" if self.role == "developer" else self.role
        return Message(role, text)


class ChatRequest(SamplingRequest):
    """`POST /v1/chat/completions`."""

    messages: list[ChatMessage] = Field(min_length=1)

    def conversation(self, system_prompt: str) -> list[Message]:
        """The messages, with the model's own system prompt first when they bring none."""
        messages = [message.message() for message in self.messages]
        if system_prompt and messages[0].role != "system":
            messages.insert(0, Message("system", system_prompt))
        return messages


class CompletionRequest(SamplingRequest):
    """`POST /v1/completions`: the prompt is text, in which no marker becomes a control token.

    `guided_grammar` is vLLM's name: a grammar in llguidance's dialect of Lark that the answer must follow.
    """

    prompt: Text
    logprobs: int | None = Field(None, ge=0, le=20)
    guided_grammar: Text | None = None


class TokenizeRequest(BaseModel):
    """`POST /tokenize`."""

    content: Text


@dataclass(frozen=True, slots=True)
class Reply:
    """Shapes of one answer; `is_chat` tells chat completions from raw ones."""

    model: str
    is_chat: bool
    id: str = field(default_factory=lambda: f"cmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def opening(self) -> dict[str, Any]:
        """The first event of a chat stream, which names the role."""
        return self._event({"delta": {"role": "assistant", "content": ""}})

    def piece(self, text: str) -> dict[str, Any]:
        """An event with some text."""
        return self._event({"delta": {"content": text}} if self.is_chat else {"text": text})

    def closing(self, timings: Timings) -> dict[str, Any]:
        """The event that says why the text ended."""
        end: dict[str, Any] = {"delta": {}} if self.is_chat else {"text": ""}
        return self._event({**end, "finish_reason": timings.finish_reason})

    def usage(self, timings: Timings) -> dict[str, Any]:
        """The event after the last, with counts only."""
        return {**self._head("chat.completion.chunk"), "choices": [], **_counts(timings)}

    def whole(self, text: str, timings: Timings, logprobs: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer of a request that does not stream."""
        said = {"message": {"role": "assistant", "content": text}} if self.is_chat else {"text": text}
        choice = {"index": 0, **said, "finish_reason": timings.finish_reason, "logprobs": logprobs}
        return {**self._head("chat.completion"), "choices": [choice], **_counts(timings)}

    def _event(self, said: dict[str, Any]) -> dict[str, Any]:
        choice = {"index": 0, "finish_reason": None, "logprobs": None, **said}
        return {**self._head("chat.completion.chunk"), "choices": [choice]}

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind if self.is_chat else "text_completion",
            "created": self.created,
            "model": self.model,
        }


def logprobs_of(choices: Sequence[Choice], piece: Callable[[int], bytes]) -> dict[str, Any]:
    """Log-probabilities in the shape of OpenAI's completions; `piece` gives a token's bytes."""

    def text(token: int) -> str:
        return piece(token).decode(errors="replace")

    return {
        "tokens": [text(choice.token) for choice in choices],
        "token_logprobs": [choice.logprob for choice in choices],
        "top_logprobs": [{text(id_): logprob for id_, logprob in choice.likeliest} for choice in choices],
    }


def _counts(timings: Timings) -> dict[str, Any]:
    return {
        "usage": {
            "prompt_tokens": timings.prompt_tokens,
            "completion_tokens": timings.completion_tokens,
            "total_tokens": timings.prompt_tokens + timings.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": timings.reused_tokens},
        },
        "timings": {
            "prefill_ms": round(timings.prefill_ms, 1),
            "decode_ms": round(timings.decode_ms, 1),
            "tokens_per_s": round(timings.tokens_per_s, 2),
        },
    }


def error_body(error: ServiceError, kind: str) -> dict[str, Any]:
    """OpenAI's shape of an error."""
    return {"error": {"message": error.detail, "type": kind, "param": None, "code": error.code}}
