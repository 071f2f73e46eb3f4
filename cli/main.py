"""The command line: every command and option. The work is imported when it is asked for, so `--help` stays quick."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import access, audit, collections, keys, models, training
from cli.console import one_sentence
from core.logs import log_to_stderr

if TYPE_CHECKING:
    from core.settings import Settings
    from ui.client import Client

app = typer.Typer(
    help="Знайка отвечает на вопросы по вашим документам и показывает, откуда взят ответ.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(models.app, name="models")
app.add_typer(keys.app, name="keys")
app.add_typer(access.users, name="users")
app.add_typer(access.groups, name="groups")
app.add_typer(access.grants, name="grants")
app.add_typer(collections.app, name="collections")
app.add_typer(audit.app, name="audit")
app.add_typer(training.app, name="train")

CollectionOption = Annotated[str, typer.Option("--collection", "-c", help="Коллекция документов.")]
KeyOption = Annotated[
    str, typer.Option("--key", help="Ключ доступа; без него берётся ZNAYKA_UI_API_KEY.", show_default=False)
]


@app.command()
def run(
    model: Annotated[str, typer.Option(help="Модель из каталога; при необходимости скачивается.")] = "",
    welcome: Annotated[bool, typer.Option(help="Загрузить примеры в пустую базу и задать вопрос.")] = True,
) -> None:
    """Запустить всё и работать до Ctrl-C."""
    from cli.running import run as run_service

    settings = _settings()
    if model:
        settings = models.provide(settings, model)
    run_service(settings, wants_welcome=welcome)


@app.command()
def ask(question: str, collection: CollectionOption = "", key: KeyOption = "") -> None:
    """Задать вопрос по документам. Код возврата 2: ответа в документах нет."""
    from cli.asking import ask as ask_service

    if ask_service(_client(key), question, collection=collection).refused:
        sys.exit(2)


@app.command()
def ingest(
    folder: Annotated[Path, typer.Argument(help="Папка со всеми вложенными или один файл.")],
    collection: CollectionOption = "default",
    replace: Annotated[bool, typer.Option(help="Файл с тем же именем заменяет прежний документ.")] = False,
    key: KeyOption = "",
) -> None:
    """Загрузить папку и дождаться обработки. Код возврата 1: не все файлы прочитаны."""
    from cli.documents import ingest as ingest_folder

    if not ingest_folder(_client(key), folder, collection=collection, replace=replace):
        sys.exit(1)


@app.command()
def documents(collection: CollectionOption = "", name: str = "", key: KeyOption = "") -> None:
    """Показать документы: состояние, страницы, причины ошибок."""
    from cli.documents import every_document, show_documents

    show_documents(every_document(_client(key), collection=collection, name=name))


@app.command()
def erase(
    document: Annotated[str, typer.Argument(help="Номер или имя документа из znayka documents.")],
    collection: CollectionOption = "",
    yes: Annotated[bool, typer.Option("--yes", help="Не переспрашивать.")] = False,
    report: Annotated[
        Path | None, typer.Option("--json", help="Записать отчёт в этот файл.", show_default=False)
    ] = None,
) -> None:
    """Стереть документ так, чтобы его нельзя было найти и в файлах; показать отчёт. Код возврата 1: что-то осталось."""
    from cli.erase import erase as erase_document

    if not erase_document(document, collection=collection or None, is_sure=yes, output=report):
        sys.exit(1)


@app.command()
def doctor() -> None:
    """Проверить установку и настройки; сказать, что исправить. Код возврата 1: есть ошибки."""
    from cli.doctor import examine

    if not examine():
        sys.exit(1)


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(help="Файл копии или папка, в которой он появится с именем по времени.")],
    keep: Annotated[int, typer.Option(min=0, help="В папке оставить столько последних копий; 0 — все.")] = 0,
    verify: Annotated[bool, typer.Option("--verify", help="Проверить готовую копию, не делая новой.")] = False,
) -> None:
    """Сделать резервную копию, не останавливая работы. Код возврата 1: копии нет или она не полна."""
    from cli.backup import back_up, show

    if verify:
        show(target)
    elif not back_up(_settings(), target, keep=keep):
        sys.exit(1)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="Файл копии.")],
) -> None:
    """Восстановить копию в пустую папку данных (ZNAYKA_DATA_DIR)."""
    from cli.backup import put_back

    put_back(_settings(), file)


@app.command()
def evaluate(
    sets: Annotated[str, typer.Option(help="Наборы через запятую.")] = "xquad,kb,injection,english",
    pairs: Annotated[
        Path | None,
        typer.Option(
            help="Вместо наборов — свои вопросы с ответами (CSV, XLSX, JSONL) по своей базе.", show_default=False
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="Столько вопросов каждого вида; 0 — все.")] = 0,
    against: Annotated[
        Path | None, typer.Option(help="Прежний run.json: показать, что изменилось.", show_default=False)
    ] = None,
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option(help="Две модели рядом, из каталога или файлы адаптеров .gguf.", show_default=False),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(
            help="Малый опорный набор; код возврата 1, если стало хуже больше, чем на интервал.", show_default=False
        ),
    ] = None,
    write_baseline: Annotated[bool, typer.Option("--write-baseline", help="Записать опорные показатели.")] = False,
    output: Annotated[Path, typer.Option(help="Папка для отчёта.")] = Path("data/evaluation"),
    data: Annotated[Path, typer.Option(help="Папка с данными наборов.")] = Path("../shared/data"),
    seed: Annotated[int, typer.Option(help="Выбирает вопросы и повторяет интервалы.")] = 7,
    collection: CollectionOption = "",
) -> None:
    """Измерить поиск, ответы, отказы, ссылки, язык и стойкость к чужим указаниям. Код возврата 1: хуже опорного."""
    from cli.evaluating import Wanted
    from cli.evaluating import evaluate as evaluate_model
    from evaluation.cases import Plan

    wanted = Wanted(
        plan=Plan(tuple(sets.replace(",", " ").split()), seed, limit or None),
        data=data,
        output=output,
        pairs=pairs,
        collection=collection or None,
        against=against,
        compared=compare,
        baseline=baseline,
        writes_baseline=write_baseline,
    )
    if not evaluate_model(_settings(), wanted):
        sys.exit(1)


def main() -> None:
    """Run the command named on the command line; an error of ours is one sentence and exit code 1."""
    log_to_stderr("warning", is_json=False)
    with one_sentence():
        app()


def _settings() -> Settings:
    from core.settings import load_settings

    return load_settings()


def _client(key: str) -> Client:
    from ui.client import Client

    settings = _settings()
    return Client(settings.api_url, key or settings.ui_api_key.get_secret_value())


if __name__ == "__main__":
    main()
