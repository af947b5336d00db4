"""Files that agencies drop: made into records, and indexed by company in a process of their own."""
