"""What was deleted or replaced answers no more: asked with the talk that told it, in streams and in old reports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from core.types import Role
from tests.small_service import SmallService, small_service
from tests.test_api_advisories import finished

BEFORE = "Секретный отпуск Зябликова длится 28 дней."
AFTER = "Обычный отпуск длится 14 дней."
QUESTION = "Сколько длится секретный отпуск?"
PAIRS = f"вопрос;ответ\r\n{QUESTION};99\r\n"
WORD = "зяблик"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[SmallService]:
    with small_service(tmp_path) as running:
        running.model.says = "Секретный отпуск Зябликова длится 28 дней [1]."
        yield running


@pytest.fixture
def admin(service: SmallService) -> httpx.Client:
    return service.client(service.key("administrator", role=Role.ADMINISTRATOR))


def told(service: SmallService, admin: httpx.Client) -> dict[str, list[str]]:
    """What is asked of the model and answered to a caller who asks on, without the caller's own words."""
    history = [{"question": QUESTION, "answer": "28 дней."}]
    talk = [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": "28 дней."},
        {"role": "user", "content": "Повтори, сколько длится секретный отпуск?"},
    ]
    asked = {"question": "Повтори, сколько длится секретный отпуск?", "collection": "A", "history": history}
    service.model.requests.clear()
    answers = [
        admin.post("/v1/ask", json=asked),
        admin.post("/v1/ask", json=asked | {"stream": True}),
        admin.post("/v1/chat/completions", json={"messages": talk, "collection": "A"}),
        admin.post("/v1/chat/completions", json={"messages": talk, "collection": "A", "stream": True}),
        admin.post("/v1/search", json={"query": "секретный отпуск", "collection": "A"}),
    ]
    assert [one.status_code for one in answers] == [200] * len(answers)
    prompts = [json.dumps(one, ensure_ascii=False) for one in service.model.requests]
    return {"answers": [one.text.casefold() for one in answers], "prompts": [one.casefold() for one in prompts]}


@pytest.mark.parametrize("way", ["delete", "replace"])
@pytest.mark.parametrize("is_compacted", [False, True])
def test_a_talk_that_goes_on_gets_nothing_of_a_text_that_is_gone(
    service: SmallService, admin: httpx.Client, way: str, is_compacted: bool
) -> None:
    doomed = service.base.add(BEFORE, collection="A", name="приказ.txt")
    service.base.add("Отпуск за свой счёт длится неделю.", collection="A")
    if is_compacted:
        service.base.compact()
    before = told(service, admin)
    assert all(WORD in one for one in before["answers"])
    assert any(WORD in one for one in before["prompts"]), "the model was given what is looked for below"
    if way == "delete":
        admin.delete(f"/v1/documents/{doomed}").raise_for_status()
    else:
        service.base.add(AFTER, collection="A", name="приказ.txt", is_replacement=True)
    service.model.says = "Отпуск длится неделю [1]."
    after = told(service, admin)
    assert after["prompts"]
    assert [one for one in (*after["answers"], *after["prompts"]) if WORD in one] == []


@pytest.mark.parametrize("way", ["delete", "replace"])
def test_a_report_that_quotes_what_is_gone_is_withheld_and_the_next_one_quotes_nothing_of_it(
    service: SmallService, admin: httpx.Client, way: str
) -> None:
    doomed = service.base.add(BEFORE, collection="A", name="приказ.txt")
    service.base.add("Отпуск за свой счёт длится неделю.", collection="A")
    first = finished(admin, "q.csv", PAIRS, collection="A")
    assert WORD in admin.get(f"/v1/evaluations/{first}/report").text.casefold()
    if way == "delete":
        admin.delete(f"/v1/documents/{doomed}").raise_for_status()
    else:
        service.base.add(AFTER, collection="A", name="приказ.txt", is_replacement=True)
    service.model.says = "Отпуск длится 14 дней [1]."
    second = finished(admin, "q.csv", PAIRS, collection="A")
    assert admin.get(f"/v1/evaluations/{second}").json()["figures"][0]["before"] is not None, "the two are compared"
    for name in ("report", "report.json"):
        assert admin.get(f"/v1/evaluations/{first}/{name}").json()["code"] == "report_outdated"
        answer = admin.get(f"/v1/evaluations/{second}/{name}")
        assert answer.status_code == 200
        assert WORD not in answer.text.casefold()


def test_a_report_of_a_release_that_noted_no_documents_is_withheld(
    service: SmallService, admin: httpx.Client, tmp_path: Path
) -> None:
    service.base.add(BEFORE, collection="A", name="приказ.txt")
    run_id = finished(admin, "q.csv", PAIRS, collection="A")
    assert admin.get(f"/v1/evaluations/{run_id}/report").status_code == 200
    (state,) = tmp_path.rglob(f"{run_id}/run.json")
    kept = json.loads(state.read_text(encoding="utf-8"))
    del kept["sources"]
    state.write_text(json.dumps(kept), encoding="utf-8")
    for name in ("report", "report.json"):
        answer = admin.get(f"/v1/evaluations/{run_id}/{name}")
        assert (answer.status_code, answer.json()["code"]) == (404, "report_outdated")
        assert "прежней версией" in answer.json()["detail"]
    assert admin.get(f"/v1/evaluations/{run_id}").json()["figures"]
