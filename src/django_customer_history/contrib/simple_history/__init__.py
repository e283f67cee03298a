"""django-simple-history: snapshots of whole rows, and the import of their history."""
