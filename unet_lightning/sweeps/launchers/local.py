"""Jobs of a sweep as processes of this machine, a few at a time, each with a GPU of its own."""

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from unet_lightning.sweeps.launchers.launcher import Launcher

POLL = 1.0  # seconds between two looks at the jobs


class LocalLauncher(Launcher):
    """Processes of this machine, a few at a time."""

    _EXECUTOR = "local"

    def run(self, tasks: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Starts each job when a place is free, and waits for all; they end where this process does."""
        waiting, jobs = list(tasks), []
        running: dict[int, Any] = {}  # by their places
        before = {signal.SIGTERM: signal.signal(signal.SIGTERM, lambda signum, frame: sys.exit(128 + signum))}
        # A shell starts what it puts into the background deaf to SIGINT, by which submitit ends its jobs. Jobs would
        # inherit that; a handler that does nothing is not inherited.
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            before[signal.SIGINT] = signal.signal(signal.SIGINT, lambda signum, frame: None)
        try:
            while True:
                for place in range(self.params["n_jobs"]):
                    if place in running and running[place].done():
                        del running[place]
                    if waiting and place not in running:
                        running[place] = self.begin(place, self, *waiting.pop(0))
                        jobs.append(running[place])
                if not running:
                    return jobs
                time.sleep(POLL)
        except BaseException:
            for job in running.values():
                job.cancel()
            raise
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)

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
