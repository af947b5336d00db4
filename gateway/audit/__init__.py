"""The audit log: chained records, durable; signed checkpoints over them; and what reads and verifies both."""
