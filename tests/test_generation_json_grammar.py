"""Answers of the model process that are held to a JSON schema: always valid, whatever the model would have said."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from core.errors import InvalidRequest, TooLarge
from core.settings import load_settings
from generation.json_grammar import PatternMatcher, check_usable
from generation.json_schema import Bounds, SchemaLimits, allows_null, bounded, resolve
from generation.served import load_chosen
from tests.live_model_server import live_server, wait_until

TEXT = "Договор поставки № 15-К от 12 марта 2026 года. Поставщик — ООО «Ромашка». Сумма 15 000 рублей, не оплачен."
SHORT = {"type": "string", "maxLength": 40}
AMOUNT = {"type": "number", "minimum": 0, "maximum": 1_000_000}


def of(required: bool = True, **properties: Any) -> dict[str, Any]:
    names = list(properties) if required else []
    return {"type": "object", "properties": properties, "required": names, "additionalProperties": False}


SCHEMAS: dict[str, dict[str, Any]] = {
    "flat": of(number=SHORT, date={"type": "string", "format": "date"}, total=AMOUNT),
    "nullable": of(number={"type": ["string", "null"], "maxLength": 40}, paid={"type": ["boolean", "null"]}),
    "any of": of(total={"anyOf": [AMOUNT, {"type": "null"}]}),
    "one of": of(party={"oneOf": [SHORT, {"type": "integer", "minimum": 0, "maximum": 99}]}),
    "choices": of(kind={"enum": ["договор", "счёт", "акт"]}, version={"const": 2}),
    "mixed choices": of(value={"enum": ["да", 1, 2.5, True, None]}),
    "nested": of(buyer=of(name=SHORT, address=of(city=SHORT, street=SHORT))),
    "strings in a list": of(items={"type": "array", "items": SHORT, "minItems": 1, "maxItems": 3}),
    "objects in a list": of(rows={"type": "array", "maxItems": 2, "items": of(name=SHORT, sum=AMOUNT)}),
    "numbers in bounds": of(
        day={"type": "integer", "minimum": 1, "maximum": 31},
        share={"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    ),
    "pattern": of(inn={"type": "string", "pattern": r"^\d{10}(\d{2})?$"}),
    "pattern anywhere": of(code={"type": "string", "pattern": r"[А-Я]-\d", "maxLength": 20}),
    "formats": of(
        moment={"type": "string", "format": "date-time"},
        time={"type": "string", "format": "time"},
        id={"type": "string", "format": "uuid"},
    ),
    "references": {
        **of(seller={"$ref": "#/$defs/party"}, buyer={"$ref": "#/$defs/party"}),
        "$defs": {"party": of(name=SHORT)},
    },
    "optional": of(required=False, number=SHORT, total=AMOUNT, paid={"type": "boolean"}),
    "russian names": of(**{"номер договора": SHORT, "сумма, ₽": AMOUNT, 'в "кавычках"': {"type": "boolean"}}),
    "lengths": of(code={"type": "string", "minLength": 4, "maxLength": 4}),
    "list at the top": {"type": "array", "items": AMOUNT, "minItems": 2, "maxItems": 4},
    "string at the top": {"type": "string", "maxLength": 30},
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    settings = load_settings().model_copy(update={"data_dir": tmp_path_factory.mktemp("model"), "llm_threads": 1})
    with live_server(lambda: load_chosen(settings)) as client:
        wait_until(lambda: client.get("/ready").status_code == 200, timeout_s=120)
        yield client


def ask(client: httpx.Client, schema: dict[str, Any], **fields: Any) -> httpx.Response:
    body = {
        "prompt": f"{TEXT}\n\nJSON: ",
        "max_tokens": 400,
        "temperature": 0,
        "response_format": {"type": "json_schema", "json_schema": {"name": "facts", "schema": schema}},
    }
    return client.post("/v1/completions", json=body | fields)


@pytest.mark.real_model
@pytest.mark.parametrize("name", SCHEMAS)
def test_what_the_model_says_is_valid_by_the_schema(client: httpx.Client, name: str) -> None:
    choice = ask(client, SCHEMAS[name]).json()["choices"][0]
    assert choice["finish_reason"] == "stop", choice
    rules = Draft202012Validator(SCHEMAS[name], format_checker=Draft202012Validator.FORMAT_CHECKER)
    rules.validate(json.loads(choice["text"]))


@pytest.mark.real_model
def test_random_choices_are_valid_too(client: httpx.Client) -> None:
    schema = SCHEMAS["nullable"]
    for seed in range(3):
        choice = ask(client, schema, temperature=2.0, top_k=0, top_p=1, seed=seed).json()["choices"][0]
        Draft202012Validator(schema).validate(json.loads(choice["text"]))


@pytest.mark.real_model
def test_chat_and_its_stream_take_the_same_format(client: httpx.Client) -> None:
    body = {
        "messages": [{"role": "user", "content": TEXT}],
        "temperature": 0,
        "response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMAS["choices"]}},
    }
    whole = client.post("/v1/chat/completions", json=body).json()["choices"][0]["message"]["content"]
    assert json.loads(whole)["version"] == 2
    lines = client.post("/v1/chat/completions", json={**body, "stream": True}).text.splitlines()
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
    streamed = json.loads("".join(event["choices"][0]["delta"].get("content", "") for event in events))
    assert Draft202012Validator(SCHEMAS["choices"]).is_valid(streamed)


@pytest.mark.real_model
def test_any_json_object_can_be_asked_for(client: httpx.Client) -> None:
    free = ask(client, {}, response_format={"type": "json_object"}, max_tokens=200).json()["choices"][0]
    assert free["text"].startswith("{")
    if free["finish_reason"] == "stop":
        assert isinstance(json.loads(free["text"]), dict)


@pytest.mark.real_model
def test_a_schema_without_any_value_is_refused_and_the_process_lives_on(client: httpx.Client) -> None:
    refused = ask(client, of(day={"type": "integer", "minimum": 5, "maximum": 1}))
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "schema_unusable")
    assert ask(client, SCHEMAS["choices"]).status_code == 200


@pytest.mark.real_model
def test_a_schema_over_the_limit_is_too_large(client: httpx.Client) -> None:
    assert ask(client, of(kind={"enum": ["я" * 40_000]})).status_code == 413


def _deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = of(inner=schema)
    return schema


def _doubling(levels: int) -> dict[str, Any]:
    """References that double at every level: 2**levels fields in a few lines."""
    defs = {f"d{n}": of(a={"$ref": f"#/$defs/d{n + 1}"}, b={"$ref": f"#/$defs/d{n + 1}"}) for n in range(levels)}
    return {"$ref": "#/$defs/d0", "$defs": {**defs, f"d{levels}": {"type": "null"}}}


@pytest.mark.parametrize(
    ("schema", "code"),
    [
        (_deep(200), "schema_too_deep"),
        (_doubling(7), "schema_too_complex"),
        ({"enum": list(range(1000))}, "schema_too_complex"),
        ({"$ref": "#"}, "schema_recursive"),
        ({"$ref": "#/$defs/n", "$defs": {"n": of(next={"$ref": "#/$defs/n"})}}, "schema_recursive"),
        ({"$ref": "https://example.com/schema.json"}, "schema_reference"),
        ({"$ref": "file:///etc/passwd"}, "schema_reference"),
        ({"$ref": "#/$defs/nothing"}, "schema_reference"),
        ({"type": "string", "pattern": "a" * 300}, "schema_pattern"),
        ({"type": "string", "format": "regex"}, "schema_format"),
        ({"not": {"type": "string"}}, "schema_keyword"),
        ({"type": "array", "items": {"type": "string"}, "uniqueItems": True}, "schema_keyword"),
        ({"oneOf": [{"type": "string"}, {"enum": ["a"]}]}, "schema_keyword"),
        ({}, "schema_type"),
        ({"type": "file"}, "schema_type"),
        ({"type": "object", "properties": []}, "bad_schema"),
        ({"type": "object", "properties": {"a": True}}, "bad_schema"),
        ({"type": "object", "properties": {}, "required": ["a"]}, "bad_schema"),
        ({"type": "string", "maxLength": -1}, "bad_schema"),
        ({"enum": [{"a": 1}]}, "schema_choice"),
    ],
)
def test_a_schema_that_cannot_be_followed_is_refused_with_a_reason(schema: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        resolve(schema, SchemaLimits())
    assert refused.value.code == code
    assert any("а" <= letter <= "я" for letter in refused.value.detail)


def test_a_schema_of_too_many_bytes_is_too_large() -> None:
    with pytest.raises(TooLarge):
        resolve({"type": "string", "description": "я" * 20_000}, SchemaLimits())


@pytest.mark.parametrize("pattern", ["(?=a)b", r"(a)\1", "((((((a{0,99}){0,99}){0,99}){0,99}){0,99}){0,99}"])
def test_a_pattern_that_cannot_be_followed_quickly_is_refused(pattern: str) -> None:
    started = time.monotonic()
    with pytest.raises(InvalidRequest):
        check_usable(resolve({"type": "string", "pattern": pattern}, SchemaLimits()))
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        (r"^\d{10}$", "7701234567", True),
        (r"^\d{10}$", "770123456", False),
        (r"\d{4}", "год 2026", True),
        ("^(a+)+$", "a" * 60 + "!", False),
        ("^((a{1,100}){1,100}){1,100}$", "a" * 5000 + "!", False),
        ("(.*)*(.*)*(.*)*b", "x" * 2000, False),
    ],
)
def test_patterns_are_matched_in_time_whatever_they_are(pattern: str, text: str, matches: bool) -> None:
    started = time.monotonic()
    assert PatternMatcher().matches(pattern, text) == matches
    assert time.monotonic() - started < 2


def test_a_number_beyond_all_bounds_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="schema_unusable"):
        check_usable(resolve({"enum": [10**30]}, SchemaLimits()))


def test_references_are_followed_and_keep_what_their_place_says() -> None:
    schema = {"$defs": {"p": of(name=SHORT)}, **of(buyer={"$ref": "#/$defs/p", "description": "Кто платит"})}
    buyer = resolve(schema, SchemaLimits())["properties"]["buyer"]
    assert (buyer["description"], buyer["properties"]["name"]) == ("Кто платит", SHORT)


@pytest.mark.parametrize(
    ("schema", "stricter"),
    [
        ({"type": "integer"}, {"minimum": -(10**15), "maximum": 10**15}),
        ({"type": ["number", "null"], "minimum": 0}, {"minimum": 0, "maximum": 10**15, "multipleOf": 0.000001}),
        ({"type": "integer", "exclusiveMaximum": 10**18}, {"minimum": -(10**18), "exclusiveMaximum": 10**18}),
        ({"type": "string", "format": "date-time"}, {"maxLength": 32}),
        ({"type": "string", "minLength": 400}, {"maxLength": 400}),
        ({"type": "string", "maxLength": 5}, {"maxLength": 5}),
        (
            {"type": "array", "items": {"type": "string"}},
            {"maxItems": 20, "items": {"type": "string", "maxLength": 300}},
        ),
        (of(required=False, a=SHORT), {"additionalProperties": False}),
        ({"enum": [1, "два"]}, {}),
    ],
)
def test_every_value_is_given_an_end(schema: dict[str, Any], stricter: dict[str, Any]) -> None:
    made = bounded(resolve(schema, SchemaLimits()), Bounds(max_chars=300, max_items=20))
    assert made == resolve(schema, SchemaLimits()) | stricter
    check_usable(made)


@pytest.mark.parametrize(
    ("schema", "may"),
    [
        ({"type": "null"}, True),
        ({"type": ["string", "null"]}, True),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, True),
        ({"enum": ["a", None]}, True),
        ({"type": "string"}, False),
        ({"type": ["string", "null"], "enum": ["a"]}, False),
    ],
)
def test_null_is_allowed_where_the_schema_says_so(schema: dict[str, Any], may: bool) -> None:
    assert allows_null(schema) == may


def test_the_model_file_is_not_needed_to_check_a_schema(tmp_path: Path) -> None:
    check_usable(resolve(SCHEMAS["references"], SchemaLimits()))
