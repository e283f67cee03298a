"""django-auditlog: the import of its records."""
