"""The decorators of all kernels: cached where a cache can be written, no fast-math, no threads, no allocation.

Kernels only read and write arrays that their caller owns. So they need no reference counts, and are compiled without:
counting the references of every view of every array took a third of a sample's time and half of the compiler's.
"""

from __future__ import annotations

import numba
import numpy as np

from neurosim.kernels import CACHE_FOLDER

kernel = numba.njit(cache=CACHE_FOLDER is not None, nogil=True, _nrt=False, no_cfunc_wrapper=True)

inner = numba.njit(
    cache=CACHE_FOLDER is not None, nogil=True, _nrt=False, no_cfunc_wrapper=True, no_cpython_wrapper=True
)
"""For those that other kernels call, and Python never: it has no entrance, and would crash. What unpacks arguments from Python
took an eighth of all compiling."""

calling_blas = numba.njit(cache=CACHE_FOLDER is not None, nogil=True, _nrt=True)
"""For the few that call `np.dot`, which wants the counts."""

inlined = numba.njit(inline="always")
"""For the bodies of inner loops: copied into their callers before LLVM sees them. A call would pass every array by value
and count its references, which costs more than a row of weights takes."""

unsigned = np.uint64
"""Of an index that is not negative, in loops of scalars: of every other Numba asks whether it counts from the end."""
