# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The extender contract byte for byte: golden answers, either spelling of the keys, full Node objects."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from extender import contract
from plumbing.problem import Problem
from tests.extender.replica import running
from tests.scheduling.pods import args, pod

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

FULL = """
apiVersion: penstock.dev/v1alpha1
kind: PowerBudget
metadata: {name: prod, namespace: team-a}
spec: {limitWatts: 0.001}
"""


async def test_filter_passes_nodes_byte_for_byte() -> None:
    async with running() as replica:
        answer = await replica.http.post("/filter", json.dumps(args(pod(), "n-2", "n-1")).encode())
        assert answer.body == (
            b'{"Nodes":null,"NodeNames":["n-2","n-1"],"FailedNodes":{},"FailedAndUnresolvableNodes":{},"Error":""}'
        )
        assert answer.headers["content-type"] == "application/json"


async def test_filter_refuses_byte_for_byte_with_one_text_for_all_nodes(tmp_path: Path) -> None:
    (tmp_path / "budget.yaml").write_text(FULL)
    async with running(policies=str(tmp_path)) as replica:
        answer = await replica.http.post("/filter", json.dumps(args(pod(), "n-2", "n-1")).encode())
        assert answer.body == (
            b'{"Nodes":null,"NodeNames":[],"FailedNodes":{},"FailedAndUnresolvableNodes":'
            b'{"n-2":"PowerBudget team-a/prod is full","n-1":"PowerBudget team-a/prod is full"},"Error":""}'
        )


async def test_prioritize_is_a_bare_array_byte_for_byte() -> None:
    async with running() as replica:
        answer = await replica.http.post("/prioritize", json.dumps(args(pod(), "n-2", "n-1")).encode())
        assert answer.body == b'[{"Host":"n-2","Score":0},{"Host":"n-1","Score":0}]'


@pytest.mark.parametrize("names", ["NodeNames", "nodeNames", "nodenames"])
@pytest.mark.parametrize("key", ["Pod", "pod"])
async def test_either_spelling_of_the_keys_is_read(key: str, names: str) -> None:
    request = contract.decode(json.dumps({key: pod(), names: ["n-1"], "Another": {"deep": [1]}}).encode())
    assert request.names == ("n-1",)
    assert request.pod.metadata.uid == "uid-1"


async def test_an_empty_list_of_names_is_answered_with_an_empty_list() -> None:
    async with running() as replica:
        answer = await replica.post("/filter", args(pod()))
        assert answer["NodeNames"] == []
        assert answer["FailedAndUnresolvableNodes"] == {}
        assert await replica.post("/prioritize", args(pod())) == []
        assert len(replica.cluster.holds) == 0


async def test_names_given_twice_are_answered_once() -> None:
    async with running() as replica:
        assert (await replica.post("/filter", args(pod(), "n-1", "n-1")))["NodeNames"] == ["n-1"]
        assert len(await replica.post("/prioritize", args(pod(), "n-1", "n-1"))) == 1


async def test_full_nodes_come_back_untouched(tmp_path: Path) -> None:
    node = {"metadata": {"name": "n-1", "labels": {"a": "b"}}, "status": {"capacity": {"cpu": "4"}, "x": [1.5, None]}}
    request = {"Pod": pod(), "Nodes": {"metadata": {}, "items": [node]}, "NodeNames": None}
    async with running() as replica:
        answer = await replica.post("/filter", request)
        assert answer["NodeNames"] is None
        assert answer["Nodes"] == {"metadata": {}, "items": [node]}
        assert await replica.post("/prioritize", request) == [{"Host": "n-1", "Score": 0}]
    (tmp_path / "budget.yaml").write_text(FULL)
    async with running(policies=str(tmp_path)) as replica:
        answer = await replica.post("/filter", request)
        assert answer["Nodes"] == {"metadata": {}, "items": []}
        assert set(answer["FailedAndUnresolvableNodes"]) == {"n-1"}


