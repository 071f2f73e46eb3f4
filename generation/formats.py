"""How each model family writes a conversation. Sources: the model cards and training code of the Saiga family.

The three official encodings of the 2023 models disagree: training writes a newline after `</s>`, the llama.cpp demo
does not, and it puts a space before each content, which SentencePiece adds to whatever it is given first. We write
the text of the training template, `<s>{role}\\n{content}</s>\\n`, and the ids whose bytes are exactly that text:
`</s>` is token 2, the newline after it token 13 alone (not a space and a newline), and role, newline and content are
one stretch, so that no space creeps in before the content.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal, Protocol

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from core.errors import InvalidRequest, Misconfigured
from generation.tokens import Content, Markup, Piece, Special

UNREADABLE = (TemplateError, TypeError, ValueError)

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation."""

    role: Role
    content: str


class ChatFormat(StrEnum):
    """Names of the formats in the catalogue."""

    SAIGA = "saiga"  # F1: Saiga 1 and 2, on LLaMA
    SAIGA_MISTRAL = "saiga_mistral"  # F2
    LLAMA3 = "llama3"  # F3
    NEMO = "nemo"  # F4
    TEMPLATE = "template"  # what the GGUF carries, or nothing
    PLAIN = "plain"  # a base model that knows no turns


class Format(Protocol):
    """Writes a conversation so that the model's turn comes next."""

    @property
    def stop(self) -> tuple[str, ...]:
        """Texts that end the model's turn, beside its own end-of-turn tokens."""

    def prompt(self, messages: Sequence[Message]) -> list[Piece]:
        """Pieces of the prompt. Raises `InvalidRequest` for an order of roles that the model cannot read."""


class SaigaFormat:
    """F1 and F2: `<s>{role}\\n{content}</s>`, after which F1 writes a newline; then `<s>bot\\n`."""

    stop: tuple[str, ...] = ()

    def __init__(self, *, has_newline_after_turn: bool) -> None:
        self._turn_end: list[Piece] = [Special.EOS, *([Special.NEWLINE] if has_newline_after_turn else [])]

    def prompt(self, messages: Sequence[Message]) -> list[Piece]:
        """Every message keeps its place; the assistant's role is written `bot`."""
        pieces: list[Piece] = []
        for message in messages:
            role = "bot" if message.role == "assistant" else message.role
            pieces += [Special.BOS, Markup(f"{role}\n"), Content(message.content), *self._turn_end]
        return [*pieces, Special.BOS, Markup("bot\n")]


class Llama3Format:
    """F3: `<|start_header_id|>{role}<|end_header_id|>\\n\\n{content}<|eot_id|>`."""

    stop: tuple[str, ...] = ()

    def prompt(self, messages: Sequence[Message]) -> list[Piece]:
        """Headers stand before every message and, empty, before the answer."""
        pieces: list[Piece] = [Special.BOS]
        for message in messages:
            pieces += [_llama3_header(message.role), Content(message.content), Markup("<|eot_id|>")]
        return [*pieces, _llama3_header("assistant")]


def _llama3_header(role: Role) -> Markup:
    return Markup(f"<|start_header_id|>{role}<|end_header_id|>\n\n")


class NemoFormat:
    """F4: `<s>{system}\\n\\n[INST] {user} [/INST] {assistant}</s>[INST] …`: the system text stands outside."""

    stop: tuple[str, ...] = ()

    def prompt(self, messages: Sequence[Message]) -> list[Piece]:
        """A system message is written where it stands, with an empty line after it."""
        pieces: list[Piece] = [Special.BOS]
        for message in messages:
            content = Content(message.content)
            match message.role:
                case "system":
                    pieces += [content, Markup("\n\n")]
                case "user":
                    pieces += [Markup("[INST] "), content, Markup(" [/INST]")]
                case "assistant":
                    pieces += [Markup(" "), content, Special.EOS]
        return pieces


