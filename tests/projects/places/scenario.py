"""What `test_places` runs in a process of its own. It prints what it has seen as JSON."""

import json
import sys

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.contrib.gis.geos import GEOSGeometry as Geometry  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402

from django_customer_history import health, history  # noqa: E402
from django_customer_history.models import Entry  # noqa: E402
from tests.projects.places.models import DIMENSIONS, Place, Route  # noqa: E402

# All its digits are needed.
SPOT = "SRID=4326;POINT(0.1 0.30000000000000004)"
SHAPE = "SRID=3857;POLYGON((0 0, 1 0, 1 1, 0 0))"
LINE = "SRID=4326;LINESTRING(0 0, 1.5 2.5)"
PEAK = f"SRID=4326;{'POINT Z (1 2 3)' if DIMENSIONS == 3 else 'POINT (1 2)'}"
MOVED = {
    "sqlite": "GeomFromText('POINT(5 6)', 4326)",
    "postgresql": "ST_GeomFromText('POINT(5 6)', 4326)",
    # Without an SRID, as GeoDjango writes. With 4326, MySQL has the latitude first.
    "mysql": "ST_GeomFromText('POINT(5 6)')",
}
EMPTY = {"sqlite": "GeomFromText", "postgresql": "ST_GeomFromText", "mysql": "ST_GeomFromText"}
KINDS = ("create", "update")
FIELDS = ("spot", "shape", "peak", "line")


def run(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)


def changes(model):
    entries = Entry.objects.filter(entity_model=f"places.{model}").order_by("id")
    return [[one.action, dict(one.changes)] for one in entries]


def values(record):
    """Return the geometries of a record, or of what it was, as texts."""
    held = record if isinstance(record, dict) else vars(record)
    return {name: held[name] and held[name].hexewkb.decode() for name in FIELDS if name in held}


def write_places():
    """Write in several ways; return the place, and what the ORM has read after each change."""
    place = Place.objects.create(
        name="Camp", spot=Geometry(SPOT), shape=Geometry(SHAPE), peak=Geometry(PEAK)
    )
    read = [values(Place.objects.get())]
    run(f"UPDATE places_place SET spot = {MOVED[connection.vendor]}")
    read.append(values(Place.objects.get()))
    Place.objects.update(shape=Geometry("SRID=3857;POINT(7 8)"), peak=None)
    read.append(values(Place.objects.get()))
    return place, read


def was(record):
    """Return what `as_of` says of a record after each of its entries."""
    entries = history.entries_for(record).filter(entity_id=str(record.pk), kind__in=KINDS)
    return [values(history.as_of(record, one.timestamp)) for one in entries.order_by("id")]


def write_routes():
    route = Route.objects.create(name="Loop", spot=Geometry(SPOT), line=Geometry(LINE))
    route.line = Geometry("SRID=4326;LINESTRING(1 1, 2 2)")
    route.save()
    run(f"UPDATE places_place SET spot = {MOVED[connection.vendor]} WHERE id = {route.pk}")
    key = route.pk
    route.delete()
    undone = history.restore(Route, key, reason="needed")
    return undone.is_complete, values(Route.objects.get(pk=key))


def write_empty():
    """Return what is logged and read of an empty geometry, which SpatiaLite does not store."""
    run(
        "INSERT INTO places_place (name, shape) VALUES"
        f" ('Nowhere', {EMPTY[connection.vendor]}('GEOMETRYCOLLECTION EMPTY', 3857))"
    )
    place = Place.objects.latest("pk")
    return history.entries_for(place).get().changes.get("shape", [None, None])[1]


def outputs(place):
    User.objects.create_superuser("ann", password="pw")
    client = Client()
    client.force_login(User.objects.get())
    entry = Entry.objects.filter(entity_model="places.place").earliest("id")
    api = f"/api/history/subjects/places.place/{place.pk}/"
    page = f"/history/places.place/{place.pk}/"
    paths = {
        "tab": page,
        "search": f"{page}?q=POINT+(5+6)",
        "as of": f"/history/record/{entry.pk}/",
        "undo": f"/history/undo/{entry.pk}/",
        "list": api,
        "entry": f"/api/history/entries/{entry.pk}/",
    }
    found = {name: client.get(path) for name, path in paths.items()}
    found["csv"] = client.get(f"{api}export/?format=csv")
    found["ndjson"] = client.get(f"{api}export/?format=ndjson")
    found["xlsx"] = client.get(f"{api}export/?format=xlsx")
    return {
        name: [one.status_code, "" if name == "xlsx" else one.getvalue().decode()]
        for name, one in found.items()
    }


def main():
    call_command("migrate", run_syncdb=True, verbosity=0)
    place, read = write_places()
    seen = {"read": read, "was": was(place), "places": changes("place")}
    seen["outputs"] = outputs(place)
    latest = history.entries_for(place).filter(kind="update").earliest("id")
    undone = history.undo(latest, reason="wrong")
    seen["undone"] = [undone.is_complete, values(Place.objects.get())]
    seen["restored"] = write_routes()
    seen["empty"] = write_empty()
    seen["routes"] = changes("route")
    if connection.vendor == "postgresql":
        run("TRUNCATE places_route")
        seen["truncated"] = changes("route")[-1]
    seen["problems"] = health.problems()
    if connection.vendor == "postgresql":
        run("ALTER TABLE places_place DROP COLUMN peak")
        run(f"INSERT INTO places_place (name, spot) VALUES ('Hut', {MOVED['postgresql']})")
        seen["without a column"] = changes("place")[-1]
    json.dump(seen, sys.stdout)


if __name__ == "__main__":
    main()
