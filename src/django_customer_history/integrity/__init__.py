"""What keeps the log append-only."""
