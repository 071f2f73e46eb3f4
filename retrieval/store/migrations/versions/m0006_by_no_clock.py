"""Documents in hand are no longer anybody's until a time; the audit log may be pruned by age, if it says so itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_NOTED = "SELECT max(object) FROM audit WHERE action = 'audit_pruned'"
_IS_NOTED = f"strftime('%Y-%m-%dT%H:%M:%SZ', OLD.at, 'unixepoch') < coalesce(({_NOTED}), '')"


def upgrade() -> None:
    """Let only those entries go that are older than an entry `audit_pruned` names; changes stay refused."""
    op.drop_column("documents", "lease_expires_at")
    op.create_index("ix_audit_pruned", "audit", ["object"], sqlite_where=sa.text("action = 'audit_pruned'"))
    op.execute("DROP TRIGGER audit_refuses_delete")
    op.execute(
        f"CREATE TRIGGER audit_refuses_delete BEFORE DELETE ON audit WHEN NOT {_IS_NOTED} "
        "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
    )
