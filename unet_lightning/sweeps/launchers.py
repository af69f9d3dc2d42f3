"""Sends the jobs of a sweep by submitit, to Slurm or to processes of this machine, and says what became of them."""

import contextlib
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import submitit
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, filter_overrides
from hydra_plugins.hydra_submitit_launcher.submitit_launcher import BaseSubmititLauncher
from submitit.core.utils import FailedJobError, FailedSubmissionError, UncompletedJobError

from unet_lightning.errors import ConfigError, RunError

log = logging.getLogger(__name__)

POLL = 1.0  # seconds between two looks at the jobs
ASK = 10.0  # seconds between two questions to Slurm
LATE = 60.0  # seconds that a shared file system may take to show the result of a job that has left the queue


class Launcher(BaseSubmititLauncher):  # type: ignore[misc]  # Hydra's plugins have no types
    """Sends jobs by submitit; one that dies does not take the others with it, as it would in Hydra's own launcher."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Hydra calls this with some jobs, and gets what each returned."""
        tasks = []
        for number, overrides in enumerate(job_overrides, initial_job_idx):
            log.info(f"\t#{number} : {' '.join(filter_overrides(overrides))}")
            tasks.append((list(overrides), "hydra.sweep.dir", number, f"job_id_for_{number}", Singleton.get_state()))
        return [self.returned(job) for job in self.run(tasks)]

    def executor(self, parameters: dict[str, Any], **arguments: Any) -> Any:
        """Submitit's, with parameters of the config; ConfigError where it does not take one of them."""
        made = submitit.AutoExecutor(self.params["submitit_folder"], cluster=self._EXECUTOR, **arguments)
        general = submitit.AutoExecutor._typed_parameters()  # which have no prefix, so that submitit checks their types
        named = {name if name in general else f"{self._EXECUTOR}_{name}": it for name, it in parameters.items()}
        try:
            made.update_parameters(**named)
        except (AssertionError, NameError, TypeError, ValueError) as error:
            raise ConfigError(f"hydra.launcher: {' '.join(str(error).split())}") from error
        return made

    def returned(self, job: Any) -> JobReturn:
        """What a job that has ended returned; of one that died why."""
        if has_result(job):
            try:
                return cast(JobReturn, job.task(0).result())
            except UncompletedJobError as error:  # it could not even begin, such as in another environment
                reason = str(error).partition("\n---")[2].partition("\n---")[0].strip().split("\n")[-1]
        else:
            seen = answer_of("scontrol", "--oneliner", "show", "job", job.job_id) if self._EXECUTOR == "slurm" else None
            found = re.search(r"\bJobState=(\S+)", seen or "")  # such as OUT_OF_MEMORY
            reason = f"it ended without a result{f' (Slurm: {found[1]})' if found else ''}; {last_words(job)}"
        lost = RunError(f"{self._EXECUTOR} job {job.job_id}: {reason}")
        return JobReturn(status=JobStatus.FAILED, _return_value=lost)


