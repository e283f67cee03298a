"""The commands `manage.py history_...`."""
