"""The way of a request, stage by stage, and what stands around it: settings, identity, audit, HTTP, command line."""
