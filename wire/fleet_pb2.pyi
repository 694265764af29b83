# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    KIND_UNSPECIFIED: _ClassVar[Kind]
    KIND_MEASURED: _ClassVar[Kind]
    KIND_ESTIMATED: _ClassVar[Kind]
    KIND_MODELLED: _ClassVar[Kind]
KIND_UNSPECIFIED: Kind
KIND_MEASURED: Kind
KIND_ESTIMATED: Kind
KIND_MODELLED: Kind

class ClusterReport(_message.Message):
    __slots__ = ("cluster_id", "cluster_name", "replica", "number", "site", "capacity", "ranges", "gaps")
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_NAME_FIELD_NUMBER: _ClassVar[int]
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    SITE_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_FIELD_NUMBER: _ClassVar[int]
    RANGES_FIELD_NUMBER: _ClassVar[int]
    GAPS_FIELD_NUMBER: _ClassVar[int]
    cluster_id: str
    cluster_name: str
    replica: str
    number: int
    site: Site
    capacity: Capacity
    ranges: _containers.RepeatedCompositeFieldContainer[NodeRange]
    gaps: _containers.RepeatedCompositeFieldContainer[StreamGap]
    def __init__(self, cluster_id: _Optional[str] = ..., cluster_name: _Optional[str] = ..., replica: _Optional[str] = ..., number: _Optional[int] = ..., site: _Optional[_Union[Site, _Mapping]] = ..., capacity: _Optional[_Union[Capacity, _Mapping]] = ..., ranges: _Optional[_Iterable[_Union[NodeRange, _Mapping]]] = ..., gaps: _Optional[_Iterable[_Union[StreamGap, _Mapping]]] = ...) -> None: ...

class Site(_message.Message):
    __slots__ = ("zone", "pue_ratio", "price_per_kwh", "price_known", "currency", "meter_includes_facility")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    PUE_RATIO_FIELD_NUMBER: _ClassVar[int]
    PRICE_PER_KWH_FIELD_NUMBER: _ClassVar[int]
    PRICE_KNOWN_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    METER_INCLUDES_FACILITY_FIELD_NUMBER: _ClassVar[int]
    zone: str
    pue_ratio: float
    price_per_kwh: float
    price_known: bool
    currency: str
    meter_includes_facility: bool
    def __init__(self, zone: _Optional[str] = ..., pue_ratio: _Optional[float] = ..., price_per_kwh: _Optional[float] = ..., price_known: _Optional[bool] = ..., currency: _Optional[str] = ..., meter_includes_facility: _Optional[bool] = ...) -> None: ...

class Capacity(_message.Message):
    __slots__ = ("nodes", "nodes_fresh", "cpus", "cpus_busy", "memory_bytes", "power_w", "watts_per_cpu", "watts_per_cpu_error", "as_of_unix_ns")
    NODES_FIELD_NUMBER: _ClassVar[int]
    NODES_FRESH_FIELD_NUMBER: _ClassVar[int]
    CPUS_FIELD_NUMBER: _ClassVar[int]
    CPUS_BUSY_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    POWER_W_FIELD_NUMBER: _ClassVar[int]
    WATTS_PER_CPU_FIELD_NUMBER: _ClassVar[int]
    WATTS_PER_CPU_ERROR_FIELD_NUMBER: _ClassVar[int]
    AS_OF_UNIX_NS_FIELD_NUMBER: _ClassVar[int]
    nodes: int
    nodes_fresh: int
    cpus: float
    cpus_busy: float
    memory_bytes: int
    power_w: float
    watts_per_cpu: float
    watts_per_cpu_error: float
    as_of_unix_ns: int
    def __init__(self, nodes: _Optional[int] = ..., nodes_fresh: _Optional[int] = ..., cpus: _Optional[float] = ..., cpus_busy: _Optional[float] = ..., memory_bytes: _Optional[int] = ..., power_w: _Optional[float] = ..., watts_per_cpu: _Optional[float] = ..., watts_per_cpu_error: _Optional[float] = ..., as_of_unix_ns: _Optional[int] = ...) -> None: ...

