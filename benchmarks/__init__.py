"""What the gateway costs, and what others cost that do the like: `make bench` measures it and writes the report."""