class LocalLauncher(Launcher):
    """Processes of this machine, a few at a time, each with a GPU of its own."""

    _EXECUTOR = "local"

    def run(self, tasks: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Starts each job when a place is free, and waits for all; they end where this process does."""
        jobs: list[Any] = []
        at: list[Any] = [None] * self.params["n_jobs"]  # the last job of each place
        before = {signal.SIGTERM: signal.signal(signal.SIGTERM, lambda signum, frame: sys.exit(128 + signum))}
        # A shell starts what it puts into the background deaf to SIGINT, by which submitit ends its jobs. Jobs would
        # inherit that; a handler that does nothing is not inherited.
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            before[signal.SIGINT] = signal.signal(signal.SIGINT, lambda signum, frame: None)
        try:
            for task in tasks:
                while not (free := [place for place, job in enumerate(at) if job is None or job.done()]):
                    time.sleep(POLL)
                at[free[0]] = self.begin(free[0], self, *task)
                jobs.append(at[free[0]])
            while not all(job.done() for job in jobs):
                time.sleep(POLL)
            return jobs
        except BaseException:
            for job in jobs:
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


class SlurmLauncher(Launcher):
    """One array of jobs for a batch, each task a rank; watched by squeue: clusters without accounting have no sacct."""

    _EXECUTOR = "slurm"

    def run(self, tasks: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Sends the jobs, and waits for their end."""
        executor = self.executor(self.flags(self.params), slurm_max_num_timeout=self.params["max_num_timeout"])
        try:
            jobs: list[Any] = executor.map_array(self, *zip(*tasks, strict=True))
        except (FailedJobError, FailedSubmissionError) as error:
            raise ConfigError(f"Slurm does not take the jobs: {' '.join(str(error).split())}") from error
        array = jobs[0].job_id.partition("_")[0]
        log.info(
            f"Slurm job {array}: {len(jobs)} in the queue. See them by squeue -j {array}, end them by scancel {array}."
        )
        try:
            self.wait(jobs)
        except KeyboardInterrupt:
            log.warning(f"The jobs go on without this process; end them by scancel {array}.")
            raise
        return jobs

    def flags(self, given: dict[str, Any]) -> dict[str, Any]:
        """Submitit's parameters from those of the config."""
        requeue = "requeue" if given["requeue"] else "no-requeue"
        own = ("submitit_folder", "max_num_timeout", "requeue")
        given = {name: value for name, value in given.items() if name not in own}
        if given["gpus_per_node"] == "auto":
            given["gpus_per_node"] = None if self.config.trainer.accelerator == "cpu" else given["tasks_per_node"]
        given["srun_args"] = ["--kill-on-bad-exit=1"]  # the other tasks of a job would wait for one that is lost
        given["additional_parameters"] = {requeue: True} | dict(given["additional_parameters"])
        if given["cpus_per_task"]:  # since Slurm 22.05 srun no longer takes this from sbatch by itself
            given["setup"] = [f"export SRUN_CPUS_PER_TASK={given['cpus_per_task']}", *given["setup"]]
        return given

    def wait(self, jobs: Sequence[Any]) -> None:
        """Returns when each job has left its result, or has left the queue without one."""
        left, asked_at = list(jobs), time.monotonic()
        gone: dict[str, float] = {}  # since when, by the number that Slurm gave
        while left := [job for job in left if not has_result(job)]:
            time.sleep(POLL)
            if time.monotonic() - asked_at < ASK:
                continue
            asked_at = time.monotonic()
            queue = answer_of("squeue", "--noheader", "--array", "--format=%i", "--me")  # also what waits to go on
            if queue is not None:  # else Slurm is away for a moment
                left_it = [job.job_id for job in left if job.job_id not in queue.split()]
                gone = {name: gone.get(name, asked_at) for name in left_it}
                left = [job for job in left if asked_at - gone.get(job.job_id, asked_at) < LATE]


def answer_of(*command: str) -> str | None:
    """What a command of Slurm answers, None where it does not."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    except (subprocess.SubprocessError, OSError):
        return None


def has_result(job: Any) -> bool:
    """Whether the result of the first task, rank 0, is here; NFS remembers what a folder lacked until it is listed."""
    result = Path(job.task(0).paths.result_pickle)
    with contextlib.suppress(OSError):
        os.listdir(result.parent)
    return result.exists()


def last_words(job: Any) -> str:
    """The end of its log; of several tasks that of one that ended with an error, if possible the first of these."""
    first = Path(job.task(0).paths.stderr)
    ends = []
    for log_file in first.parent.glob(f"{job.job_id}_*_log.err"):
        lines = [line.strip() for line in log_file.read_text(encoding="utf-8", errors="replace").split("\n")]
        # What srun says of the end of all tasks is in the log of the first.
        if said := [line for line in lines if line and not line.startswith("srun: ") and "*** STEP " not in line]:
            ends.append((re.search("error", said[-1], re.I) is None, log_file.stat().st_mtime, log_file, said[-1]))
    return f"{min(ends)[2]} ends with '{min(ends)[3]}'" if ends else f"it left no word in {first}"
