"""Vectors of passages' sentences, which the worker computes beside its other work."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, empty: passages without a row there are what the worker has yet to do."""
    op.create_table(
        "passage_sentences",
        sa.Column(
            "passage_id",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            sa.ForeignKey("passages.id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("vectors", sa.LargeBinary, nullable=False),
    )
