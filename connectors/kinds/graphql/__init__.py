"""The kind `graphql`: one query of the agency's own schema, with a list of keys or an alias for each company, or of the
entities of a subgraph; page by page where the agency gives pages.
"""

from connectors.kinds.graphql.manifest import GraphqlManifest
from connectors.kinds.graphql.source import open_sources

__all__ = ["GraphqlManifest", "open_sources"]
