"""`znayka train`: from one's own documents to an adapter of one's own: dataset, run, export."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli.console import say, size, table

if TYPE_CHECKING:
    from core.settings import Settings
    from training.card import Card
    from training.course import Finished, Plan
    from training.outlook import Outlook
    from training.record import Base
    from training.selfinstruct import Author

app = typer.Typer(help="Дообучение модели на своих документах.", no_args_is_help=True)

LICENCE = "Gemma Terms of Use"
SETTINGS_TEACHER = "settings"
LOG_EVERY_S = 60.0

Told = Callable[[str, int, int], None]


@app.command()
def dataset(
    output: Annotated[Path, typer.Option(help="Папка для набора данных.")] = Path("data/training/dataset"),
    collection: Annotated[str, typer.Option("--collection", "-c", help="Коллекция своих документов.")] = "",
    pairs: Annotated[
        Path | None, typer.Option(help="Вопросы с ответами по этой коллекции: CSV, XLSX, JSONL.", show_default=False)
    ] = None,
    xquad: Annotated[
        Path | None, typer.Option(help="Папка с xquad.ru.json и split.json; берутся статьи train.", show_default=False)
    ] = None,
    kb: Annotated[
        Path | None, typer.Option(help="Архив документации Yandex Cloud (.tar.xz).", show_default=False)
    ] = None,
    own: Annotated[bool, typer.Option(help="Добавить тексты с вопросами, которые идут со Знайкой.")] = True,
    mine: Annotated[bool, typer.Option(help="Вывести вопросы из заголовков, определений, пунктов и сроков.")] = True,
    teacher: Annotated[
        str, typer.Option(help="Адрес сервера OpenAI (…/v1), который напишет вопросы; settings — из настроек.")
    ] = "",
    teacher_model: Annotated[str, typer.Option(help="Имя модели на этом сервере.")] = "default",
    passes: Annotated[int, typer.Option(min=1, help="Сколько раз показать отрывок, каждый раз с другими.")] = 2,
    seed: Annotated[int, typer.Option(help="С тем же числом набор получится тем же.")] = 7,
) -> None:
    """Собрать уроки: отрывки в том виде, в каком их показывает поиск, вопросы, ответы и отказы."""
    from core.settings import load_settings
    from training.extra import require_extra

    require_extra()
    from training.dataset import Recipe, build
    from training.gathering import Wanted, gather

    settings = load_settings()
    author = _author(settings, teacher, teacher_model) if teacher else None
    wanted = Wanted(collection, pairs, xquad, kb, has_our_texts=own, is_mined=mine, author=author)
    with _bar("Собираю", "{task.fields[what]}: {task.completed} из {task.total}") as told:
        gathered = gather(wanted, settings, told)
        try:
            recipe = Recipe(output.name, settings.embedding_model, passes, seed)
            card = build(gathered.sources, recipe, gathered.finder(told), output)
        finally:
            gathered.close()
    _show_card(card)
    say(f"\nНабор: {output}, описание: {output / 'card.md'}. Учить: znayka train run {output} --output ПАПКА")


@app.command("run")
def run_course(
    data: Annotated[Path, typer.Argument(help="Папка, которую собрала znayka train dataset.")],
    output: Annotated[Path, typer.Option(help="Папка обучения; прерванное продолжается с неё.")] = Path(
        "data/training/run"
    ),
    model: Annotated[str, typer.Option(help="Модель из каталога, над которой учить.")] = "gemma3_270m",
    rank: Annotated[int, typer.Option(min=1, help="Ранг матриц адаптера.")] = 32,
    alpha: Annotated[int, typer.Option(min=1, help="Вес адаптера: прибавка умножается на alpha / rank.")] = 32,
    rate: Annotated[float, typer.Option(min=0, help="Скорость обучения.")] = 5e-4,
    passes: Annotated[int, typer.Option(min=1, help="Сколько раз пройти все уроки.")] = 1,
    lessons: Annotated[int, typer.Option(min=0, help="Закончить после стольких уроков; 0 — после всех.")] = 0,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="cpu, cuda или auto.")] = "auto",
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        typer.Option(help="Точность умножений: bfloat16 быстрее, где её умеет процессор."),
    ] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="Потоков на процессоре; 0 — сколько ядер.")] = 0,
    dev_minutes: Annotated[float, typer.Option(min=0, help="Как часто считать потери на проверочных.")] = 30,
    start: Annotated[
        Path | None, typer.Option("--from", help="Начать с адаптера этого обучения.", show_default=False)
    ] = None,
) -> None:
    """Обучить адаптер LoRA. Прерванное обучение продолжается той же командой."""
    from core.settings import load_settings
    from training.extra import require_extra

    require_extra()
    import torch

    from training.course import Listener, Plan, conduct
    from training.run import Course
    from training.weights import Lora

    torch.set_num_threads(threads or len(os.sched_getaffinity(0)))
    lora, course = Lora(rank, alpha), Course(learning_rate=rate)
    plan = Plan(data, output, passes, lessons, lora, course, device, precision, dev_minutes * 60, start)
    base, path = base_of(load_settings(), model)
    with _bar("Учу", "{task.completed} из {task.total}, {task.fields[what]}") as told:
        listener = Listener(
            _show_outlook,
            lambda progress: told(f"потери {progress.loss:.3f}", progress.step, progress.steps),
            lambda step, loss: say(f"Шаг {step}: потери на проверочных документах {loss:.4f}"),
        )
        finished = conduct(plan, base, path, listener)
    _track(plan, finished)
    say(f"Обучено за {_minutes(finished.outcome.seconds)}.")
    say(f"Записать адаптер: znayka train export {output} --to ФАЙЛ.gguf")


@app.command()
def export(
    run_folder: Annotated[Path, typer.Argument(help="Папка, которую создала znayka train run.")],
    to: Annotated[Path, typer.Option(help="Файл адаптера.")] = Path("adapter.gguf"),
    name: Annotated[str, typer.Option(help="Как назвать адаптер.")] = "Адаптер Знайки",
    licence: Annotated[str, typer.Option(help="На каких условиях им можно пользоваться.")] = LICENCE,
    merged: Annotated[
        Path | None,
        typer.Option(help="Записать ещё и целую модель с адаптером в весах, сжатую как исходная.", show_default=False),
    ] = None,
) -> None:
    """Записать адаптер в GGUF для llama.cpp и показать, как его подключить."""
    from core.settings import load_settings
    from generation import embedded
    from generation.model_file import sha256_of
    from training.extra import require_extra

    require_extra()
    from training.export import About, export_merged, export_run
    from training.record import read_record

    record = read_record(run_folder)
    base, path = base_of(load_settings(), record.base.name)
    require_same(base, record.base)
    written = export_run(run_folder, path, About(name, licence), to)
    say(f"Адаптер: {written.path}, {size(written.size_bytes)}, матриц: {written.matrices}.")
    if merged:
        model = export_merged(written.path, path, About(name, licence), merged)
        say(f"Модель с адаптером в весах: {model.path}, {size(model.size_bytes)}. Адаптер ей не нужен.")
    if base.name == embedded.NAME:
        say(f"\nПодключить: ZNAYKA_ADAPTER={written.path.absolute()} znayka run")
        return
    say(f"\nПоложите файл в generation/adapters/ и укажите в записи модели {base.name} (generation/catalogue.toml):\n")
    say(f'answers = "spans"\nadapter = "{written.path.name}"\nadapter_sha256 = "{sha256_of(written.path)}"')


@app.command()
def calibrate(
    adapter: Annotated[Path, typer.Argument(help="Адаптер, который записала znayka train export.")],
    data: Annotated[Path, typer.Argument(help="Папка набора данных: его проверочные уроки и спрашивают.")],
) -> None:
    """Подобрать шкалу уверенности адаптера: когда отказывать и насколько верить ответу."""
    from core.settings import load_settings
    from training.extra import require_extra

    require_extra()
    from cli.calibrating import calibrate as fit_beside

    with _bar("Спрашиваю", "{task.completed} из {task.total}") as told:
        fit_beside(load_settings(), adapter, data, lambda done, total: told("вопросы", done, total))


def base_of(settings: Settings, name: str) -> tuple[Base, Path]:
    """A model of the catalogue as a base, and its file. Raises `NotFound`, or `WrongModelFile` for a damaged one."""
    from generation import hub
    from generation.catalogue import load_catalogue
    from generation.model_file import sha256_of
    from training.record import Base

    path = hub.verify(load_catalogue().find(name), hub.Shelf.of(settings), trust_stamp=True)
    return Base(name, path.name, sha256_of(path)), path


def require_same(here: Base, trained: Base) -> None:
    """Raise `Misconfigured` unless the model's file here is the one the adapter was trained over."""
    from core.errors import Misconfigured

    if here.sha256 != trained.sha256:
        detail = f"Адаптер учили над файлом {trained.file} с SHA-256 {trained.sha256}, а здесь {here.sha256}."
        raise Misconfigured("other_base", detail)


