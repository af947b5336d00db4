"""The stages on the way of a request, between receiving and responding (docs/architecture.md)."""
