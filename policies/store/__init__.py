"""Policy versions, immutable and numbered, and the drafts that lead to them; in a directory or in a database."""
