# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The annual tables: what is shipped and from whom, what is only read from a folder, and zones that nobody knows."""

from __future__ import annotations

import calendar
import json
from importlib import resources
from typing import TYPE_CHECKING

import pytest

from carbon.errors import TableError
from carbon.source import Ladder
from carbon.static import FILE, StaticTable
from carbon.tables.derive import derive, main

if TYPE_CHECKING:
    from pathlib import Path

NOW = calendar.timegm((2026, 11, 22, 0, 0, 0))


def packaged() -> bytes:
    return (resources.files("carbon") / "tables" / FILE).read_bytes()


@pytest.mark.part("data")
def test_the_packaged_table_is_what_its_sources_give(data_folder: Path) -> None:
    assert derive(data_folder).encode() == packaged()


@pytest.mark.part("data")
def test_the_command_writes_the_table(data_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "table.json"
    assert main(["--data", str(data_folder), "--out", str(out)]) == 0
    assert out.read_bytes() == packaged()


def test_the_command_says_which_folder_it_misses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--data", str(tmp_path)])
    assert ended.value.code == 2
    assert "cloud_region_zone.csv" in capsys.readouterr().err


def test_only_apache_figures_are_shipped_each_with_source_and_checksum() -> None:
    document = json.loads(packaged())
    assert {each["licence"] for each in document["origins"]} == {"Apache-2.0"}
    assert all(each["licence"].startswith("Apache-2.0") and len(each["sha256"]) == 64 for each in document["inputs"])
    sources = {each["source"] for each in document["origins"]}
    assert sources == {"google", "ccf"}
    assert all(each["source"] in sources and each["year"] and each["regions"] for each in document["rows"])


def test_a_figure_carries_method_source_vintage_and_interval() -> None:
    value = StaticTable.embedded().intensity("DE", at_unix_s=NOW, method="direct", basis="average")
    assert value is not None
    assert (value.g_per_kwh, value.method, value.source, value.licence) == (275.82, "direct", "google", "Apache-2.0")
    assert value.start_unix_s == calendar.timegm((2024, 1, 1, 0, 0, 0))
    assert value.step_s == 366 * 86400
    assert 0 < value.low_g_per_kwh < 275.82 < value.high_g_per_kwh
    assert value.vintage


def test_an_older_figure_is_less_sure() -> None:
    table = StaticTable.embedded()
    widths = []
    for year in (2024, 2025, 2026, 2027):
        at = calendar.timegm((year, 6, 1, 0, 0, 0))
        value = table.intensity("DE", at_unix_s=at, method="direct", basis="average")
        assert value is not None
        widths.append(value.high_g_per_kwh - value.low_g_per_kwh)
    assert widths[0] == widths[1] < widths[2] < widths[3]


def test_direct_and_lifecycle_are_never_mixed() -> None:
    ladder = Ladder(StaticTable.embedded())
    direct = ladder.rate("BE", at_unix_s=NOW)
    lifecycle = ladder.rate("BE", at_unix_s=NOW, method="lifecycle")
    assert direct.value is not None
    assert lifecycle.value is not None
    assert (direct.value.g_per_kwh, lifecycle.value.g_per_kwh) == (103.37, 212.0)
    assert ladder.rate("BE", at_unix_s=NOW, basis="marginal").rung == "none"


@pytest.mark.parametrize("zone", ["XX", "", "de", "AQ", "DE-X"])
def test_a_zone_in_no_table_has_no_number(zone: str) -> None:
    for rated in (
        Ladder(StaticTable.embedded()).rate(zone, at_unix_s=NOW),
        Ladder(StaticTable.embedded()).rate_any(zone, at_unix_s=NOW),
        Ladder().rate(zone, at_unix_s=NOW),
    ):
        assert (rated.rung, rated.value) == ("none", None)
        assert rated.reason


def test_cloud_regions_know_their_zone_and_pue() -> None:
    region = StaticTable.embedded().regions["aws/eu-west-1"]
    assert (region.zone, region.pue_ratio) == ("IE", 1.135)


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, encoding="utf-8")


ZONES = "annual_zone_electricitymaps_2021_2025.csv"
HEADER = "zone,country_name,zone_name,year,lca_gco2eq_per_kwh,renewable_pct,carbon_free_pct\n"


def test_a_folder_adds_zones_and_says_whose_they_are(tmp_path: Path) -> None:
    write(tmp_path, ZONES, HEADER + "XX,,Nowhere,2024,500,1,1\nXX,,Nowhere,2025,400,1,1\n")
    ladder = Ladder(StaticTable.embedded().with_folder(tmp_path))
    assert ladder.rate("XX", at_unix_s=NOW).rung == "none"
    rated = ladder.rate_any("XX", at_unix_s=NOW)
    assert rated.value is not None
    assert (rated.value.g_per_kwh, rated.value.method, rated.value.licence) == (400.0, "lifecycle", "ODbL-1.0")
    assert "only a lifecycle figure" in rated.reason
    embedded = ladder.rate("DE", at_unix_s=NOW).value
    assert embedded is not None
    assert embedded.source == "google"


def test_an_empty_folder_adds_nothing_and_none_is_an_error(tmp_path: Path) -> None:
    table = StaticTable.embedded()
    assert table.with_folder(tmp_path).zones() == table.zones()
    with pytest.raises(TableError, match="data_folder"):
        table.with_folder(tmp_path / "missing")


@pytest.mark.parametrize(
    ("text", "field", "line"),
    [
        ("zone,year\n", "lca_gco2eq_per_kwh", 1),
        (HEADER + "XX,,N,2024,-1,1,1\n", "lca_gco2eq_per_kwh", 2),
        (HEADER + "XX,,N,2024,300,1,1\nXX,,N,2025,nan,1,1\n", "lca_gco2eq_per_kwh", 3),
        (HEADER + "XX,,N,2024,30000,1,1\n", "lca_gco2eq_per_kwh", 2),
        (HEADER + "XX,,N,last,300,1,1\n", "year", 2),
    ],
)
def test_a_malformed_table_is_named_with_line_and_column(tmp_path: Path, text: str, field: str, line: int) -> None:
    write(tmp_path, ZONES, text)
    with pytest.raises(TableError) as error:
        StaticTable.embedded().with_folder(tmp_path)
    assert (error.value.file, error.value.line, error.value.field) == (ZONES, line, field)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"version": 2}', packaged().replace(b'"g_per_kwh": 275.82', b'"g_per_kwh": -1')]
)
def test_a_damaged_package_table_is_refused(body: bytes) -> None:
    with pytest.raises(TableError):
        StaticTable.decode(body)


@pytest.mark.part("data")
def test_the_public_folder_knows_hundreds_of_zones(data_folder: Path) -> None:
    table = StaticTable.embedded().with_folder(data_folder / "carbon")
    assert len(table.zones()) > 300
    ember = table.intensity("TZ", at_unix_s=NOW, method="lifecycle", basis="average")
    assert ember is not None
    assert ember.licence in {"ODbL-1.0", "CC-BY-SA-4.0"}
