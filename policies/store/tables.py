"""The tables of the store in a database, as the newest migration leaves them. Moments are text in ISO 8601 with their
offset, which every database keeps as it was written.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Boolean, Column, Integer, LargeBinary, MetaData, Table, Text

METADATA: Final = MetaData()

VERSIONS: Final = Table(
    "versions",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("digest", Text, nullable=False),
    Column("published_at", Text, nullable=False),
    Column("published_by", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("restores", Integer),
    Column("emergency", Boolean, nullable=False),
)

VERSION_FILES: Final = Table(
    "version_files",
    METADATA,
    Column("version", Integer, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
)

DRAFTS: Final = Table(
    "drafts",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("base", Integer, nullable=False),
    Column("author", Text, nullable=False),
    Column("agency", Text),
    Column("why", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("restores", Integer),
)

DRAFT_FILES: Final = Table(
    "draft_files",
    METADATA,
    Column("draft", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

APPROVALS: Final = Table(
    "approvals",
    METADATA,
    # `version 7`, or the id of a draft, which has no space.
    Column("subject", Text, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("approved_by", Text, nullable=False),
    Column("agency", Text),
    Column("digest", Text, nullable=False),
    Column("approved_at", Text, nullable=False),
)
