"""What collections do with personal data, what of it documents hold, and from which state on the index must be new."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Every collection goes on allowing everything; the worker looks through the documents that are there."""
    op.create_table(
        "collection_policies",
        sa.Column("collection", sa.Text, primary_key=True),
        sa.Column("personal_data", sa.Text, nullable=False),
        sa.Column("changed_at", sa.Double, nullable=False),
    )
    op.add_column("documents", sa.Column("personal_data", sa.Text))
    op.add_column("index_state", sa.Column("clean_revision", sa.BigInteger, nullable=False, server_default="0"))
