"""Who is let in: by a key, by a token of the provider of identities, or named by a proxy that is trusted to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address

from sqlalchemy import Connection

from api.identity_tokens import IdentityTokens, Person
from core.errors import InvalidRequest, Unauthorized
from core.settings import Network
from core.types import Principal
from retrieval.store import keys, people
from retrieval.store.database import Database

# Without keys and sign-in the service listens on loopback only, and whoever reaches it is the owner of the machine.
LOCAL = Principal("local", is_administrator=True)
TOKEN_DOTS = 2


@dataclass(frozen=True, slots=True)
class Shown:
    """What a request shows of its sender. `users` and `groups` are the values of the proxy's headers, as often as sent.

    `address` is that of the other end of the connection, never one that a header tells; `is_from_elsewhere` is what
    a browser tells of a page that is not this machine's own.
    """

    bearer: str | None
    users: tuple[str, ...]
    groups: tuple[str, ...]
    address: str
    is_from_elsewhere: bool = False


class Door:
    """Turns what a request shows into a principal. Safe to use from several threads."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], float],
        *,
        is_open_to_owner: bool,
        trusted: tuple[Network, ...] = (),
        tokens: IdentityTokens | None = None,
    ) -> None:
        """`is_open_to_owner` lets anybody in while there is no key: right on loopback without sign-in only."""
        self._database = database
        self._clock = clock
        self._is_open_to_owner = is_open_to_owner
        self._trusted = trusted
        self._tokens = tokens

    def admit(self, shown: Shown) -> Principal:
        """Return who asks; raise `Unauthorized`, with the reason for the log as its note, when nobody vouches for them.

        What is shown has to be right: a bad key is refused even where none would do.
        """
        with self._database.read() as conn:
            if shown.bearer is not None:
                known = keys.resolve(conn, shown.bearer, now=self._clock())
                if known is not None:
                    return self._spoken_for(conn, shown) if shown.users and self._trusted else known
            elif shown.users and self._trusted:
                if not self._is_trusted(shown.address):
                    raise _nobody("user named from an address that is not trusted")
                return self._person(conn, _named(shown))
            # OpenAI's clients always send some key, so while there is none to compare with, any will do.
            if self._is_open_to_owner and not keys.exist(conn):
                return _owner(shown)
            if shown.bearer is None:
                raise _nobody("no key")
            if self._tokens is None or shown.bearer.count(".") != TOKEN_DOTS:
                ended = keys.ended_name(conn, shown.bearer)
                raise _nobody(f"key {ended} has ended" if ended else "unknown key")
        person = self._tokens.person(shown.bearer)
        with self._database.read() as conn:
            return self._person(conn, person)

    def _spoken_for(self, conn: Connection, shown: Shown) -> Principal:
        # A page whose key may not do this must not fall back on its own rights for everybody.
        if shown.bearer is None or not keys.speaks_for_users(conn, shown.bearer):
            raise _nobody("key may not name users")
        return self._person(conn, _named(shown))

    def _person(self, conn: Connection, person: Person) -> Principal:
        try:
            found = people.resolve(conn, person.name, person.groups)
        except InvalidRequest as exc:
            raise _nobody("unusable user name") from exc
        if found is None:
            raise _nobody(f"user {people.canonical(person.name)} is blocked")
        return found

    def _is_trusted(self, address: str) -> bool:
        try:
            peer = ip_address(address)
        except ValueError:
            return False
        mapped = getattr(peer, "ipv4_mapped", None)
        return any((mapped or peer) in network for network in self._trusted)


def _owner(shown: Shown) -> Principal:
    # The owner's browser reaches this machine for any site that the owner looks at.
    if shown.is_from_elsewhere:
        raise _nobody("page of another site")
    return LOCAL


def _named(shown: Shown) -> Person:
    # A proxy that adds its header to the visitor's own, instead of replacing it, would let them name themselves.
    if len(shown.users) != 1 or len(shown.groups) > 1:
        raise _nobody("user header sent twice")
    groups = (group.strip() for line in shown.groups for group in line.split(","))
    return Person(shown.users[0], frozenset(group for group in groups if group))


def _nobody(reason: str) -> Unauthorized:
    error = Unauthorized(
        "bad_key", "Нужен действующий ключ в заголовке Authorization: Bearer. Ключ создаёт команда znayka keys create."
    )
    error.add_note(reason)
    return error
