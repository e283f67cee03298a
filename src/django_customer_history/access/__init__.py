"""Who may read what: permissions, confidential fields and deleted records."""
