"""`manage.py history_...`."""
