"""The one decorator of all kernels: cached where a cache can be written, no fast-math, no threads."""

from __future__ import annotations

import numba

from neurosim.kernels import CACHE_FOLDER

kernel = numba.njit(cache=CACHE_FOLDER is not None, nogil=True)

inlined = numba.njit(inline="always")
"""For the bodies of inner loops: copied into their callers before LLVM sees them. A call would pass every array by value
and count its references, which costs more than a row of weights takes."""
