"""The command line: a thin layer over `neurosim.studies`. Each command is a module, imported when it is used."""

from __future__ import annotations

import importlib
import os
import sys

from neurosim.cli.flags import COMMANDS, parser
from neurosim.errors import NeurosimError

__all__ = ["main", "parser"]

_MISTAKE, _INTERRUPTED = 2, 130


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, 2 for a mistake of the user's, 130 when interrupted."""
    try:
        given = parser().parse_args(arguments)
        module = importlib.import_module(f"neurosim.cli.{COMMANDS[given.command]}")
        code: int = getattr(module, given.command)(given)
        sys.stdout.flush()
    except NeurosimError as error:
        return _complain(str(error))
    except MemoryError:
        return _complain("not enough memory for this network or data set; make it smaller")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return _INTERRUPTED
    except OSError as error:
        return _complain(f"{error.filename or 'output'}: {error.strerror or error}")
    return code


def _complain(message: str) -> int:
    print("neurosim: error: " + " ".join(message.split()), file=sys.stderr)
    return _MISTAKE
