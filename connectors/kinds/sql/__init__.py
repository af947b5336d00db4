"""The kind `sql`: a table, a view or a statement of a database, read only, through SQLAlchemy. Each database is one
module here and a row in `addresses`.
"""

from connectors.kinds.sql.manifest import SqlManifest
from connectors.kinds.sql.source import connect, open_sources

__all__ = ["SqlManifest", "connect", "open_sources"]
