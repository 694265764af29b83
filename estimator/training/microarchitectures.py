# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Which core design a CPU has: by CPUID numbers (for machines) and by the names of parts (for published results).

The CPUID numbers follow the vendors' own lists (Intel: Software Developer's Manual volume 4, table of DisplayFamily and
DisplayModel; AMD: the families and model ranges in the titles of its Processor Programming References; Arm: MIDR part
numbers in the core manuals) and agree with the names that the Linux kernel gives them. Years are those of the first
server part. Designs that share a core and a process are one entry where their CPUID is one (Skylake, Cascade Lake and
Cooper Lake are all family 6 model 85) or where a measured CPU of one predicts the other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

ORIGIN = (
    "Our table. CPUID family and model: Intel SDM volume 4, AMD Processor Programming References, "
    "Arm MIDR part numbers; part names: the vendors' numbering schemes."
)


@dataclass(frozen=True, slots=True)
class Design:
    """One core design: ``models`` are (family, first model, last model), ``parts`` matches its whole `cpu_key`."""

    name: str
    vendor: str
    year: int
    parts: str
    models: tuple[tuple[int, int, int], ...]
    client: bool = False


DESIGNS: tuple[Design, ...] = (
    # Intel servers.
    Design("netburst", "intel", 2000, r"unnamed|70\d0|71\d0[mn]?|pentiumd\d+", ((15, 0, 6),)),
    Design(
        "core",
        "intel",
        2006,
        r"30[4-7]0|e31\d0|[lex]33\d0|x32\d0|[lex]53[0-9]{2}|[lex]54[0-9]{2}|[lex]73[0-9]{2}",
        ((6, 15, 15), (6, 22, 23), (6, 29, 29)),
    ),
    Design(
        "nehalem",
        "intel",
        2008,
        r"[lex]34\d0|[lex]55\d0|[lex]56\d[05]|e7-[248]8\d\d|corei7610e",
        ((6, 26, 26), (6, 30, 31), (6, 37, 37), (6, 44, 44), (6, 46, 47)),
    ),
    Design("sandybridge", "intel", 2012, r"e5-\d{4}l?", ((6, 45, 45),)),
    Design("ivybridge", "intel", 2013, r"e[57]-\d{4}l?v2", ((6, 62, 62),)),
    Design("haswell", "intel", 2014, r"e[57]-\d{4}l?v3", ((6, 63, 63),)),
    Design("broadwell", "intel", 2016, r"e[57]-\d{4}l?v4", ((6, 79, 79), (6, 86, 86))),
    Design("skylake-server", "intel", 2017, r"[34568][12]\d\d[lmrtuy]?|83\d\dhl?|63\d\dhl?|53\d\dh", ((6, 85, 85),)),
    Design("icelake-server", "intel", 2021, r"[4-9]3\d\d[mnqstuvy]?|d2\d{3}nt", ((6, 106, 106), (6, 108, 108))),
    Design("sapphire-rapids", "intel", 2023, r"[3-9]4\d\d[hnuy]?\+?", ((6, 143, 143),)),
    Design("emerald-rapids", "intel", 2023, r"[3-9]5\d\d[nuy]?\+?", ((6, 207, 207),)),
    Design("granite-rapids", "intel", 2024, r"6[579]\d\dp", ((6, 173, 174),)),
    Design("sierra-forest", "intel", 2024, r"6[79]\d\de", ((6, 175, 175),)),
    # Intel desktop parts that are also sold as small servers.
    Design("sandybridge-client", "intel", 2011, r"e3-\d{4}l?", ((6, 42, 42),), client=True),
    Design("ivybridge-client", "intel", 2012, r"e3-\d{4}l?v2", ((6, 58, 58),), client=True),
    Design("haswell-client", "intel", 2013, r"e3-\d{4}l?v3|corei5-4570", ((6, 60, 60), (6, 69, 70)), client=True),
    Design(
        "skylake-client",
        "intel",
        2015,
        r"e3-\d{4}l?v[56]|e-2[12]\d\dg?",
        ((6, 78, 78), (6, 94, 94), (6, 142, 142), (6, 158, 158), (6, 165, 166)),
        client=True,
    ),
    Design("rocket-lake", "intel", 2021, r"e-23\d\dg?", ((6, 167, 167),), client=True),
    Design(
        "raptor-lake",
        "intel",
        2023,
        r"e-24\d\dg?|63\d\dp",
        ((6, 151, 151), (6, 154, 154), (6, 183, 183), (6, 186, 186), (6, 191, 191)),
        client=True,
    ),
    Design("arrow-lake", "intel", 2024, r"coreultra[579]2\d\d[a-z]*", ((6, 181, 181), (6, 197, 198)), client=True),
    # AMD.
    Design("k8", "amd", 2003, r"opteron[128]2\d\d(?:he|ee|se)?", ((15, 0, 255),)),
    Design(
        "k10", "amd", 2007, r"opteron[128][34]\d\d(?:he|ee|se)?|opteron41\d\d(?:he|ee)?|opteron61\d\d", ((16, 0, 255),)
    ),
    Design("bulldozer", "amd", 2011, r"opteron[346][234]\d\d(?:he|ee|se)?|opteron4[34]\d\d(?:he|ee)?", ((21, 0, 31),)),
    Design("zen", "amd", 2017, r"epyc7\d\d1p?", ((23, 0, 0x2F), (24, 0, 15))),
    Design("zen-2", "amd", 2019, r"epyc7[\dfh]\d2p?", ((23, 0x30, 0xAF),)),
    Design("zen-3", "amd", 2021, r"epyc7[\df]\d3[px]?", ((25, 0, 0x0F), (25, 0x20, 0x5F))),
    Design("zen-4", "amd", 2022, r"epyc9[0-6]\d4[fpx]?", ((25, 0x10, 0x1F),)),
    Design("zen-4c", "amd", 2023, r"epyc97\d4s?|epyc8\d\d4pn?", ((25, 0xA0, 0xAF),)),
    Design("zen-4-client", "amd", 2023, r"epyc4\d\d4px?", ((25, 0x60, 0x7F),), client=True),
    Design("zen-5", "amd", 2024, r"epyc9[0-5]\d5[fpx]?|epyc9[67]55p?", ((26, 0x00, 0x0F),)),
    Design("zen-5c", "amd", 2024, r"epyc9[67]45|epyc9[89]\d5", ((26, 0x10, 0x1F),)),
    Design("zen-5-client", "amd", 2025, r"epyc4\d\d5px?", ((26, 0x40, 0x4F),), client=True),
    # Arm: family is the architecture (8), model the part number of an Arm Ltd core.
    Design("cortex-a53", "arm", 2017, r"armcortex-?a53.*", ((8, 0xD03, 0xD03),)),
    Design("neoverse-n1", "arm", 2020, r"amperealtra.*", ((8, 0xD0C, 0xD0C),)),
    Design("neoverse-v2", "arm", 2023, r"gracesuperchip", ((8, 0xD4F, 0xD4F),)),
)


def design_of(cpu_key: str) -> Design | None:
    """The core design of a published CPU by its normalised name, None where no pattern knows it."""
    return next((design for design in DESIGNS if re.fullmatch(design.parts, cpu_key)), None)
