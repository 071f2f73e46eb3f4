"""Roots by sentence instead of whole stems in the keyword index, and a table that says how common each is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Note which form the stored terms have; the worker derives those of an older base anew before it goes on."""
    op.add_column("index_state", sa.Column("terms", sa.Integer, nullable=False, server_default="0"))
    op.execute("UPDATE index_state SET terms = 2 WHERE NOT EXISTS (SELECT 1 FROM passages)")
    op.execute("CREATE VIRTUAL TABLE passage_stems_vocab USING fts5vocab(passage_stems, row)")
