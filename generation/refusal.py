"""How the service says that it cannot answer, and how it knows that the model did."""

from __future__ import annotations

import re

NOT_FOUND = (
    "К сожалению, в найденных документах нет ответа на этот вопрос. "
    "Попробуйте спросить иначе или загрузите документ, в котором он есть."
)
NO_DOCUMENTS = (
    "К сожалению, отвечать пока не по чему: подходящих документов в этой коллекции нет. "
    "Загрузите документы или выберите другую коллекцию."
)
_WHERE = r"(?:[\w-]+ ){0,3}(?:документ|отрывк|фрагмент|контекст|текст|источник)\w*"
_ABSENT = r"(?:нет|не (?:содерж\w+|найден\w*|указан\w*|упомина\w+|привод\w+|сообща\w+|говор\w+)|отсутству\w+)"
_REFUSAL = re.compile(
    rf"\W*(?:к сожалению\W+)?(?:(?:в |во )?{_WHERE}(?: [\w-]+){{0,3}} {_ABSENT}\b"
    rf"|{_ABSENT}(?: [\w-]+){{0,6}} (?:в |во ){_WHERE}"
    r"|(?:я )?не (?:могу|смогу|знаю|располагаю)\b"
    r"|(?:недостаточно|нет|отсутству\w+) (?:данных|информаци\w+|сведений|ответа)\b"
    rf"|(?:ответа?|информаци\w+|сведени\w+|данных)(?: [\w-]+){{0,6}} {_ABSENT})",
    re.IGNORECASE,
)


def is_refusal(sentence: str) -> bool:
    """Whether a model's sentence says that it cannot answer."""
    return bool(_REFUSAL.match(sentence))
