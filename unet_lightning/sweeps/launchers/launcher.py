"""What the launchers of submitit share: how jobs are sent, and what becomes of them."""

import contextlib
import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, filter_overrides
from hydra_plugins.hydra_submitit_launcher.submitit_launcher import BaseSubmititLauncher

from unet_lightning.errors import ConfigError, RunError

log = logging.getLogger(__name__)

# Parameters that submitit has for all kinds of executors.
GENERAL = {"name", "timeout_min", "mem_gb", "nodes", "cpus_per_task", "gpus_per_node", "tasks_per_node"}


class Launcher(BaseSubmititLauncher):  # type: ignore[misc]  # Hydra's plugins have no types
    """Sends jobs by submitit; one that dies does not take the others with it, as it would in Hydra's own launcher."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Hydra calls this with some jobs, and gets what each returned."""
        Path(self.config.hydra.sweep.dir).mkdir(parents=True, exist_ok=True)
        tasks = []
        for number, overrides in enumerate(job_overrides, initial_job_idx):
            log.info(f"\t#{number} : {' '.join(filter_overrides(overrides))}")
            tasks.append((list(overrides), "hydra.sweep.dir", number, f"job_id_for_{number}", Singleton.get_state()))
        return [self.returned(job) for job in self.run(tasks)]

    def run(self, tasks: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Sends the jobs, and waits for their end; submitit's objects for them."""
        raise NotImplementedError

    def executor(self, parameters: dict[str, Any], **arguments: Any) -> Any:
        """Submitit's, with parameters of the config; ConfigError where it does not take one of them."""
        import submitit

        made = submitit.AutoExecutor(self.params["submitit_folder"], cluster=self._EXECUTOR, **arguments)
        named = {name if name in GENERAL else f"{self._EXECUTOR}_{name}": it for name, it in parameters.items()}
        try:
            made.update_parameters(**named)
        except (NameError, TypeError, ValueError) as error:
            raise ConfigError(f"hydra.launcher: {' '.join(str(error).split())}") from error
        return made

    def returned(self, job: Any) -> JobReturn:
        """What a job that has ended returned; of one that died why."""
        from submitit.core.utils import UncompletedJobError

        if has_result(job):
            try:
                result: JobReturn = job.task(0).result()
                return result
            except UncompletedJobError as error:  # it could not even begin, such as in another environment
                reason = str(error).partition("\n---")[2].partition("\n---")[0].strip().split("\n")[-1]
        else:
            reason = f"it ended without a result{self.why(job)}; {last_words(job)}"
        lost = RunError(f"{self._EXECUTOR} job {job.job_id}: {reason}")
        return JobReturn(status=JobStatus.FAILED, _return_value=lost)

    def why(self, job: Any) -> str:
        """What else is known of a job that died."""
        return ""


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
