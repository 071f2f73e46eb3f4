"""An evaluation's figures in words for people who never heard of recall. Pure functions of the values shown."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ui.wire import Evaluation, Figure
from ui.words import count, duration

FEW = 20  # below so many questions the interval is so wide that it must be said
VERDICTS = {
    "better": ":green[:material/trending_up: лучше]",
    "worse": ":red[:material/trending_down: хуже]",
    "noise": ":gray[:material/trending_flat: в пределах шума]",
}
ENDS = {
    "done": "готова",
    "failed": "не удалась",
    "stopped": "остановлена",
    "interrupted": "прервана",
}
# The reasons as the service names them, with what each means for the one who keeps the documents.
REASONS = {
    "не найдено поиском": "Поиск не нашёл место с ответом.",
    "найдено, но не использовано": "Место с ответом найдено, но ответ дан по другому.",
    "неверные слова": "Место найдено, но в ответе нет ожидаемых слов.",
    "напрасный отказ": "Место найдено, но вместо ответа — отказ.",
    "ответ вместо отказа": "Верен был отказ, а Знайка ответила.",
    "ответ не по-русски": "Ответ дан не по-русски.",
}


@dataclass(frozen=True, slots=True)
class Wording:
    """How a measure is called and explained; `is_opposite` ones are shown as what is missing to the whole."""

    measure: str
    title: str
    meaning: str
    is_opposite: bool = False


WORDINGS = (
    Wording("right", "Верный ответ", "В ответе есть ожидаемые слова или почти все они."),
    Wording("found_place", "Найдено нужное место", "Среди найденного было место, где написан ответ."),
    Wording("cited_place", "Цитата на нужной странице", "Из данных ответов: источник — тот документ и та страница."),
    Wording("wrongly_refused", "Напрасные отказы", "Ответ в документах есть, а получен отказ. Чем меньше, тем лучше."),
    Wording(
        "refused", "Ответы вместо отказа", "Ответа в документах нет, а он всё же дан. Чем меньше, тем лучше.", True
    ),
)


def worded(evaluation: Evaluation) -> tuple[tuple[Wording, Figure], ...]:
    """The figures that a person is shown, in the order of their weight; those without a question are left out."""
    known = {figure.measure: figure for figure in evaluation.figures}
    return tuple(
        (one, _opposite(known[one.measure]) if one.is_opposite else known[one.measure])
        for one in WORDINGS
        if one.measure in known
    )


def percent(share: float) -> str:
    """92 %."""
    return f"{round(100 * share)}\N{NO-BREAK SPACE}%"


def details(figure: Figure) -> str:
    """Of how many questions, and within which bounds chance may move it."""
    asked = count(figure.count, "вопроса", "вопросов", "вопросов")
    bounds = f"скорее всего, от {round(100 * figure.low)} до {percent(figure.high)}"
    return f"{round(figure.value * figure.count)} из {asked}; на других таких же вопросах, {bounds}."


def compared(figure: Figure) -> str:
    """Against the earlier run, as markup of ours; empty without one."""
    if figure.before is None or figure.verdict not in VERDICTS:
        return ""
    return f"{VERDICTS[figure.verdict]} (было {percent(figure.before)})"


def progress(evaluation: Evaluation) -> str:
    """How far a run is and how long it will take."""
    asked = f"Задано {evaluation.done} из {count(evaluation.total, 'вопроса', 'вопросов', 'вопросов')}"
    if evaluation.done == evaluation.total:
        return f"{asked}, готовим отчёт…"
    left = f", осталось примерно {duration(evaluation.eta_s)}" if evaluation.eta_s else ""
    return f"{asked}{left}."


def named(evaluation: Evaluation) -> str:
    """A run in a list: when, which file, how it ended."""
    when = evaluation.created_at.astimezone()
    return f"{when:%d.%m.%Y %H:%M} · {evaluation.name} · {ENDS.get(evaluation.status, 'идёт')}"


def _opposite(figure: Figure) -> Figure:
    before = None if figure.before is None else 1 - figure.before
    return replace(figure, value=1 - figure.value, low=1 - figure.high, high=1 - figure.low, before=before)
