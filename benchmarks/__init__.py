"""What capture costs: ratios to the same work without it, measured in turn in one run."""
