"""Places and what belongs to them, with geometries of GeoDjango."""

from django.contrib.gis.db import models
from django.db import connection

from django_customer_history import history

DIMENSIONS = 2 if connection.vendor == "mysql" else 3


class Place(models.Model):
    """A record with geometries: of the earth, of any kind, with a height."""

    name = models.CharField(max_length=40)
    spot = models.PointField(null=True)
    shape = models.GeometryField(null=True, srid=3857)
    peak = models.PointField(null=True, dim=DIMENSIONS)


class Route(Place):
    """A record in two tables, each with geometries."""

    line = models.LineStringField(null=True)


history.register(Place, subject="self", label="name")
history.register(Route, subject="self", label="name")
