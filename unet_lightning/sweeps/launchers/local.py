"""Jobs of a sweep as processes of this machine, a few at a time, each with a GPU of its own."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from unet_lightning.sweeps.launchers.launcher import Launcher

POLL = 1.0  # seconds between two looks at the jobs


class LocalLauncher(Launcher):
    """Processes of this machine, a few at a time."""

    _EXECUTOR = "local"

    def run(self, tasks: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Starts each job when a place is free, and waits for all."""
        free, waiting = list(range(self.params["n_jobs"])), list(tasks)
        jobs: list[Any] = []
        running: dict[int, Any] = {}
        with ended_with_this_process(lambda: [job.cancel() for job in running.values()]):
            while waiting or running:
                while waiting and free:
                    place = free.pop(0)
                    running[place] = self.begin(place, self, *waiting.pop(0))
                    jobs.append(running[place])
                time.sleep(POLL)
                for place in [place for place, job in running.items() if job.done()]:
                    running.pop(place)
                    free.append(place)
        return jobs

    def begin(self, place: int, job: Callable[..., Any], *arguments: Any) -> Any:
        """Submitit's object for a job that it starts at a place."""
        executor = self.executor({"timeout_min": self.params["timeout_min"]})
        # Its update_parameters takes numbers alone, where CUDA also has GPU-1a2b... and MIG-...
        executor._executor.parameters |= self.gpu(place)
        return executor.submit(job, *arguments)

    def gpu(self, place: int) -> dict[str, Any]:
        """The GPU of a place, where jobs train on one: submitit shows a job only what is named here."""
        if self.config.trainer.accelerator == "cpu":
            return {}
        import torch

        count = torch.cuda.device_count()
        named = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
        visible = [name for name in named if name] or [str(number) for number in range(count)]
        return {"gpus_per_node": 1, "visible_gpus": [visible[place % count]]} if count else {}


@contextmanager
def ended_with_this_process(end: Callable[[], Any]) -> Iterator[None]:
    """Calls `end` where the block is left by an error, Ctrl-C or SIGTERM.

    A shell starts what it puts into the background deaf to SIGINT, by which submitit ends its jobs. Jobs would inherit
    that; a handler that does nothing is not inherited.
    """

    def leave(signum: int, frame: FrameType | None) -> None:
        sys.exit(128 + signum)

    deaf = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if deaf:
        signal.signal(signal.SIGINT, lambda signum, frame: None)
    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    except BaseException:
        end()
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
        if deaf:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