def _pod_with(path: str, value: Any) -> dict[str, Any]:
    document = pod()
    at: Any = document
    *above, last = path.split(".")
    for part in above:
        at = at[int(part)] if part.isdigit() else at[part]
    at[last] = value
    return document


BAD: dict[str, tuple[object, str]] = {
    "no object": ([], "body"),
    "nothing": ({}, "Pod"),
    "pod as text": ({"Pod": "x", "NodeNames": []}, "Pod"),
    "no names": ({"Pod": pod()}, "NodeNames"),
    "both null": ({"Pod": pod(), "NodeNames": None, "Nodes": None}, "NodeNames"),
    "names as text": ({"Pod": pod(), "NodeNames": "n-1"}, "NodeNames"),
    "a name that is a number": ({"Pod": pod(), "NodeNames": ["a", 7]}, "NodeNames[1]"),
    "node without name": ({"Pod": pod(), "Nodes": {"items": [{"metadata": {}}]}}, "Nodes.items[0].metadata.name"),
    "no uid": ({"Pod": _pod_with("metadata.uid", ""), "NodeNames": ["a"]}, "Pod.metadata.uid"),
    "quantity": (
        {"Pod": pod(cpu="much"), "NodeNames": ["a"]},
        "Pod.spec.containers[0].resources.requests.cpu",
    ),
    "negative": ({"Pod": pod(cpu="-1"), "NodeNames": ["a"]}, "Pod.spec.containers[0].resources.requests.cpu"),
    "overhead": ({"Pod": pod(overhead={"cpu": "1e"}), "NodeNames": ["a"]}, "Pod.spec.overhead.cpu"),
    "containers": ({"Pod": pod(containers={}), "NodeNames": ["a"]}, "Pod.spec.containers"),
    "lower case": ({"pod": {"metadata": {"uid": 7}}, "nodenames": []}, "Pod.metadata.uid"),
}


@pytest.mark.parametrize("verb", ["/filter", "/prioritize"])
@pytest.mark.parametrize("case", BAD)
async def test_bad_input_names_the_field_and_changes_nothing(case: str, verb: str) -> None:
    document, field = BAD[case]
    async with running() as replica:
        before = await replica.figures()
        problem = await replica.refused(verb, json.dumps(document).encode())
        assert problem["field"] == field
        assert 400 <= problem["status"] < 500
        assert await replica.figures() == before


@pytest.mark.parametrize("body", [b"", b"{", b"nul", b'{"x": ' + b"[" * 100_000, b'{"NodeNames": ["\xff"]}'])
def test_what_is_no_json_is_a_400(body: bytes) -> None:
    with pytest.raises(Problem) as refusal:
        contract.decode(body)
    assert refusal.value.status == 400
    assert refusal.value.field == "body"


@pytest.mark.parametrize(
    ("pod_object", "node", "status", "field"),
    [
        (
            b'{"metadata":{"name":"p","namespace":"n","uid":"u"}}',
            b'{"metadata":{"name":"\xff"}}',
            400,
            "Nodes.items[0]",
        ),
        (b'{"metadata":{"name":"p","namespace":"n","uid":"u"}}', b'{"metadata":{"name":7}}', 422, "Nodes.items[0]"),
        (b'{"metadata":{"name":"\xff","namespace":"n","uid":"u"}}', b'{"metadata":{"name":"a"}}', 400, "body"),
        (b'{"metadata":{"name":"\\ud800","namespace":"n","uid":"u"}}', b'{"metadata":{"name":"a"}}', 400, "body"),
        (
            b'{"metadata":{"name":"p","namespace":"n","uid":"u"}}',
            b'{"metadata":{"name":"\\ud800"}}',
            400,
            "body",
        ),
    ],
)
async def test_undecodable_names_are_refused_by_field(pod_object: bytes, node: bytes, status: int, field: str) -> None:
    body = b'{"Pod":' + pod_object + b',"Nodes":{"items":[' + node + b"]}}"
    async with running() as replica:
        for path in ("/filter", "/prioritize"):
            problem = await replica.refused(path, body)
            assert problem["status"] == status
            assert problem["field"].startswith(field)