class PlainFormat:
    """A transcript that a base model, which knows no turns, continues."""

    stop = ("\nВопрос:", "\nОтвет:")

    def prompt(self, messages: Sequence[Message]) -> list[Piece]:
        """System text first, then questions and answers by name."""
        names: dict[Role, str] = {"system": "", "user": "Вопрос: ", "assistant": "Ответ: "}
        lines = [f"{names[message.role]}{message.content}\n" for message in messages]
        return [Content("".join(lines)), Markup("Ответ:")]


class TemplateFormat:
    """The Jinja template that the GGUF carries, run in a sandbox with stand-ins for the contents.

    Contents are put in after the template has run: none of its filters, and no marker search, sees them. They are
    trimmed, as the family's templates do.
    """

    stop: tuple[str, ...] = ()

    def __init__(self, source: str, *, bos: str, eos: str) -> None:
        """Compile; raises `Misconfigured` when the template is not Jinja."""
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.globals["raise_exception"] = _refuse
        self._names = {"bos_token": bos, "eos_token": eos, "add_generation_prompt": True}
        try:
            self._template = environment.from_string(source)
        except TemplateError as exc:
            raise Misconfigured("bad_chat_template", f"Шаблон беседы в файле модели неверен: {exc}.") from exc

    def prompt(self, messages: Sequence[Message]) -> list[Piece]:
        """Where the template refuses a system message, its text is put before the first question."""
        try:
            return self._render(messages)
        except UNREADABLE as exc:
            folded = _fold_system(messages)
            if folded is None:
                raise _unreadable(exc) from exc
        try:
            return self._render(folded)
        except UNREADABLE as exc:
            raise _unreadable(exc) from exc

    def _render(self, messages: Sequence[Message]) -> list[Piece]:
        # Private-use characters cannot be confused with contents, which the template never sees.
        stand_ins = [f"\ue000{n}\ue001" for n in range(len(messages))]
        turns: list[dict[str, Any]] = [
            {"role": message.role, "content": stand_in} for message, stand_in in zip(messages, stand_ins, strict=True)
        ]
        pieces: list[Piece] = []
        for part in self._template.render(messages=turns, **self._names).split("\ue000"):
            number, is_filled, rest = part.rpartition("\ue001")
            if is_filled:
                pieces.append(Content(messages[int(number)].content.strip()))
            pieces.append(Markup(rest))
        return pieces


def _refuse(reason: str) -> None:
    raise TemplateError(reason)


def _unreadable(exc: Exception) -> InvalidRequest:
    return InvalidRequest("bad_messages", f"Модель не принимает такой порядок сообщений: {exc}. Начните новую беседу.")


def _fold_system(messages: Sequence[Message]) -> list[Message] | None:
    """The conversation with the system text at the head of the first question; None where that changes nothing."""
    if len(messages) < 2 or messages[0].role != "system" or messages[1].role != "user":
        return None
    system, question, *rest = messages
    return [replace(question, content=f"{system.content}\n\n{question.content}"), *rest]


def make_format(name: ChatFormat, *, template: str | None, bos: str, eos: str) -> Format:
    """The format of a loaded model: from 2024 on the GGUF's own template decides, since cards were edited.

    Raises `Misconfigured` when the model needs a template and the file carries none.
    """
    match name:
        case ChatFormat.SAIGA | ChatFormat.SAIGA_MISTRAL:
            return SaigaFormat(has_newline_after_turn=name is ChatFormat.SAIGA)
        case ChatFormat.PLAIN:
            return PlainFormat()
        case _ if template:
            return TemplateFormat(template, bos=bos, eos=eos)
        case ChatFormat.LLAMA3:
            return Llama3Format()
        case ChatFormat.NEMO:
            return NemoFormat()
    raise Misconfigured("no_chat_template", "В файле модели нет шаблона беседы. Скачайте файл из каталога заново.")
