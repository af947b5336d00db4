"""How an agency is asked: manifests, kinds of system, mapping, bounds, and the cache of rows."""
