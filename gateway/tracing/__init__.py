"""Traces of requests by OpenTelemetry, where the settings want them: then this is imported, and not before."""
