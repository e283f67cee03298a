"""The router that projects with a replica have, after Django's documentation."""


class ReplicaRouter:
    """Writes go to the primary, reads to the replica."""

    def db_for_read(self, model, **hints):
        return "replica"

    def db_for_write(self, model, **hints):
        return "default"

    def allow_relation(self, obj1, obj2, **hints):
        return True

    def allow_migrate(self, db, app_label, **hints):
        return db == "default"
