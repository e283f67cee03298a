"""The text of geometries in the log, read without the libraries of GeoDjango.

PostGIS and SpatiaLite: EWKB in hexadecimal digits. MariaDB and MySQL: WKT with the SRID.
"""

import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isnan

_WITH_Z, _WITH_M, _WITH_SRID = 0x80000000, 0x40000000, 0x20000000
_SRID = "SRID="
_BEFORE_BRACKET, _AFTER_COMMA = re.compile(r"(?<=[A-Z])(?=\()"), re.compile(r"(?<=,)(?! )")
_DEEPEST = 20
"""Collections in collections: more are not read."""

NAMES: Mapping[int, str] = {
    1: "POINT",
    2: "LINESTRING",
    3: "POLYGON",
    4: "MULTIPOINT",
    5: "MULTILINESTRING",
    6: "MULTIPOLYGON",
    7: "GEOMETRYCOLLECTION",
}
_COLLECTION = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """A geometry as people read it."""

    wkt: str
    """`POINT (1 2)`, with all digits."""
    srid: int | None
    """None: it has none."""


def read_geometry(text: str) -> Geometry | None:
    """Return the geometry of a text of the log; None: it is of a type that is not known here."""
    if text.startswith(_SRID):
        srid, _, wkt = text.removeprefix(_SRID).partition(";")
        if not srid.isdecimal():
            return None
        wkt = _BEFORE_BRACKET.sub(" ", _AFTER_COMMA.sub(" ", wkt))
        return Geometry(wkt=wkt, srid=int(srid) or None)
    try:
        reader = _Reader(bytes.fromhex(text))
        wkt = reader.geometry(with_name=True, depth=0)
    except (ValueError, KeyError, struct.error):
        return None
    return Geometry(wkt=wkt, srid=reader.srid) if reader.is_at_end else None


def geometry_text(text: str, *, srid: int | None) -> str:
    """Return a geometry as a page shows it, with its SRID if that is not the field's.

    A text that is not known is returned as it is.
    """
    geometry = read_geometry(text)
    if geometry is None:
        return text
    if geometry.srid is None or geometry.srid == srid:
        return geometry.wkt
    return f"{_SRID}{geometry.srid};{geometry.wkt}"


class _Reader:
    """Reads EWKB: each geometry has its byte order, its type with flags, and maybe its SRID."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0
        self.srid: int | None = None

    @property
    def is_at_end(self) -> bool:
        """Whether everything was read."""
        return self._at == len(self._data)

    def geometry(self, *, with_name: bool, depth: int) -> str:
        """Return the WKT of the next geometry, or only what follows its name."""
        if depth > _DEEPEST:
            raise ValueError(depth)
        order = "<" if self._take("B") else ">"
        flags = self._take(f"{order}I")
        name = NAMES[flags & 0xFF]
        if flags & _WITH_SRID:
            self.srid = self._take(f"{order}i")
        dimensions = ("Z" if flags & _WITH_Z else "") + ("M" if flags & _WITH_M else "")
        point = f"{order}{2 + len(dimensions)}d"
        content = self._content(flags & 0xFF, order, point, depth) or "EMPTY"
        return " ".join(filter(None, [name, dimensions, content])) if with_name else content

    def _content(self, kind: int, order: str, point: str, depth: int) -> str:
        if kind == 1:
            values = self._take_all(point)
            return "" if all(map(isnan, values)) else f"({_written(values)})"
        readers: Mapping[int, Callable[[], str]] = {
            2: lambda: _written(self._take_all(point)),
            3: lambda: self._list(order, readers[2]),
        }
        return self._list(
            order,
            readers.get(
                kind, lambda: self.geometry(with_name=kind == _COLLECTION, depth=depth + 1)
            ),
        )

    def _list(self, order: str, read: Callable[[], str]) -> str:
        # A number that cannot be true ends with the data.
        parts = [read() for _ in range(self._take(f"{order}I"))]
        return f"({', '.join(parts)})" if parts else ""

    def _take(self, pattern: str) -> int:
        return int(self._take_all(pattern)[0])

    def _take_all(self, pattern: str) -> tuple[float, ...]:
        values = struct.unpack_from(pattern, self._data, self._at)
        self._at += struct.calcsize(pattern)
        return values


def _written(values: tuple[float, ...]) -> str:
    return " ".join(repr(value).removesuffix(".0") for value in values)
