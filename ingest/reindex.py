"""Another form of the keyword index: the terms of all passages are derived anew, a part in each transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ingest.chunking import embedded_text
from retrieval.store import keyword, passages, vectors
from retrieval.store.database import Database
from retrieval.terms import TERMS_VERSION, index_text

_LOG = logging.getLogger(__name__)
_PART_PASSAGES = 256  # about a third of a second, for which another writer waits


def reindex(database: Database, on_part: Callable[[], None] = lambda: None) -> bool:
    """Bring the stored terms to this release's form; say whether that was due.

    Before the worker takes documents, so that no new ones come in between. A killed worker begins again:
    what was done gives the same terms. Until the end, older passages are found by meaning more than by words.
    `on_part` is called before each part.
    """
    with database.read() as conn:
        if vectors.state(conn).terms == TERMS_VERSION:
            return False
    after_id = 0
    _LOG.warning("deriving the keyword index anew (about a minute for 50,000 passages)")
    while True:
        on_part()
        with database.read() as conn:
            stored = passages.stored_texts(conn, after_id=after_id, limit=_PART_PASSAGES)
        with database.write() as conn:
            keyword.replace(conn, {one.id: index_text(embedded_text(one.document, one)) for one in stored})
            if not stored:
                keyword.set_version(conn, TERMS_VERSION)
                return True
        after_id = stored[-1].id
