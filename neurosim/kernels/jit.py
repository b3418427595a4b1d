"""The one decorator of all kernels: cached where a cache can be written, no fast-math, no threads."""

from __future__ import annotations

import numba

from neurosim.kernels import CACHE_FOLDER

kernel = numba.njit(cache=CACHE_FOLDER is not None, nogil=True)
