# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The way through a Redfish service: what is asked for next, and whose chassis are ours."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.meters.redfish_power import findings
from agent.meters.redfish_walk import ROOT, Document, followable, layout, wanted
from sim.bmc.app import VENDORS
from sim.bmc.documents import Draw, Tree, collection, ref, resource

JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


def walk(tree: Tree) -> dict[str, Document]:
    """Asks ``tree`` for everything that is wanted, until nothing is."""
    have: dict[str, Document] = {}
    absent: set[str] = set()
    for _ in range(50):
        needed = wanted(have, absent=absent)
        if not needed.essential and not needed.extra:
            return have
        for uri in (*needed.essential, *needed.extra):
            if uri in tree:
                have[uri] = tree[uri]
            else:
                absent.add(uri)
    raise AssertionError("the walk does not end")


@pytest.mark.parametrize("vendor", sorted(VENDORS))
def test_every_document_about_power_is_found_without_knowing_the_vendor(vendor: str) -> None:
    tree = VENDORS[vendor](Draw())
    found = walk(tree)
    assert {uri for uri in tree if "Power" in uri or "Metrics" in uri or "Sensors" in uri} <= set(found)


def test_sensors_come_after_everything_that_the_whole_machine_needs() -> None:
    tree = VENDORS["dell"](Draw())
    needed = wanted({uri: each for uri, each in tree.items() if "/Sensors" not in uri}, absent=())
    assert needed.essential == ()
    assert needed.extra == ("/redfish/v1/Chassis/System.Embedded.1/Sensors",)


@pytest.mark.parametrize(
    "uri",
    [
        "http://elsewhere/redfish/v1/Chassis",
        "//elsewhere/redfish/v1/Chassis",
        "/redfish/v1//elsewhere",
        "/redfish/v1/../../admin",
        "/admin",
        "/redfish/v1/a b",
        "/redfish/v1/a\r\nX-Evil: 1",
        "/redfish/v1/" + "x" * 600,
        "",
        7,
        None,
    ],
)
def test_a_link_that_leads_elsewhere_is_not_followed(uri: object) -> None:
    assert followable(uri) is None


def test_a_link_into_an_array_leads_to_its_document() -> None:
    assert followable("/redfish/v1/Chassis/1/Power#/PowerControl/0") == "/redfish/v1/Chassis/1/Power"
    assert followable("/redfish/v1/Chassis/1/Sensors?$skip=50") == "/redfish/v1/Chassis/1/Sensors?$skip=50"


def enclosure(*systems: str) -> Tree:
    """A sled per system, all in one enclosure whose power covers them all (Chassis v1_25_0, Links.Contains)."""
    box = "/redfish/v1/Chassis/Enclosure"
    tree: Tree = {
        ROOT: resource(
            ROOT, "ServiceRoot.v1_15_0.ServiceRoot", "RootService", "Root",
            Systems=ref("/redfish/v1/Systems"), Chassis=ref("/redfish/v1/Chassis"),
        ),
        "/redfish/v1/Systems": collection(
            "/redfish/v1/Systems", "ComputerSystemCollection", *(f"/redfish/v1/Systems/{name}" for name in systems)
        ),
        "/redfish/v1/Chassis": collection(
            "/redfish/v1/Chassis", "ChassisCollection", box, *(f"/redfish/v1/Chassis/{name}" for name in systems)
        ),
        box: resource(
            box, "Chassis.v1_25_0.Chassis", "Enclosure", "Enclosure", ChassisType="Enclosure",
            Power=ref(f"{box}/Power"), Links={"Contains": [ref(f"/redfish/v1/Chassis/{name}") for name in systems]},
        ),
        f"{box}/Power": {"PowerControl": [{"PowerConsumedWatts": 3000}]},
    }  # fmt: skip
    for at, name in enumerate(systems):
        uri = f"/redfish/v1/Chassis/{name}"
        tree[f"/redfish/v1/Systems/{name}"] = resource(
            f"/redfish/v1/Systems/{name}", "ComputerSystem.v1_22_0.ComputerSystem", name, name, UUID=f"UUID-{name}"
        )
        tree[uri] = resource(
            uri, "Chassis.v1_25_0.Chassis", name, name, ChassisType="Sled", Power=ref(f"{uri}/Power"),
            Links={"ComputerSystems": [ref(f"/redfish/v1/Systems/{name}")], "ContainedBy": ref(box)},
        )  # fmt: skip
        tree[f"{uri}/Power"] = {"PowerControl": [{"PowerConsumedWatts": 300 + at}]}
    return tree


def test_an_enclosure_of_one_system_is_the_outermost_chassis_and_its_sled_is_not_added() -> None:
    found = findings(enclosure("node1"))
    best = found.best()
    assert best is not None
    assert best.power_w == 3000


def test_an_enclosure_that_holds_other_nodes_is_not_this_nodes_power() -> None:
    tree = enclosure("node1", "node2")
    best = findings(tree, system="uuid-NODE2").best()
    assert best is not None
    assert best.power_w == 301
    assert layout(tree, system="node2").shared == ("/redfish/v1/Chassis/Enclosure", "/redfish/v1/Chassis/node1")


def test_with_several_systems_somebody_must_say_which_one_this_is() -> None:
    found = findings(enclosure("node1", "node2"))
    assert found.candidates == ()
    assert "redfish_system" in found.reason
    assert "node1, node2" in found.reason
    assert "no system has" in findings(enclosure("node1", "node2"), system="node9").reason


def test_chassis_that_contain_each_other_end_the_walk_all_the_same() -> None:
    tree = enclosure("node1")
    tree["/redfish/v1/Chassis/Enclosure"]["Links"]["ContainedBy"] = ref("/redfish/v1/Chassis/node1")
    assert walk(tree)
    assert list(layout(tree).trees()) == []


def test_pages_of_a_collection_are_read_to_the_end() -> None:
    tree = VENDORS["lenovo"](Draw())
    chassis = tree["/redfish/v1/Chassis"]
    tree["/redfish/v1/Chassis"] = chassis | {"Members": [], "Members@odata.nextLink": "/redfish/v1/Chassis?$skip=1"}
    tree["/redfish/v1/Chassis?$skip=1"] = chassis | {"Members@odata.nextLink": "/redfish/v1/Chassis?$skip=1"}
    best = findings(walk(tree)).best()
    assert best is not None
    assert best.power_w == Draw().input_w


@given(st.sampled_from(sorted(VENDORS)), st.data())
def test_garbage_in_any_document_never_raises_and_never_makes_more_power_than_there_is(
    vendor: str, data: st.DataObject
) -> None:
    tree = VENDORS[vendor](Draw())
    uri = data.draw(st.sampled_from(sorted(tree)))
    broken: dict[str, Any] = dict(tree[uri])
    for name in data.draw(st.lists(st.sampled_from(sorted(broken)), min_size=1, max_size=3)):
        broken[name] = data.draw(JSON.filter(lambda value: not isinstance(value, int | float)))
    tree[uri] = broken
    found = findings(walk(tree))
    truth = Draw()
    for each in found.candidates:
        assert each.power_w is None or each.power_w in (truth.input_w, truth.output_w), each
    for part in found.parts:
        assert part.power_w is None or 0 <= part.power_w <= truth.input_w
