"""Tables as SQLAlchemy sees them. `migrations/` creates them; a test compares the two.

Times are seconds since the epoch. Vectors are float32, little-endian, normalised; those of
sentences are bytes (`retrieval.sentence_vectors`).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()

RowId = BigInteger().with_variant(Integer, "sqlite")

# The row is the job: state, holder, attempts and reason stand on it, so no queue can disagree with it.
documents = Table(
    "documents",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("collection", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("stage", Text),
    Column("done", Integer, nullable=False, server_default="0"),
    Column("total", Integer, nullable=False, server_default="0"),
    Column("pages", Integer),
    Column("passages", Integer, nullable=False, server_default="0"),
    Column("error_code", Text),
    Column("error_detail", Text),
    Column("is_replacement", Boolean, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("not_before", Double, nullable=False, server_default="0"),
    Column("lease_owner", Text),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("personal_data", Text),
    UniqueConstraint("collection", "sha256", name="uq_documents_collection_sha256"),
    Index("ix_documents_status", "status", "attempts", "created_at"),
    Index("ix_documents_collection_name", "collection", "name"),
    Index("ix_documents_sha256", "sha256"),
)

# A collection without a row allows everything.
collection_policies = Table(
    "collection_policies",
    metadata,
    Column("collection", Text, primary_key=True),
    Column("personal_data", Text, nullable=False),
    Column("changed_at", Double, nullable=False),
)

pages = Table(
    "pages",
    metadata,
    Column("document_id", Text, ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("number", Integer),
    Column("text", Text, nullable=False),
)

# AUTOINCREMENT: an id that was deleted never comes back, so a stale index cannot point at another passage.
passages = Table(
    "passages",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("document_id", Text, ForeignKey("documents.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("page_position", Integer, nullable=False),
    Column("page", Integer),
    Column("section", Text),
    Column("context", Text, nullable=False, server_default=""),
    Column("text", Text, nullable=False),
    Column("start_char", Integer, nullable=False),
    Column("end_char", Integer, nullable=False),
    Column("vector_key", Text, nullable=False),
    Column("vector", LargeBinary, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Index("ix_passages_document_id", "document_id"),
    Index("ix_passages_vector_key", "vector_key"),
    Index("ix_passages_revision", "revision"),
    sqlite_autoincrement=True,
)

# Apart from the passages, so that whoever reads their texts does not read these. A row without bytes is a passage
# without sentences worth comparing; no row, one whose sentences were not embedded yet.
passage_sentences = Table(
    "passage_sentences",
    metadata,
    Column("passage_id", RowId, ForeignKey("passages.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("vectors", LargeBinary, nullable=False),
)

removals = Table(
    "removals",
    metadata,
    Column("passage_id", RowId, primary_key=True, autoincrement=False),
    Column("revision", BigInteger, nullable=False),
    Index("ix_removals_revision", "revision"),
)

# One row. `revision` moves with every change of passages; `generation` names the index file in force,
# which holds what the database held at `index_revision`; `terms` is the form of the keyword index. No file of an
# earlier state than `clean_revision` may stay: it would hold vectors of a document that was erased.
index_state = Table(
    "index_state",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("index_revision", BigInteger, nullable=False),
    Column("fingerprint", Text),
    Column("terms", Integer, nullable=False, server_default="0"),
    Column("clean_revision", BigInteger, nullable=False, server_default="0"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("sha256", Text, nullable=False, unique=True),
    Column("created_at", Double, nullable=False),
    Column("revoked_at", Double),
    Column("expires_at", Double),
    Column("speaks_for_users", Boolean, nullable=False, server_default="0"),
)

users = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("created_at", Double, nullable=False),
    Column("blocked_at", Double),
)

groups = Table(
    "groups",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("created_at", Double, nullable=False),
)

memberships = Table(
    "memberships",
    metadata,
    Column("user_id", Text, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("group_id", Text, ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True),
    Index("ix_memberships_group_id", "group_id"),
)

# `subject_id` is of a user, a group or a key, by `subject_kind`; `object` names a collection or a document by
# `object_kind`, and is empty where that is `everything`.
grants = Table(
    "grants",
    metadata,
    Column("id", Text, primary_key=True),
    Column("subject_kind", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("object_kind", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    UniqueConstraint("subject_kind", "subject_id", "object_kind", "object", name="uq_grants_subject_object"),
    Index("ix_grants_object", "object_kind", "object"),
)

# Triggers refuse every change of a row, and every removal but of those that an entry here says are being removed.
audit = Table(
    "audit",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("at", Double, nullable=False),
    Column("principal", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("object", Text, nullable=False, server_default=""),
    Column("detail", Text, nullable=False, server_default=""),
    Column("address", Text, nullable=False, server_default=""),
    Index("ix_audit_at", "at"),
    Index("ix_audit_pruned", "object", sqlite_where=text("action = 'audit_pruned'")),
    sqlite_autoincrement=True,
)

feedback = Table(
    "feedback",
    metadata,
    Column("id", Text, primary_key=True),
    Column("principal", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("question", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("comment", Text, nullable=False, server_default=""),
    Column("document_ids", Text, nullable=False),
    Column("created_at", Double, nullable=False),
)
