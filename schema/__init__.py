"""What can be asked: the credit code, the record types with their tiers, the query roots and the catalogue."""
