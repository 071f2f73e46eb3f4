"""Users, groups, grants and the audit log; what the collections of a key were becomes its grants."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op
from uuid_utils import uuid7

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_REFUSED = "the audit log is append-only"


def upgrade() -> None:
    """Create the tables; a key that worked keeps exactly the rights it had."""
    _create_subjects()
    _create_grants()
    _create_audit()
    _move_scopes()


def _create_subjects() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("blocked_at", sa.Double),
    )
    op.create_table(
        "groups",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("created_at", sa.Double, nullable=False),
    )
    op.create_table(
        "memberships",
        sa.Column("user_id", sa.Text, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("group_id", sa.Text, sa.ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True),
    )
    op.create_index("ix_memberships_group_id", "memberships", ["group_id"])


def _create_grants() -> None:
    op.create_table(
        "grants",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("subject_kind", sa.Text, nullable=False),
        sa.Column("subject_id", sa.Text, nullable=False),
        sa.Column("object_kind", sa.Text, nullable=False),
        sa.Column("object", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.UniqueConstraint("subject_kind", "subject_id", "object_kind", "object", name="uq_grants_subject_object"),
    )
    op.create_index("ix_grants_object", "grants", ["object_kind", "object"])


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("object", sa.Text, nullable=False, server_default=""),
        sa.Column("detail", sa.Text, nullable=False, server_default=""),
        sa.Column("address", sa.Text, nullable=False, server_default=""),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_refuses_{verb.lower()} BEFORE {verb} ON audit "
            f"BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END"
        )
    # INSERT OR REPLACE removes the row in its way without the trigger above.
    op.execute(
        "CREATE TRIGGER audit_refuses_replace BEFORE INSERT ON audit "
        f"WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id) BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END"
    )


def _move_scopes() -> None:
    conn = op.get_bind()
    for key in conn.execute(sa.text("SELECT id, collections, created_at FROM api_keys")).all():
        names = None if key.collections is None else json.loads(key.collections)
        opened = [("everything", "")] if names is None else [("collection", name) for name in names]
        for kind, name in opened:
            conn.execute(
                sa.text(
                    "INSERT INTO grants (id, subject_kind, subject_id, object_kind, object, role, created_at)"
                    " VALUES (:id, 'key', :key, :kind, :name, 'editor', :at)"
                ),
                {"id": str(uuid7()), "key": key.id, "kind": kind, "name": name, "at": key.created_at},
            )
    op.add_column("api_keys", sa.Column("expires_at", sa.Double))
    op.add_column("api_keys", sa.Column("speaks_for_users", sa.Boolean, nullable=False, server_default="0"))
    op.drop_column("api_keys", "collections")
