"""Russian wording of counts, sizes and states. Pure functions of the values shown."""

from __future__ import annotations

from core.types import Citation, Document, PersonalKind, PersonalPolicy, Progress, Status
from ui.wire import Answered, ClientError, Found, FoundPlace, Queued

STATUS_WORDS = {
    Status.QUEUED: "Ждёт очереди",
    Status.PARSING: "Читаем",
    Status.EMBEDDING: "Готовим к поиску",
    Status.READY: "Готов",
    Status.PARTIAL: "Готов не весь",
    Status.FAILED: "Не прочитан",
}
STAGE_WORDS = {
    "queued": "Ждёт очереди",
    "parsing": "Читаем страницы",
    "reading": "Читаем страницы",
    "ocr": "Распознаём сканы",
    "chunking": "Делим на фрагменты",
    "embedding": "Готовим к поиску",
    "indexing": "Готовим к поиску",
}
PERSONAL_WORDS = {
    PersonalKind.PASSPORT: "паспорт",
    PersonalKind.SNILS: "СНИЛС",
    PersonalKind.INN: "ИНН",
    PersonalKind.COMPANY_INN: "ИНН организации",
    PersonalKind.PHONE: "телефон",
    PersonalKind.EMAIL: "e-mail",
    PersonalKind.CARD: "карта",
}
POLICY_WORDS = {
    PersonalPolicy.ALLOW: "",
    PersonalPolicy.MASK: "Персональные данные в ответах и на страницах скрываются, исходный файл открывает редактор.",
    PersonalPolicy.REFUSE: "Файлы с персональными данными не принимаются.",
}
DEFAULT_COLLECTION = "default"
MOVING = frozenset({Status.QUEUED, Status.PARSING, Status.EMBEDDING})


def count(n: int, one: str, few: str, many: str) -> str:
    """A number with its noun: 1 файл, 2 файла, 5 файлов."""
    if n % 10 == 1 and n % 100 != 11:
        noun = one
    elif n % 10 in {2, 3, 4} and n % 100 not in {12, 13, 14}:
        noun = few
    else:
        noun = many
    return f"{n} {noun}"


def files(n: int) -> str:
    """1 файл, 2 файла, 5 файлов."""
    return count(n, "файл", "файла", "файлов")


def size(size_bytes: int) -> str:
    """A size as people read it, with a decimal comma: 1,5 МБ."""
    if size_bytes < 1024:
        return f"{size_bytes} Б"
    value, unit = (size_bytes / 1024, "КБ") if size_bytes < 1024**2 else (size_bytes / 1024**2, "МБ")
    text = f"{value:.0f}" if value >= 10 else f"{value:.1f}".removesuffix(".0")
    return f"{text.replace('.', ',')} {unit}"


def duration(seconds: float) -> str:
    """A rounded wait: 40 с, 3 мин."""
    return f"{max(1, round(seconds))} с" if seconds < 90 else f"{round(seconds / 60)} мин"


def collection(name: str) -> str:
    """The collection's name; the one that files land in by default has a Russian one."""
    return "Общая" if name == DEFAULT_COLLECTION else name


def status(document: Document) -> str:
    """The document's state in a word or two."""
    return STATUS_WORDS[document.status]


def stage(progress: Progress) -> str:
    """What is being done to a document, and how far it is."""
    name = STAGE_WORDS.get(progress.stage, "Обрабатываем")
    return f"{name}: {progress.done} из {progress.total}" if progress.total else name


def facts(document: Document) -> str:
    """Collection, size, pages and day of a document in one line."""
    known = [collection(document.collection), size(document.size_bytes)]
    if document.pages:
        known.append(f"{document.pages} стр.")
    if document.passages:
        known.append(count(document.passages, "фрагмент", "фрагмента", "фрагментов"))
    known.append(f"{document.created_at:%d.%m.%Y}")
    return " · ".join(known)


def personal(document: Document) -> str:
    """What a document was found to hold: «Персональные данные: телефон 3, СНИЛС 1»; empty for none."""
    if not document.personal_data:
        return ""
    return "Персональные данные: " + ", ".join(
        f"{PERSONAL_WORDS[one.kind]} {one.count}" for one in document.personal_data
    )


def place(source: Citation | Found | FoundPlace) -> str:
    """Where a text stands: «Положение.pdf, п. 4.2, стр. 7»."""
    parts = [source.document, source.section or "", f"стр.\N{NO-BREAK SPACE}{source.page}" if source.page else ""]
    return ", ".join(part for part in parts if part)


def shortened(text: str, limit: int = 220) -> str:
    """One line of at most `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def copied(text: str, answer: Answered | None) -> str:
    """An answer with what contradicts it: pasted into a letter without that, it would look settled."""
    return "\n\n".join([text, *(conflict.notice for conflict in answer.conflicts)]) if answer else text


def waiting(queued: Queued) -> str:
    """The place in the queue, and how long it may take."""
    if queued.position <= 0:
        return "Ваша очередь подошла, начинаем…"
    eta = f", ответ начнётся примерно через {duration(queued.eta_s)}" if queued.eta_s else ""
    return f"Вы в очереди: место {queued.position}{eta}."


def failure(error: ClientError) -> str:
    """What went wrong, with the time to come back when the service named one."""
    if error.retry_after_s is None:
        return error.detail
    return f"{error.detail} Сервис освободится примерно через {duration(error.retry_after_s)}."
