"""Evidence: an export whose entries anybody can check against the seals, as one zip file."""
