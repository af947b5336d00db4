"""The kind `rest`: calls over HTTP, one company each or many, page by page where the agency gives pages; answers in
JSON or XML.
"""

from connectors.kinds.rest.manifest import RestManifest
from connectors.kinds.rest.source import open_sources

__all__ = ["RestManifest", "open_sources"]
