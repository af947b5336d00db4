"""What one organisation, or one of its users, may ask in a minute, at once and on a day."""
