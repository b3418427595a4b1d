"""Brian2 itself: imported quietly and late, its global settings and device put back after use."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from neurosim.errors import NeurosimError

TARGETS = ("numpy", "cython", "cpp_standalone")


def brian2() -> ModuleType:
    """Brian2, imported when first used: without its log file, its hook on uncaught errors, and its capture of warnings."""
    if "brian2" in sys.modules:
        return sys.modules["brian2"]
    hook = sys.excepthook
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its parser's deprecated calls
        try:
            import brian2 as module
        except ImportError as error:
            raise NeurosimError(f"Brian2 cannot be imported ({error}); install brian2>=2.9") from error
    sys.excepthook = hook
    logging.captureWarnings(False)
    module.prefs.logging.file_log = False
    module.BrianLogger._log_messages = set()  # noqa: SLF001
    handler = module.BrianLogger.file_handler
    if handler is not None:
        handler.close()
        logging.getLogger("brian2").removeHandler(handler)
        module.BrianLogger.file_handler = None
    found: ModuleType = module
    return found


@functools.cache
def allows(variable: str) -> bool:
    """Whether Brian2 accepts a name for a variable: not one of its functions, units or constants."""
    module = brian2()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        try:
            module.Equations.check_identifier(variable)
        except (SyntaxError, ValueError):
            return False
    return True


@contextlib.contextmanager
def settings(target: str) -> Iterator[ModuleType]:
    """Brian2 with a target and 64-bit integers; the user's preferences and device come back afterwards."""
    module = brian2()
    from brian2.devices.device import get_device, reset_device, set_device

    prefs = module.prefs
    kept = prefs.codegen.target, prefs.core.default_integer_dtype
    standalone = prefs.devices.cpp_standalone
    make = standalone.extra_make_args_unix
    before = get_device()
    if target == "cpp_standalone" and before is module.all_devices["cpp_standalone"]:
        raise NeurosimError("target='cpp_standalone': Brian2's device is set to it already; reset_device() first")
    wanted = "cpp_standalone" if target == "cpp_standalone" else "runtime"
    set_device(wanted, build_on_run=False)
    try:
        prefs.core.default_integer_dtype = np.int64
        if wanted == "runtime":
            prefs.codegen.target = target
        elif make == ["-j"]:  # Brian2's default starts a compiler for each file at once
            standalone.extra_make_args_unix = [f"-j{os.cpu_count() or 1}"]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            yield module
    finally:
        if wanted == "cpp_standalone":
            get_device().reinit()
        reset_device()
        assert get_device() is before
        prefs.codegen.target, prefs.core.default_integer_dtype = kept
        standalone.extra_make_args_unix = make


def compiled(module: ModuleType, network: Any, ticks: int, clock: Any, folder: str) -> None:
    """Run a network as a C++ program, written and compiled in a folder; only while the device is `cpp_standalone`."""
    network.run(ticks * clock.dt, namespace={})
    try:
        module.device.build(directory=folder, compile=True, run=True, debug=False, with_output=False)
    except (RuntimeError, OSError) as error:
        raise NeurosimError(f"target='cpp_standalone': the program could not be compiled or run: {error}") from error
