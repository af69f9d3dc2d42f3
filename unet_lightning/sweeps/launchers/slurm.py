"""Jobs of a sweep as an array of Slurm jobs, watched by squeue: clusters without accounting have no sacct."""

import logging
import re
import subprocess
import time
from collections.abc import Sequence
from typing import Any

from unet_lightning.errors import ConfigError
from unet_lightning.sweeps.launchers.launcher import Launcher, has_result

log = logging.getLogger(__name__)

POLL = 1.0  # seconds between two looks at result files
ASK = 10.0  # seconds between two questions to Slurm
LATE = 60.0  # seconds that a shared file system may take to show the result of a job that has left the queue


class SlurmLauncher(Launcher):
    """One array of Slurm jobs for a batch; every task of a job runs it, as one rank."""

    _EXECUTOR = "slurm"

    def run(self, tasks: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Sends the jobs, and waits for their end."""
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        executor = self.executor(self.flags(self.params), slurm_max_num_timeout=self.params["max_num_timeout"])
        try:
            jobs = executor.map_array(self, *zip(*tasks, strict=True))
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
        return list(jobs)

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
            asked_at, queue = time.monotonic(), queued()
            if queue is None:  # Slurm is away for a moment
                continue
            gone = {job.job_id: gone.get(job.job_id, asked_at) for job in left if job.job_id not in queue}
            left = [job for job in left if asked_at - gone.get(job.job_id, asked_at) < LATE]

    def why(self, job: Any) -> str:
        """The state that Slurm gives for it, such as OUT_OF_MEMORY."""
        found = re.search(r"\bJobState=(\S+)", answer_of("scontrol", "--oneliner", "show", "job", job.job_id) or "")
        return f" (Slurm: {found[1]})" if found else ""


def queued() -> set[str] | None:
    """The jobs of this user that Slurm has not finished with, those that wait to go on among them; None: no answer."""
    found = answer_of("squeue", "--noheader", "--array", "--format=%i", "--me")
    return None if found is None else set(found.split())


def answer_of(*command: str) -> str | None:
    """What a command of Slurm answers, None where it does not."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    except (subprocess.SubprocessError, OSError):
        return None
