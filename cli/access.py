"""`znayka users`, `znayka groups`, `znayka grants`: people, and what is opened to whom; no service needed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from cli.base import day, opened_base, record
from cli.console import say, table
from cli.keys import opening_words
from core.errors import InvalidRequest
from core.types import Role

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from retrieval.store.grants import Opening, Subject

users = typer.Typer(help="Пользователи, известные по имени.", no_args_is_help=True)
groups = typer.Typer(help="Группы пользователей, свои и сервера входа.", no_args_is_help=True)
grants = typer.Typer(help="Права: что и кому открыто.", no_args_is_help=True)

SUBJECTS = {"user": "пользователь", "group": "группа", "key": "ключ"}


@users.command("add")
def add_user(name: str) -> None:
    """Сделать пользователя известным, чтобы открыть ему документы; заблокированного — впустить снова."""
    from retrieval.store import people
    from retrieval.store.audit import Action

    with opened_base() as database, database.write() as conn:
        plain = people.add_user(conn, name, now=time.time())
        record(conn, Action.USER_ADDED, plain)
    say(f"Пользователь «{plain}» известен. Открыть ему документы: znayka grants add --user {plain} --collection ИМЯ")


@users.command("block")
def block_user(name: str) -> None:
    """Больше не впускать пользователя, что бы ни говорил сервер входа."""
    from retrieval.store import people
    from retrieval.store.audit import Action

    with opened_base() as database, database.write() as conn:
        people.block_user(conn, name, now=time.time())
        record(conn, Action.USER_BLOCKED, people.canonical(name))
    say(f"Пользователь «{name}» заблокирован.")


@users.command("list")
def list_users() -> None:
    """Показать пользователей и их группы."""
    from retrieval.store import people

    with opened_base() as database, database.read() as conn:
        found = people.list_users(conn)
    rows = [[one.name, ", ".join(one.groups), day(one.created_at), day(one.blocked_at)] for one in found]
    table(["Имя", "Группы", "Добавлен", "Заблокирован"], rows)


@groups.command("add")
def add_group(name: str) -> None:
    """Создать группу. Группа сервера входа узнаётся по тому же имени."""
    from retrieval.store import people
    from retrieval.store.audit import Action

    with opened_base() as database, database.write() as conn:
        plain = people.add_group(conn, name, now=time.time())
        record(conn, Action.GROUP_ADDED, plain)
    say(f"Группа «{plain}» создана.")


@groups.command("remove")
def remove_group(name: str) -> None:
    """Удалить группу со всем, что ей открыто."""
    from retrieval.store import people
    from retrieval.store.audit import Action

    with opened_base() as database, database.write() as conn:
        people.remove_group(conn, name)
        record(conn, Action.GROUP_REMOVED, people.canonical(name))
    say(f"Группа «{name}» удалена.")


@groups.command("list")
def list_groups() -> None:
    """Показать группы и тех, кто включён в них здесь."""
    from retrieval.store import people

    with opened_base() as database, database.read() as conn:
        found = people.list_groups(conn)
    table(["Имя", "Пользователи", "Создана"], [[one.name, ", ".join(one.users), day(one.created_at)] for one in found])


@groups.command("join")
def join(user: str, group: str) -> None:
    """Включить пользователя в группу."""
    from retrieval.store import people
    from retrieval.store.audit import Action

    with opened_base() as database, database.write() as conn:
        people.join(conn, user, group)
        record(conn, Action.JOINED, people.canonical(group), user=people.canonical(user))
    say(f"«{user}» в группе «{group}».")


@groups.command("leave")
def leave(user: str, group: str) -> None:
    """Исключить пользователя из группы."""
    from retrieval.store import people
    from retrieval.store.audit import Action

    with opened_base() as database, database.write() as conn:
        people.leave(conn, user, group)
        record(conn, Action.LEFT, people.canonical(group), user=people.canonical(user))
    say(f"«{user}» больше не в группе «{group}».")


UserOption = Annotated[str, typer.Option(help="Кому: имя пользователя.")]
GroupOption = Annotated[str, typer.Option(help="Кому: имя группы.")]
KeyOption = Annotated[str, typer.Option(help="Кому: номер ключа из znayka keys list.")]


@grants.command("add")
def add_grant(
    user: UserOption = "",
    group: GroupOption = "",
    key: KeyOption = "",
    collection: Annotated[str, typer.Option("--collection", "-c", help="Что: коллекция.")] = "",
    document: Annotated[str, typer.Option(help="Что: номер одного документа.")] = "",
    everything: Annotated[bool, typer.Option("--everything", help="Что: вся база.")] = False,
    role: Annotated[Role, typer.Option(help="administrator — только вместе с --everything.")] = Role.READER,
) -> None:
    """Открыть коллекцию, документ или всё пользователю, группе или ключу; прежняя роль там заменяется."""
    from retrieval.store import grants as store
    from retrieval.store.audit import Action

    with opened_base() as database, database.write() as conn:
        opening = _opening(role, collection=collection, document=document, everything=everything)
        grant_id = store.give(conn, _subject(conn, user=user, group=group, key=key), opening, now=time.time())
        given = next(one for one in store.listing(conn) if one.id == grant_id)
        record(conn, Action.GRANTED, grant_id, **given.described())
    say(f"Открыто: {opening_words(opening)}.")


@grants.command("list")
def list_grants() -> None:
    """Показать, что и кому открыто."""
    from retrieval.store import grants as store

    with opened_base() as database, database.read() as conn:
        found = store.listing(conn)
    rows = [[one.id, SUBJECTS[one.kind], one.subject, opening_words(one.opening), day(one.created_at)] for one in found]
    table(["Номер", "Кому", "Имя", "Что открыто", "Когда"], rows)


@grants.command("remove")
def remove_grant(grant_id: Annotated[str, typer.Argument(help="Номер из znayka grants list.")]) -> None:
    """Забрать право: действует со следующего запроса."""
    from retrieval.store import grants as store
    from retrieval.store.audit import Action

    with opened_base() as database, database.write() as conn:
        taken = store.withdraw(conn, grant_id)
        record(conn, Action.WITHDRAWN, grant_id, **taken.described())
    say("Право забрано.")


def _subject(conn: Connection, *, user: str, group: str, key: str) -> Subject:
    from retrieval.store import keys, people
    from retrieval.store.grants import SubjectKind

    if len([name for name in (user, group, key) if name]) != 1:
        raise InvalidRequest("bad_grant", "Укажите, кому открыть: --user, --group или --key — одно из трёх.")
    if key:
        return keys.subject(conn, key)
    return people.subject(conn, SubjectKind.USER if user else SubjectKind.GROUP, user or group)


def _opening(role: Role, *, collection: str, document: str, everything: bool) -> Opening:
    from retrieval.store.grants import ObjectKind, Opening

    if len([name for name in (collection, document, everything) if name]) != 1:
        raise InvalidRequest(
            "bad_grant", "Укажите, что открыть: --collection, --document или --everything — одно из трёх."
        )
    if everything:
        return Opening(ObjectKind.EVERYTHING, "", role)
    return Opening(ObjectKind.COLLECTION if collection else ObjectKind.DOCUMENT, collection or document, role)
