# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Annual figures by zone: the table in the package, and others from a data folder.

The package holds Apache-2.0 figures alone. ODbL and CC BY-SA tables are read from a folder of the user's and never
shipped (LEDGER 6). A zone that is in no table has no figure: no country or world average stands in for it.
"""

from __future__ import annotations

import calendar
import csv
import math
from datetime import UTC, datetime
from importlib import resources
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from carbon.errors import TableError
from carbon.intensity import Basis, Boundary, Intensity, Method, Rung

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

FILE = "static_intensity.json"
# No grid reaches 2,000 g/kWh (pure lignite is about 1,100); more is an error in units.
_HIGHEST_G_PER_KWH = 2000.0

_Grams = Annotated[float, Meta(ge=0, le=_HIGHEST_G_PER_KWH)]
_Year = Annotated[int, Meta(ge=1990, le=2100)]


class Origin(Struct, frozen=True, forbid_unknown_fields=True):
    """One publisher's set: what its figures mean and how far they are from later ones."""

    source: str
    title: str
    licence: str
    vintage: str
    boundary: Boundary


class Drift(Struct, frozen=True, forbid_unknown_fields=True):
    """How far an annual figure is from the figure of ``age_years`` later: 95 % of changes seen are smaller."""

    source: str
    age_years: int
    error_ratio: Annotated[float, Meta(ge=0)]
    floor_g_per_kwh: Annotated[float, Meta(ge=0)]
    """Nearly clean grids change by grams, not by shares."""
    samples: int


class Row(Struct, frozen=True, forbid_unknown_fields=True):
    """One annual figure."""

    zone: Annotated[str, Meta(min_length=2, max_length=64)]
    year: _Year
    method: Method
    g_per_kwh: _Grams
    source: str
    basis: Basis = "average"
    spread_g_per_kwh: _Grams = 0.0
    """Half the distance between the regions of this zone that were averaged."""
    regions: tuple[str, ...] = ()


class Region(Struct, frozen=True, forbid_unknown_fields=True):
    """A cloud region, its grid zone and the provider's published PUE."""

    region: str
    zone: str
    pue_ratio: Annotated[float, Meta(ge=1, le=10)]


class Input(Struct, frozen=True, forbid_unknown_fields=True):
    """A file that the table was derived from."""

    file: str
    sha256: str
    licence: str
    origin: str


class Document(Struct, frozen=True, forbid_unknown_fields=True):
    """The packaged JSON, as `carbon.tables.derive` writes it."""

    version: Literal[1]
    about: str
    inputs: tuple[Input, ...]
    origins: tuple[Origin, ...]
    drift: tuple[Drift, ...]
    rows: tuple[Row, ...]
    regions: tuple[Region, ...]


# For tables of a user's folder nobody knows the drift beforehand; they get that of the packaged set.
_DRIFT_LIKE = "google"


