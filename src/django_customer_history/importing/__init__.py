"""What other packages recorded before, made into entries at the time when it happened."""
