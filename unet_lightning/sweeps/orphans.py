"""A job in a process of its own ends where the process of its sweep is gone: nobody would hear what came of it."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SWEEP = "UNET_LIGHTNING_SWEEP"  # in the environment of such a job: the number of the sweep's process
POLL = 0.5  # seconds between two looks
GRACE = 20.0  # seconds that a job has to end by itself: a batch, its state, its loggers
GONE = 1  # exit code of the process


@contextmanager
def announced() -> Iterator[None]:
    """Tells the processes that are started within the block whose they are."""
    os.environ[SWEEP] = str(os.getpid())
    try:
        yield
    finally:
        os.environ.pop(SWEEP, None)


def is_gone(sweep: str) -> bool:
    """Whether the process of a number has ended.

    When it began is not asked for: by the system's clock, which may be set while a sweep runs.
    """
    import psutil  # of which a run by itself needs nothing

    try:
        return bool(psutil.Process(int(sweep)).status() == psutil.STATUS_ZOMBIE)
    except psutil.AccessDenied:
        return False
    except (psutil.NoSuchProcess, ValueError):
        return True


@contextmanager
def ends_with_its_sweep() -> Iterator[None]:
    """Stops the job in the block, as SIGTERM does, and this process with it, once the process of its sweep is gone.

    Nothing happens in the process of the sweep itself, and in jobs of Slurm, which outlive it.
    """
    sweep = os.environ.get(SWEEP, "")
    if sweep in ("", str(os.getpid())):
        yield
        return
    if is_gone(sweep):  # the last job has ended after it
        os._exit(GONE)
    ended, leaving = threading.Event(), threading.Event()

    def watch() -> None:
        while not ended.wait(POLL):
            if is_gone(sweep):
                leaving.set()
                os.kill(os.getpid(), signal.SIGTERM)
                ended.wait(GRACE)
                os._exit(GONE)

    threading.Thread(target=watch, name="orphans", daemon=True).start()
    try:
        yield
    finally:
        ended.set()
        if leaving.is_set():
            os._exit(GONE)
