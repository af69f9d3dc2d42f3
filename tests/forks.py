"""Programs in processes of their own that begin where torch and the like are imported already: seconds less for each.

`python tests/forks.py` imports, then forks: a line of its input is a program, a line of its output the number of the
process. How it ended comes through a pipe in the folder that it was given, beside what it prints.
"""

import atexit
import contextlib
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
from typing import Any, NoReturn

# Of our own, what lies below the programs: these are imported by each process for itself, with what they do to Hydra.
OURS = ("training.build", "training.run", "training.curves", "results.published")
CODE = "code"  # the name of that pipe
IMPORTED = ("lightning.pytorch", "torch._dynamo", "hydra", *(f"unet_lightning.{module}" for module in OURS))


class Fork:
    """A program that has begun: as much of a `subprocess.Popen` as tests ask of one."""

    def __init__(self, pid: int, home: Path) -> None:
        self.pid, self.home = pid, home
        self.returncode: int | None = None
        self.told = os.open(home / CODE, os.O_RDONLY | os.O_NONBLOCK)

    def poll(self, timeout: float = 0) -> int | None:
        """How it ended; None where it has not within so many seconds."""
        if self.returncode is None and select.select([self.told], [], [], timeout)[0]:
            self.returncode = int(os.read(self.told, 100))
            os.close(self.told)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it has printed until its end, on both streams."""
        if self.poll(timeout) is None:
            self.kill()
            raise subprocess.TimeoutExpired([self.pid], timeout)
        return (self.home / "out").read_text(), (self.home / "err").read_text()

    def send_signal(self, signum: int) -> None:
        """Sends one, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, signum)

    def kill(self) -> None:
        """Ends it at once."""
        self.send_signal(9)


class Forks:
    """Begins programs."""

    def __init__(self) -> None:
        command, pipe = [sys.executable, __file__], subprocess.PIPE
        self.server = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        self.homes = tempfile.TemporaryDirectory()

    def start(
        self, module: str, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], session: bool = True
    ) -> Fork:
        """Begins `python -m module arguments` in a folder, in a session of its own or in this one."""
        assert self.server.stdin is not None and self.server.stdout is not None
        home = Path(tempfile.mkdtemp(dir=self.homes.name))
        os.mkfifo(home / CODE)
        wanted = {"module": module, "arguments": list(arguments), "folder": str(folder), "home": str(home)}
        wanted |= {"environment": dict(environment), "session": session}
        self.server.stdin.write(json.dumps(wanted) + "\n")
        self.server.stdin.flush()
        return Fork(int(self.server.stdout.readline()), home)

    def run(
        self, module: str, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """What `subprocess.run` returns for it."""
        fork = self.start(module, arguments, folder, environment, session=False)
        out, err = fork.communicate(timeout)
        assert fork.returncode is not None
        return subprocess.CompletedProcess([module], fork.returncode, out, err)

    def end(self) -> None:
        """Ends the server."""
        self.server.communicate()
        self.homes.cleanup()


def serve() -> NoReturn:
    """Forks for each line of input."""
    for module in IMPORTED:
        importlib.import_module(module)
    composed_once()
    gc.freeze()  # else the first collection in each child would look at all that is imported, and copy it
    while line := sys.stdin.readline():
        if not os.fork():
            watch(json.loads(line))
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:  # who has watched another to its end
                pass
    end(0)


def watch(wanted: dict[str, Any]) -> NoReturn:
    """Begins one program, says its number, and how it ended."""
    pid = os.fork()
    if not pid:
        end(begin(**wanted))
    print(pid, flush=True)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    Path(wanted["home"], CODE).write_text(str(code))
    os._exit(0)


def composed_once() -> None:
    """Lets Hydra compose a configuration once: it does so twice, to look for hydra.mode, which no file of ours sets."""
    importlib.import_module("hydra._internal.hydra").Hydra.get_mode = lambda *given, **named: None


def begin(module: str, arguments: list[str], folder: str, environment: dict[str, str], home: str, session: bool) -> int:
    """Makes this process what `python -m module arguments` would be; the exit code."""
    if session:
        os.setsid()
    streams = (os.devnull, os.O_RDONLY), (f"{home}/out", os.O_WRONLY), (f"{home}/err", os.O_WRONLY)
    for descriptor, (path, flags) in enumerate(streams):
        os.dup2(os.open(path, flags | os.O_CREAT, 0o600), descriptor)
    sys.stdin = open(0)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[1:1] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[0], sys.argv, sys.orig_argv = folder, [module, *arguments], [sys.executable, "-m", module, *arguments]
    if coding := environment.get("PYTHONIOENCODING"):
        encoding, _, errors = coding.partition(":")
        sys.stdout.reconfigure(encoding=encoding, errors=errors or "strict")
        sys.stderr.reconfigure(encoding=encoding)
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
