"""Why a file cannot be read, in words for the person who uploaded it: what happened, and what to do."""

from __future__ import annotations

from core.errors import UnreadableDocument
from ingest.limits import Limits

PARSER_DIED = "parser_died"
MEMORY_EXCEEDED = "parse_memory_exceeded"


def damaged(kind: str) -> UnreadableDocument:
    """The inside is damaged; `kind` says what the file is, in the nominative: «документ Word»."""
    return UnreadableDocument(
        "damaged",
        f"Файл повреждён: это {kind}, но прочитать содержимое не удалось. "
        "Откройте и сохраните его заново в исходной программе, затем загрузите ещё раз.",
    )


def password_protected() -> UnreadableDocument:
    """Only its password opens the file."""
    return UnreadableDocument(
        "encrypted", "Файл защищён паролем. Снимите пароль в исходной программе и загрузите файл ещё раз."
    )


def no_text() -> UnreadableDocument:
    """A sound file without a letter in it."""
    return UnreadableDocument(
        "no_text", "В файле нет текста, искать в нём нечего. Проверьте, тот ли это файл, и загрузите файл с текстом."
    )


def too_many_pages(pages: int, limits: Limits) -> UnreadableDocument:
    """More pages than `limits.max_pages`."""
    return UnreadableDocument(
        "too_many_pages", f"Страниц в документе: {pages}, допускается {limits.max_pages}. Разделите его на части."
    )


def too_much_text(limits: Limits) -> UnreadableDocument:
    """More text than `limits.output_chars`."""
    return UnreadableDocument(
        "too_much_text",
        f"В документе больше {limits.output_chars:_} знаков текста. Разделите его на части.".replace("_", " "),
    )


def too_slow(limits: Limits) -> UnreadableDocument:
    """Reading took longer than `limits.timeout_s`."""
    return UnreadableDocument(
        "parse_timeout",
        f"Файл не удалось прочитать за {limits.timeout_s:.0f} с: он слишком велик или слишком сложно устроен. "
        "Разделите его на части и загрузите их по отдельности.",
    )


def too_much_work(limits: Limits) -> UnreadableDocument:
    """Reading took more processor time than `limits.cpu_s`."""
    return UnreadableDocument(
        "parse_cpu_exceeded",
        f"Чтение файла потребовало больше {limits.cpu_s} с работы процессора: он слишком сложно устроен. "
        "Разделите его на части или сохраните заново в исходной программе.",
    )


def too_much_memory(limits: Limits) -> UnreadableDocument:
    """Reading took more memory than `limits.memory_bytes`."""
    return UnreadableDocument(
        MEMORY_EXCEEDED,
        f"Чтение файла потребовало больше {limits.memory_bytes >> 20} МБ памяти. "
        "Разделите его на части и загрузите их по отдельности.",
    )


def parser_died() -> UnreadableDocument:
    """The parser child crashed or was killed while it read the file."""
    return UnreadableDocument(
        PARSER_DIED,
        "Программа чтения аварийно завершилась на этом файле, другие файлы не пострадали. "
        "Сохраните файл заново в исходной программе или в другом формате и загрузите ещё раз.",
    )


def unexpected_content() -> UnreadableDocument:
    """A reader stumbled over something that it does not know."""
    return UnreadableDocument(
        "unexpected_content",
        "Файл повреждён или необычно устроен, прочитать его не удалось. "
        "Сохраните его заново в исходной программе и загрузите ещё раз.",
    )


def too_large_inside(limits: Limits) -> UnreadableDocument:
    """What the file unpacks to is over `limits.archive_max_bytes`."""
    return UnreadableDocument(
        "too_large_unpacked",
        f"В распакованном виде файл занимает больше {limits.archive_max_bytes >> 20} МБ. Разделите его на части.",
    )


def too_many_inside(limits: Limits) -> UnreadableDocument:
    """More files in an archive than `limits.archive_max_files`."""
    return UnreadableDocument(
        "too_many_files", f"В архиве больше {limits.archive_max_files} файлов. Разделите его на части."
    )
