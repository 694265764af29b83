# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Imported before anything that imports NumPy: one BLAS thread.

Each further one would cost the agent a stack and wake CPUs that are being measured. The libraries read these
variables once, when they are loaded.
"""

from __future__ import annotations

import os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
