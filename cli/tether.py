"""Become another program that the kernel kills when the supervisor dies, however it dies.

Usage: python -m cli.tether SUPERVISOR_PID PROGRAM [ARGUMENT...]. A step of its own between fork and the program,
because code run by `preexec_fn` may deadlock in a process that has threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent, then turn into the program named on the command line."""
    supervisor, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # The supervisor may have died before the kernel was told.
    if os.getppid() != supervisor:
        sys.exit(1)
    os.execvp(program[0], program)  # noqa: S606 - runs what the supervisor names


if __name__ == "__main__":
    main()