def _author(settings: Settings, teacher: str, model: str) -> Author:
    from core.errors import Misconfigured
    from training.selfinstruct import Author

    url = settings.llm_url if teacher == SETTINGS_TEACHER else teacher
    if not url:
        detail = "ZNAYKA_LLM_URL не задан: укажите сервер, который напишет вопросы, --teacher http://…/v1"
        raise Misconfigured("no_teacher", detail)
    key = settings.llm_api_key.get_secret_value() if url == settings.llm_url else ""
    return Author(url.rstrip("/"), model, key, settings.llm_timeout_s)


@contextmanager
def _bar(title: str, counts: str) -> Iterator[Told]:
    """What is being done, how much of it, and the time left: a line that moves, or in a log one every minute."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn(title), BarColumn(), TextColumn(counts), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None, what="")
        noted_s = time.monotonic()

        def told(what: str, done: int, total: int) -> None:
            nonlocal noted_s
            bar.update(task, completed=done, total=total, what=what)
            if not console.is_terminal and (done == total or time.monotonic() - noted_s > LOG_EVERY_S):
                noted_s = time.monotonic()
                left = bar.tasks[task].time_remaining
                say(f"{title}: {done} из {total}, {what}" + (f", осталось {_minutes(left)}" if left else ""))

        yield told


def _show_card(card: Card) -> None:
    rows = [[s.name, s.licence, f"{s.passages}", f"{s.questions}", f"{s.unanswered}"] for s in card.sources]
    table(["Источник", "Условия", "Отрывков", "Вопросов", "Без ответа"], rows)
    for name, part in (("Учебных", card.train), ("Проверочных", card.dev)):
        kinds = f"в одном месте {part.one_span}, в нескольких {part.several_spans}, ответа нет {part.no_answer}"
        say(f"{name} уроков: {part.lessons}; ответ {kinds}.")
    say("Отброшено: " + ("; ".join(f"{why} — {n}" for why, n in card.dropped.items() if n) or "ничего") + ".")


def _show_outlook(outlook: Outlook) -> None:
    say(
        f"Уроков {outlook.lessons}, вопросов {outlook.tasks}, токенов {outlook.tokens} (по одному вопросу было бы "
        f"в {outlook.saved:.1f} раза больше). Памяти нужно около {size(outlook.memory_bytes)}, "
        f"времени — не меньше {_minutes(outlook.seconds)}; точнее будет видно после первых шагов."
    )


def _track(plan: Plan, finished: Finished) -> None:
    from evaluation.tracking import log_run

    parameters = {
        "data": plan.data.name,
        "rank": f"{plan.lora.rank}",
        "alpha": f"{plan.lora.alpha}",
        "rate": f"{plan.course.learning_rate}",
        "passes": f"{plan.passes}",
    }
    outcome = finished.outcome
    figures = {"dev_loss": finished.dev_loss, "train_loss": outcome.loss, "seconds": outcome.seconds}
    if log_run(f"train {plan.folder.name}", parameters, figures, plan.folder):
        say("Обучение записано в MLflow.")


def _minutes(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    return f"{minutes} мин" if minutes < 120 else f"{minutes // 60} ч {minutes % 60} мин"
