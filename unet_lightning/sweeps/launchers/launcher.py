"""What the launchers of submitit share: how jobs are sent, and what becomes of them."""

import contextlib
import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, filter_overrides
from hydra_plugins.hydra_submitit_launcher.submitit_launcher import BaseSubmititLauncher

from unet_lightning.errors import ConfigError, RunError

log = logging.getLogger(__name__)

# Parameters that submitit has for all kinds of executors.
GENERAL = {"name", "timeout_min", "mem_gb", "nodes", "cpus_per_task", "gpus_per_node", "tasks_per_node"}


@dataclass
class Sent:
    """A job on its way: its overrides, and submitit's object for it."""

    overrides: list[str]
    job: Any

    @property
    def result(self) -> Path:
        """What its first task, rank 0, leaves behind."""
        return Path(self.job.task(0).paths.result_pickle)

    def has_result(self) -> bool:
        """Whether its result is here; NFS remembers what a folder lacked until it is listed anew."""
        with contextlib.suppress(OSError):
            os.listdir(self.result.parent)
        return self.result.exists()

    def last_words(self) -> str:
        """The end of its log; of several tasks that of one that ended with an error, if possible the first of these."""
        first = Path(self.job.task(0).paths.stderr)
        logs = [log_file for log_file in first.parent.glob(f"{self.job.job_id}_*_log.err") if lines_of(log_file)]
        if not logs:
            return f"it left no word in {first}"
        lost = min(logs, key=lambda one: (re.search("error", lines_of(one)[-1], re.I) is None, one.stat().st_mtime))
        return f"{lost} ends with '{lines_of(lost)[-1]}'"


def lines_of(log_file: Path) -> list[str]:
    """The lines of a job, without those of srun on the end of all its tasks, which are in the log of the first."""
    lines = [line.strip() for line in log_file.read_text(encoding="utf-8", errors="replace").split("\n")]
    return [line for line in lines if line and not line.startswith("srun: ") and "*** STEP " not in line]


class Launcher(BaseSubmititLauncher):  # type: ignore[misc]  # Hydra's plugins have no types
    """Sends jobs by submitit; one that dies does not take the others with it, as it would in Hydra's own launcher."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Hydra calls this with some jobs, and gets what each returned.

        Raises:
            ConfigError: the jobs cannot be sent.
        """
        Path(self.config.hydra.sweep.dir).mkdir(parents=True, exist_ok=True)
        tasks = []
        for number, overrides in enumerate(job_overrides, initial_job_idx):
            log.info(f"\t#{number} : {' '.join(filter_overrides(overrides))}")
            tasks.append((list(overrides), "hydra.sweep.dir", number, f"job_id_for_{number}", Singleton.get_state()))
        return [self.returned(one) for one in self.run(tasks)]

    def run(self, tasks: Sequence[tuple[Any, ...]]) -> list[Sent]:
        """Sends the jobs, and waits for their end."""
        raise NotImplementedError

    def executor(self, parameters: dict[str, Any], **arguments: Any) -> Any:
        """Submitit's, with the parameters of the config.

        Raises:
            ConfigError: it does not take one of them.
        """
        import submitit

        made = submitit.AutoExecutor(self.params["submitit_folder"], cluster=self._EXECUTOR, **arguments)
        try:
            made.update_parameters(
                **{name if name in GENERAL else f"{self._EXECUTOR}_{name}": it for name, it in parameters.items()}
            )
        except (NameError, TypeError, ValueError) as error:
            raise ConfigError(f"hydra.launcher: {' '.join(str(error).split())}") from error
        return made

    def returned(self, sent: Sent) -> JobReturn:
        """What a job that has ended returned; of one that died why."""
        from submitit.core.utils import UncompletedJobError

        if sent.has_result():
            try:
                result: JobReturn = sent.job.task(0).result()
                return result
            except UncompletedJobError as error:  # it could not even begin, such as in another environment
                reason = str(error).partition("\n---")[2].partition("\n---")[0].strip().split("\n")[-1]
        else:
            reason = f"it ended without a result{self.why(sent)}; {sent.last_words()}"
        lost = RunError(f"{self._EXECUTOR} job {sent.job.job_id}: {reason}")
        return JobReturn(overrides=sent.overrides, status=JobStatus.FAILED, _return_value=lost)

    def why(self, sent: Sent) -> str:
        """What else is known of a job that died."""
        return ""
