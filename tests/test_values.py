"""Keys, masks and values."""

import sys
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import models
from django.test.utils import isolate_apps

from django_customer_history import masks
from django_customer_history.access.permissions import (
    confidential_permission,
    export_permission,
    view_permission,
)
from django_customer_history.keys import (
    lowest_uuid_at,
    time_ordered_uuid,
    uuid_at,
)
from django_customer_history.values.decoding import decode
from django_customer_history.values.encoding import encode, key_text
from django_customer_history.values.geometries import geometry_text
from django_customer_history.values.python_values import python_value
from django_customer_history.values.rendering import display_function, json_value
from django_customer_history.values.types import ValueType


class TestMasks:
    @pytest.mark.parametrize(
        ("mask", "value", "shown"),
        [
            (masks.SSN, "123-45-6789", "***-**-6789"),
            (masks.SSN, "123456789", "***-**-6789"),
            (masks.SSN, "6789", "***-**-****"),
            (masks.CARD, "4111 1111 1111 1234", "**** **** **** 1234"),
            (masks.ACCOUNT, "DE02120300000000202051", "*****2051"),
            (masks.EMAIL, "ann.longname@example.com", "a***@example.com"),
            (masks.EMAIL, "nonsense", "*****"),
            (masks.FULL, "x", "*****"),
            (masks.FULL, "a much longer text", "*****"),
            (masks.FULL, "", ""),
            (masks.FULL, None, None),
        ],
    )
    def test_masks_hide_the_length(self, mask, value, shown):
        assert mask(value) == shown


class TestValues:
    def test_text_of_another_type(self):
        assert decode("draft", ValueType.INTEGER) == "draft"
        assert decode("maybe", ValueType.BOOLEAN) == "maybe"
        assert decode("x", None) == "x"
        assert decode(None, ValueType.DATE) is None

    def test_json_values_are_typed(self):
        assert json_value("7", ValueType.INTEGER) == 7
        assert json_value("12.50", ValueType.DECIMAL) == "12.50"
        assert json_value("172803000004", ValueType.DURATION) == "P2DT00H00M03.000004S"
        assert json_value('{"a": 1}', ValueType.JSON) == {"a": 1}

    def test_unknown_type_is_an_error(self):
        with pytest.raises(TypeError, match="cannot store a object"):
            encode(object())


POINT = "0101000020E6100000000000000000F03F0000000000000040"


class TestGeometries:
    """Without GDAL and GEOS."""

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            (POINT, "POINT (1 2)"),
            (POINT.lower(), "POINT (1 2)"),
            ("0020000001000010E63FF00000000000004000000000000000", "POINT (1 2)"),
            ("0101000000000000000000F03F0000000000000040", "POINT (1 2)"),
            (
                "0101000020110F0000000000000000F03F0000000000000040",
                "SRID=3857;POINT (1 2)",
            ),
            ("01010000009A9999999999B93F343333333333D33F", "POINT (0.1 0.30000000000000004)"),
            ("01010000A0E6100000000000000000F03F00000000000000400000000000000840",
             "POINT Z (1 2 3)"),
            ("0101000020E6100000000000000000F87F000000000000F87F", "POINT EMPTY"),
            ("0107000020E610000000000000", "GEOMETRYCOLLECTION EMPTY"),
            (
                "01040000000200000001010000000000000000000000000000000000F03F"
                "010100000000000000000000400000000000000840",
                "MULTIPOINT ((0 1), (2 3))",
            ),
            (
                "0107000000010000000101000000000000000000F03F0000000000000040",
                "GEOMETRYCOLLECTION (POINT (1 2))",
            ),
            ("SRID=0;POLYGON((0 0,1 0,1 1,0 0))", "POLYGON ((0 0, 1 0, 1 1, 0 0))"),
            ("SRID=3857;POINT(7 8)", "SRID=3857;POINT (7 8)"),
        ],
    )  # fmt: skip
    def test_shown_as_wkt(self, text, shown):
        assert geometry_text(text, srid=4326) == shown

    @pytest.mark.parametrize(
        "text",
        [
            "", "01", "x", POINT[:-2], POINT + "00", "SRID=x;POINT(1 2)", "POINT (1 2)",
            # A curve, a count that is too large, and a cut text.
            "0108000000020000000000", "0102000000FFFFFFFF", POINT[:20] + "…",
            "010700000001000000" * 30,
        ],
    )  # fmt: skip
    def test_other_text_stays(self, text):
        assert geometry_text(text, srid=4326) == text

    def test_field_shows_wkt(self):
        field = models.CharField()
        field.geom_type, field.srid = "POINT", 4326
        display = display_function(field, ValueType.TEXT)
        assert display(POINT) == "POINT (1 2)"
        assert display("ff") == "ff"

    def test_value_without_libraries(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "django.contrib.gis.geos", None)
        field = models.CharField()
        field.geom_type = "POINT"
        assert python_value(field, POINT) == POINT


class TestKeys:
    def test_keys_are_ordered_uuids(self):
        keys = [time_ordered_uuid() for _ in range(10_000)]
        assert keys == sorted(keys)
        assert len(set(keys)) == 10_000
        assert {(key.version, key.variant) for key in keys[:10]} == {(7, "specified in RFC 4122")}

    def test_lowest_key_of_a_moment(self):
        moment = datetime(2026, 11, 23, 14, 2, 11, 482913, tzinfo=UTC)
        microseconds = 1795442531482913
        lowest = lowest_uuid_at(moment)
        assert lowest == UUID("01a208b6-dc9a-7e9b-8000-000000000000")
        assert lowest <= uuid_at(microseconds) < lowest_uuid_at(moment + timedelta(microseconds=1))
        assert uuid_at(microseconds - 1) < lowest

    @pytest.mark.parametrize(
        ("key", "text"),
        [
            (7, "7"),
            ("7", "7"),
            (UUID("01A208B6-DC9A-7E9B-8000-000000000000"), "01a208b6-dc9a-7e9b-8000-000000000000"),
            ((1, "p"), '["1","p"]'),
            (None, ""),
        ],
    )
    def test_text_of_each_key(self, key, text):
        assert key_text(key) == text


class TestPermissionNames:
    def test_long_names_end_in_a_digest(self):
        with isolate_apps("tests"):
            model = type(
                "M" * 90,
                (models.Model,),
                {"__module__": __name__, "Meta": type("Meta", (), {"app_label": "long"})},
            )
        names = [
            view_permission(model),
            export_permission(model),
            confidential_permission(model, "one"),
            confidential_permission(model, "two"),
        ]
        codenames = [name.removeprefix("long.") for name in names]
        assert len(set(codenames)) == 4
        assert [len(one) for one in codenames] == [100] * 4


def test_failing_choices_show_the_text():
    def no_choices():
        raise ValueError("There are none today.")

    display = display_function(models.CharField(choices=no_choices), ValueType.TEXT)
    assert [display("north"), display("south")] == ["north", "south"]
