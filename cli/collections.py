"""`znayka collections`: what collections do with personal data; no service needed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from cli.base import day, opened_base, record
from cli.console import say, table
from core.types import PersonalPolicy

if TYPE_CHECKING:
    from retrieval.store.policies import CollectionPolicy

app = typer.Typer(help="Коллекции: что делать с персональными данными.", no_args_is_help=True)

WORDS = {
    PersonalPolicy.ALLOW: "разрешены",
    PersonalPolicy.MASK: "скрываются",
    PersonalPolicy.REFUSE: "файл не принимается",
}


@app.command("list")
def show() -> None:
    """Показать коллекции: что делается с персональными данными и в скольких документах они есть."""
    from retrieval.store import policies

    with opened_base() as database, database.read() as conn:
        found = policies.listing(conn)
    rows = [
        [
            one.collection,
            WORDS[one.policy],
            str(one.documents),
            str(one.holding),
            str(one.unchecked),
            day(one.changed_at),
        ]
        for one in found
    ]
    table(["Коллекция", "Персональные данные", "Документов", "С ними", "Не проверено", "Изменено"], rows)


@app.command()
def policy(
    collection: Annotated[str, typer.Argument(help="Имя коллекции; документов в ней может ещё не быть.")],
    personal_data: Annotated[
        PersonalPolicy,
        typer.Argument(help="allow — разрешить, mask — скрывать в ответах и журналах, refuse — не принимать файл."),
    ],
) -> None:
    """Решить, что коллекция делает с персональными данными; действует со следующего запроса."""
    from retrieval.store import policies
    from retrieval.store.audit import Action

    with opened_base() as database, database.write() as conn:
        policies.set_policy(conn, collection, personal_data, now=time.time())
        record(conn, Action.POLICY_SET, collection, personal_data=personal_data)
        found = next(one for one in policies.listing(conn) if one.collection == collection)
    say(_told(found))


def _told(found: CollectionPolicy) -> str:
    said = f"«{found.collection}»: персональные данные {WORDS[found.policy]}."
    if found.policy is PersonalPolicy.REFUSE:
        said = f"«{found.collection}»: файлы с персональными данными больше не принимаются."
        if found.holding:
            said += f" Уже загружены и остаются {found.holding}: удалите их (znayka documents -c {found.collection})."
    if found.unchecked:
        said += f" Ещё не проверено документов: {found.unchecked}; это делает работающая служба."
    return said
