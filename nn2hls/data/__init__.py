"""Arrays of events: files they come from, checks, test vectors."""
