"""django-simple-history: take snapshots of whole rows, and import older ones."""
