"""django-auditlog: import its records."""
