"""What all launchers share: how jobs are sent, and what becomes of them."""

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
from omegaconf import open_dict

from unet_lightning.errors import ConfigError
from unet_lightning.files import write_text
from unet_lightning.program import one_line_errors
from unet_lightning.training.state import ERROR, begun, read_state

log = logging.getLogger(__name__)

EVERYWHERE = {"name", "timeout_min", "mem_gb", "nodes", "cpus_per_task", "gpus_per_node", "tasks_per_node"}


@dataclass
class Sent:
    """A job on its way: its number in the sweep, its overrides, and submitit's object for it."""

    number: int
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
        logs = [log_file for log_file in first.parent.glob(f"{self.job.job_id}_*_log.err") if said(log_file)]
        if not logs:
            return f"it left no word in {first}"
        lost = min(logs, key=lambda one: (re.search("error", said(one)[-1], re.I) is None, one.stat().st_mtime))
        return f"{lost} ends with '{said(lost)[-1]}'"


def said(log_file: Path) -> list[str]:
    """The lines of a job, without those of srun on the end of all its tasks, which are in the log of the first."""
    lines = [line.strip() for line in log_file.read_text(errors="replace").split("\n")]
    return [line for line in lines if line and not line.startswith("srun: ") and "*** STEP " not in line]


class Launcher(BaseSubmititLauncher):  # type: ignore[misc]  # Hydra's plugins have no types
    """What all launchers share: sending, and what becomes of a job."""

    @one_line_errors
    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Hydra calls this with a batch of jobs, and gets what each returned.

        Raises:
            ConfigError: the jobs cannot be sent; shown as one line.
        """
        Path(self.config.hydra.sweep.dir).mkdir(parents=True, exist_ok=True)
        tasks = []
        for number, overrides in enumerate(job_overrides, initial_job_idx):
            log.info(f"\t#{number} : {' '.join(filter_overrides(overrides))}")
            tasks.append((list(overrides), "hydra.sweep.dir", number, f"job_id_for_{number}", Singleton.get_state()))
        return self.run(tasks)

    def run(self, tasks: list[tuple[Any, ...]]) -> list[JobReturn]:
        """Sends the jobs, waits for them, and returns what they returned in their order."""
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
                **{name if name in EVERYWHERE else f"{self._EXECUTOR}_{name}": it for name, it in parameters.items()}
            )
        except (NameError, TypeError, ValueError) as error:
            raise ConfigError(f"hydra.launcher: {' '.join(str(error).split())}") from error
        return made

    def returned(self, sent: Sent) -> JobReturn:
        """What a job that has ended returned; nothing where it died, which its folder then says."""
        from submitit.core.utils import UncompletedJobError

        if sent.has_result():
            try:
                result: JobReturn = sent.job.task(0).result()
                return result
            except UncompletedJobError as error:  # it could not even begin, such as in another environment
                reason = str(error).partition("\n---")[2].partition("\n---")[0].strip().split("\n")[-1]
        else:
            reason = f"it ended without a result{self.why(sent)}; {sent.last_words()}"
        self.note(sent, f"{self._EXECUTOR} job {sent.job.job_id}: {reason}")
        return JobReturn(overrides=sent.overrides, status=JobStatus.COMPLETED, _return_value=None)

    def why(self, sent: Sent) -> str:
        """What else is known of a job that died."""
        return ""

    def note(self, sent: Sent, reason: str) -> None:
        """Writes into the job's folder that it failed, unless it has said itself how it came to an end."""
        config = self.hydra_context.config_loader.load_sweep_config(self.config, sent.overrides)
        with open_dict(config):
            config.hydra.job.num, config.hydra.job.id = sent.number, sent.job.job_id
        folder = Path(str(config.hydra.sweep.dir), str(config.hydra.sweep.subdir))
        with contextlib.suppress(OSError):
            os.listdir(folder)  # as in has_result
        state = read_state(folder)
        if state is not None and state.state in ("done", "pruned"):
            log.warning(f"#{sent.number} is {state.state}, though: {reason}")
            return
        if state is None or state.state in ("running", "stopped"):
            write_text(folder / ERROR, reason + "\n")
            (state or begun(None, sent.overrides)).ended("failed", 1, error=reason).write(folder)
        log.error(f"#{sent.number} failed: {reason}")
