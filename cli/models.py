"""`znayka models`: which language models there are, which fit this machine, getting and choosing one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer

from cli.console import say, size, table

if TYPE_CHECKING:
    from pathlib import Path

    from core.settings import Settings
    from generation.catalogue import Model

app = typer.Typer(help="Языковые модели.", no_args_is_help=True)


@app.command("list")
def list_models() -> None:
    """Показать каталог: что помещается в память, что скачано, что выбрано."""
    import psutil

    from core.settings import load_settings
    from generation import hub
    from generation.catalogue import load_catalogue

    settings, catalogue = load_settings(), load_catalogue()
    memory, shelf, chosen = psutil.virtual_memory().total, hub.Shelf.of(settings), hub.chosen(settings)
    fitting = {model.name for model in catalogue.fits(memory, settings.llm_context_tokens)}
    rows = [
        [
            "→" if model.name == chosen else "",
            model.name,
            size(model.size_bytes),
            size(model.ram_bytes(settings.llm_context_tokens)),
            "да" if model.name in fitting else "нет",
            "встроена" if model.is_embedded else "да" if shelf.path(model).is_file() else "нет",
            _adapter(model, settings.adapter if model.name == chosen else None),
            model.licence,
        ]
        for model in catalogue.models.values()
    ]
    table(["", "Модель", "Файл", "Память", "Поместится", "Скачана", "Адаптер", "Лицензия"], rows)
    say(f"\nПамяти на этой машине: {size(memory)}. Скачать: znayka models pull ИМЯ; выбрать: znayka models use ИМЯ.")


def _adapter(model: Model, own: Path | None) -> str:
    """The adapter it comes with, or one's own that the settings lay over it: name and file."""
    from generation.adapter_name import name_in

    if own is None:
        return model.adapter
    if not model.adapter:
        return f"к этой модели не подходит: {own}"
    if not own.is_file():
        return f"нет файла: {own}"
    return f"свой: {name_in(own) or 'без имени'} ({own})"


@app.command()
def pull(name: str) -> None:
    """Скачать модель с Hugging Face (или зеркала HF_ENDPOINT) и проверить её; обрыв продолжается с того же места."""
    from core.settings import load_settings

    provide(load_settings(), name)


@app.command()
def use(name: str) -> None:
    """Выбрать модель, с которой запустится сервис."""
    from core.settings import load_settings
    from generation import hub
    from generation.catalogue import load_catalogue

    settings = load_settings()
    model = hub.use(name, load_catalogue(), settings.data_dir)
    say(f"Выбрана модель {model.name}. Она начнёт работать после перезапуска сервиса.")
    if not model.is_embedded and not hub.Shelf.of(settings).path(model).is_file():
        say(f"Её файла ещё нет. Скачать: znayka models pull {model.name}")


@app.command()
def verify(name: str = typer.Argument("", help="Без имени проверяется выбранная модель.")) -> None:
    """Прочитать файл модели целиком и сверить контрольную сумму."""
    from core.settings import load_settings
    from generation import hub
    from generation.catalogue import load_catalogue

    settings = load_settings()
    model = load_catalogue().find(name or hub.chosen(settings))
    path = hub.verify(model, hub.Shelf.of(settings))
    say(f"{model.name}: файл {path} цел.")


def provide(settings: Settings, name: str) -> Settings:
    """Make sure the model's file is here, downloading it if need be; return settings that name this model."""
    from generation import hub
    from generation.catalogue import load_catalogue
    from generation.download import Hub
    from generation.progress import progress_bar

    model = load_catalogue().find(name)
    say(f"Модель {model.name}: {model.title}, {size(model.size_bytes)}, лицензия {model.licence}.")
    _warn_about_memory(model, settings.llm_context_tokens)
    with progress_bar(model.file) as progress:
        path = hub.pull(model, hub.Shelf.of(settings), Hub.of(os.environ), progress)
    say(f"Файл модели: {path}")
    return settings.model_copy(update={"model": model.name})


def _warn_about_memory(model: Model, context_tokens: int) -> None:
    import psutil

    needed, available = model.ram_bytes(context_tokens), psutil.virtual_memory().total
    if needed > available:
        say(f"Внимание: модели нужно {size(needed)} памяти, а здесь {size(available)}; она может не запуститься.")
