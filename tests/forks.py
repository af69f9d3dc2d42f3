"""Programs in processes of their own that begin where torch and the like are imported already: seconds less for each.

`python tests/forks.py` imports, then forks: a line of its input is a program, two lines of its output are the number of
the process and how it ended.
"""

import atexit
import gc
import importlib
import json
import os
import random
import runpy
import select
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

IMPORTED = ("lightning.pytorch", "torchmetrics", "torch._dynamo", "hydra", "skimage.measure", "matplotlib.figure")


class Forks:
    """Begins programs, one at a time."""

    def __init__(self) -> None:
        command, pipe = [sys.executable, __file__], subprocess.PIPE
        self.server = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)

    def run(
        self, module: str, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """What `subprocess.run` returns for `python -m module arguments` in a folder."""
        assert self.server.stdin is not None
        with tempfile.TemporaryDirectory() as outputs:
            out, err = Path(outputs, "out"), Path(outputs, "err")
            wanted = {"module": module, "arguments": list(arguments), "folder": str(folder), "out": str(out)}
            self.server.stdin.write(json.dumps(wanted | {"err": str(err), "environment": dict(environment)}) + "\n")
            self.server.stdin.flush()
            pid = self.answer()
            if not select.select([self.server.stdout], [], [], timeout)[0]:
                os.kill(pid, 9)
                self.answer()
                raise subprocess.TimeoutExpired([module, *arguments], timeout)
            return subprocess.CompletedProcess([module], self.answer(), out.read_text(), err.read_text())

    def answer(self) -> int:
        """The next number that the server says."""
        assert self.server.stdout is not None
        return int(self.server.stdout.readline())

    def end(self) -> None:
        """Ends the server."""
        self.server.communicate()


def serve() -> NoReturn:
    """Forks for each line of input."""
    for module in IMPORTED:
        importlib.import_module(module)
    gc.freeze()  # else the first collection in each child would look at all that is imported, and copy it
    while line := sys.stdin.readline():
        pid = os.fork()
        if not pid:
            end(begin(**json.loads(line)))
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    end(0)


def begin(module: str, arguments: list[str], folder: str, environment: dict[str, str], out: str, err: str) -> int:
    """Makes this process what `python -m module arguments` would be; the exit code."""
    for descriptor, path, flags in ((0, os.devnull, os.O_RDONLY), (1, out, os.O_WRONLY), (2, err, os.O_WRONLY)):
        os.dup2(os.open(path, flags | os.O_CREAT, 0o600), descriptor)
    sys.stdin = open(0)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[1:1] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[0], sys.argv, sys.orig_argv = folder, [module, *arguments], [sys.executable, "-m", module, *arguments]
    random.seed()
    if threads := environment.get("OMP_NUM_THREADS"):
        importlib.import_module("torch").set_num_threads(int(threads))
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def end(code: int) -> NoReturn:
    """Ends this process as Python does, but for taking all modules apart, a second for those that are imported."""
    threading._shutdown()  # waits for threads
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    serve()
