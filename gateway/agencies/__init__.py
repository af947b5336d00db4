"""What callers are told of the agencies themselves."""