class NodeRange(_message.Message):
    __slots__ = ("node", "boot_id", "stream", "first_sequence", "last_sequence", "from_unix_ns", "to_unix_ns", "rows", "hours", "gaps")
    NODE_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    FROM_UNIX_NS_FIELD_NUMBER: _ClassVar[int]
    TO_UNIX_NS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    HOURS_FIELD_NUMBER: _ClassVar[int]
    GAPS_FIELD_NUMBER: _ClassVar[int]
    node: str
    boot_id: str
    stream: str
    first_sequence: int
    last_sequence: int
    from_unix_ns: int
    to_unix_ns: int
    rows: _containers.RepeatedCompositeFieldContainer[EnergyRow]
    hours: _containers.RepeatedCompositeFieldContainer[HourSeen]
    gaps: _containers.RepeatedCompositeFieldContainer[MeterGap]
    def __init__(self, node: _Optional[str] = ..., boot_id: _Optional[str] = ..., stream: _Optional[str] = ..., first_sequence: _Optional[int] = ..., last_sequence: _Optional[int] = ..., from_unix_ns: _Optional[int] = ..., to_unix_ns: _Optional[int] = ..., rows: _Optional[_Iterable[_Union[EnergyRow, _Mapping]]] = ..., hours: _Optional[_Iterable[_Union[HourSeen, _Mapping]]] = ..., gaps: _Optional[_Iterable[_Union[MeterGap, _Mapping]]] = ...) -> None: ...

class MeterGap(_message.Message):
    __slots__ = ("domain", "from_unix_ns", "to_unix_ns", "reason")
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    FROM_UNIX_NS_FIELD_NUMBER: _ClassVar[int]
    TO_UNIX_NS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    domain: str
    from_unix_ns: int
    to_unix_ns: int
    reason: str
    def __init__(self, domain: _Optional[str] = ..., from_unix_ns: _Optional[int] = ..., to_unix_ns: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class HourSeen(_message.Message):
    __slots__ = ("hour_unix", "seen_ns")
    HOUR_UNIX_FIELD_NUMBER: _ClassVar[int]
    SEEN_NS_FIELD_NUMBER: _ClassVar[int]
    hour_unix: int
    seen_ns: int
    def __init__(self, hour_unix: _Optional[int] = ..., seen_ns: _Optional[int] = ...) -> None: ...

class EnergyRow(_message.Message):
    __slots__ = ("hour_unix", "namespace", "row", "component", "source", "kind", "energy_uj", "loaded_uj", "meter_error_uj", "share_error_uj2")
    HOUR_UNIX_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    ROW_FIELD_NUMBER: _ClassVar[int]
    COMPONENT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ENERGY_UJ_FIELD_NUMBER: _ClassVar[int]
    LOADED_UJ_FIELD_NUMBER: _ClassVar[int]
    METER_ERROR_UJ_FIELD_NUMBER: _ClassVar[int]
    SHARE_ERROR_UJ2_FIELD_NUMBER: _ClassVar[int]
    hour_unix: int
    namespace: str
    row: str
    component: str
    source: str
    kind: Kind
    energy_uj: int
    loaded_uj: int
    meter_error_uj: int
    share_error_uj2: float
    def __init__(self, hour_unix: _Optional[int] = ..., namespace: _Optional[str] = ..., row: _Optional[str] = ..., component: _Optional[str] = ..., source: _Optional[str] = ..., kind: _Optional[_Union[Kind, str]] = ..., energy_uj: _Optional[int] = ..., loaded_uj: _Optional[int] = ..., meter_error_uj: _Optional[int] = ..., share_error_uj2: _Optional[float] = ...) -> None: ...

class StreamGap(_message.Message):
    __slots__ = ("node", "boot_id", "stream", "first_sequence", "last_sequence", "reason")
    NODE_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    node: str
    boot_id: str
    stream: str
    first_sequence: int
    last_sequence: int
    reason: str
    def __init__(self, node: _Optional[str] = ..., boot_id: _Optional[str] = ..., stream: _Optional[str] = ..., first_sequence: _Optional[int] = ..., last_sequence: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class Watermark(_message.Message):
    __slots__ = ("node", "boot_id", "stream", "sequence")
    NODE_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    node: str
    boot_id: str
    stream: str
    sequence: int
    def __init__(self, node: _Optional[str] = ..., boot_id: _Optional[str] = ..., stream: _Optional[str] = ..., sequence: _Optional[int] = ...) -> None: ...

class ClusterAck(_message.Message):
    __slots__ = ("number", "watermarks", "policy_revision", "error")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    WATERMARKS_FIELD_NUMBER: _ClassVar[int]
    POLICY_REVISION_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    number: int
    watermarks: _containers.RepeatedCompositeFieldContainer[Watermark]
    policy_revision: str
    error: str
    def __init__(self, number: _Optional[int] = ..., watermarks: _Optional[_Iterable[_Union[Watermark, _Mapping]]] = ..., policy_revision: _Optional[str] = ..., error: _Optional[str] = ...) -> None: ...