class StaticTable:
    """Annual figures as an `IntensitySource`; all of it stands on the rung ``annual``."""

    name = "static annual table"
    rung: Rung = "annual"

    def __init__(
        self,
        rows: Iterable[Row],
        *,
        origins: Iterable[Origin],
        drift: Iterable[Drift],
        regions: Iterable[Region] = (),
    ) -> None:
        self.origins = {origin.source: origin for origin in origins}
        self.regions = {region.region: region for region in regions}
        self._drift = {
            source: tuple(sorted(group, key=lambda each: each.age_years))
            for source, group in groupby(sorted(drift, key=lambda each: each.source), key=lambda each: each.source)
        }
        self._rows: dict[tuple[str, Method, Basis], list[Row]] = {}
        for row in rows:
            if row.source not in self.origins:
                raise TableError(file=FILE, field="source", reason=f"{row.source!r} has no entry in origins")
            self._rows.setdefault((row.zone, row.method, row.basis), []).append(row)

    @classmethod
    def embedded(cls) -> StaticTable:
        """The table in the package. Raises TableError if it was damaged."""
        return cls.decode((resources.files("carbon") / "tables" / FILE).read_bytes())

    @classmethod
    def decode(cls, body: bytes) -> StaticTable:
        """A table from its JSON. Raises TableError."""
        try:
            document = msgspec.json.decode(body, type=Document)
        except msgspec.DecodeError as error:
            raise TableError(file=FILE, field="document", reason=str(error)) from error
        return cls(document.rows, origins=document.origins, drift=document.drift, regions=document.regions)

    def with_folder(self, folder: Path) -> StaticTable:
        """This table and those of a data folder that exist there. Raises TableError for one that is malformed."""
        if not folder.is_dir():
            raise TableError(file=str(folder), field="data_folder", reason="is not a folder")
        rows = [row for group in self._rows.values() for row in group]
        origins = dict(self.origins)
        for reader in (_electricity_maps, _ember):
            origin, found = reader(folder)
            if found:
                origins[origin.source] = origin
                rows += found
        return StaticTable(
            rows,
            origins=origins.values(),
            drift=[each for group in self._drift.values() for each in group],
            regions=self.regions.values(),
        )

    def zones(self) -> tuple[str, ...]:
        """All zones with any figure, sorted."""
        return tuple(sorted({zone for zone, _, _ in self._rows}))

    def intensity(self, zone: str, *, at_unix_s: int, method: Method, basis: Basis) -> Intensity | None:
        """The newest year that is not after the one asked for, else the oldest; earlier origins win a draw."""
        rows = self._rows.get((zone, method, basis))
        if not rows:
            return None
        asked = datetime.fromtimestamp(at_unix_s, UTC).year
        past = [row for row in rows if row.year <= asked]
        row = max(past, key=lambda each: each.year) if past else min(rows, key=lambda each: each.year)
        return self._value(row, age_years=abs(asked - row.year))

    def _value(self, row: Row, *, age_years: int) -> Intensity:
        origin = self.origins[row.source]
        half = math.hypot(self._drift_g(row, age_years=age_years), row.spread_g_per_kwh)
        days = 366 if calendar.isleap(row.year) else 365
        return Intensity(
            zone=row.zone,
            start_unix_s=calendar.timegm((row.year, 1, 1, 0, 0, 0)),
            step_s=days * 86400,
            g_per_kwh=row.g_per_kwh,
            low_g_per_kwh=max(0.0, row.g_per_kwh - half),
            high_g_per_kwh=row.g_per_kwh + half,
            method=row.method,
            basis=row.basis,
            boundary=origin.boundary,
            source=origin.source,
            vintage=origin.vintage,
            licence=origin.licence,
        )

    def _drift_g(self, row: Row, *, age_years: int) -> float:
        steps = self._drift.get(row.source) or self._drift.get(_DRIFT_LIKE)
        if not steps:
            return row.g_per_kwh
        # A figure of this very year is still an average over hours: it gets the first step too.
        reached = [step for step in steps if step.age_years <= max(age_years, 1)] or [steps[0]]
        return max(row.g_per_kwh * reached[-1].error_ratio, reached[-1].floor_g_per_kwh)


def _records(folder: Path, name: str, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and fields of a CSV file; nothing where it does not exist."""
    path = folder / name
    if not path.is_file():
        return
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        for column in columns:
            if column not in (reader.fieldnames or ()):
                raise TableError(file=name, line=1, field=column, reason="no such column")
        for record in reader:
            yield reader.line_num, {column: record[column] or "" for column in columns}


def _number(text: str, *, file: str, line: int, field: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= _HIGHEST_G_PER_KWH:
        raise TableError(file=file, line=line, field=field, reason=f"{text!r} is not a figure from 0 to 2000")
    return value


def _electricity_maps(folder: Path) -> tuple[Origin, list[Row]]:
    name = "annual_zone_electricitymaps_2021_2025.csv"
    origin = Origin(
        source="electricity-maps-annual",
        title="Electricity Maps, annual means by zone",
        licence="ODbL-1.0",
        vintage="2026",
        boundary="consumption",
    )
    rows = []
    for line, record in _records(folder, name, ("zone", "year", "lca_gco2eq_per_kwh")):
        if not record["year"].isdigit():
            raise TableError(file=name, line=line, field="year", reason=f"{record['year']!r} is not a year")
        grams = _number(record["lca_gco2eq_per_kwh"], file=name, line=line, field="lca_gco2eq_per_kwh")
        rows.append(
            Row(
                zone=record["zone"],
                year=int(record["year"]),
                method="lifecycle",
                g_per_kwh=grams,
                source=origin.source,
            )
        )
    return origin, rows


def _ember(folder: Path) -> tuple[Origin, list[Row]]:
    """Countries by ISO 3166 three-letter code; zones use two letters, and the marginal table holds both."""
    name = "annual_country_ember.csv"
    codes_name = "annual_country_marginal_unfccc_ifi_2021.csv"
    origin = Origin(
        source="ember-annual",
        title="Ember, annual means by country",
        licence="CC-BY-SA-4.0",
        vintage="2025",
        boundary="production",
    )
    codes = {record["iso3"]: record["iso2"] for _, record in _records(folder, codes_name, ("iso3", "iso2"))}
    rows = []
    for line, record in _records(folder, name, ("iso3", "year", "lifecycle_gco2_per_kwh")):
        zone = codes.get(record["iso3"], "")
        if not zone:
            continue
        if not record["year"].isdigit():
            raise TableError(file=name, line=line, field="year", reason=f"{record['year']!r} is not a year")
        grams = _number(record["lifecycle_gco2_per_kwh"], file=name, line=line, field="lifecycle_gco2_per_kwh")
        rows.append(Row(zone=zone, year=int(record["year"]), method="lifecycle", g_per_kwh=grams, source=origin.source))
    return origin, rows
