"""Sends the jobs of a sweep to Slurm, or to processes of this machine, and waits for what becomes of them.

Beyond Hydra's own submitit launcher: a job that dies does not take the sweep with it, clusters without accounting are
watched by squeue, and jobs on this machine take turns, each with a GPU of its own.
"""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, filter_overrides
from hydra_plugins.hydra_submitit_launcher.submitit_launcher import BaseSubmititLauncher
from omegaconf import open_dict

from unet_lightning.errors import ConfigError
from unet_lightning.files import write_text
from unet_lightning.launch import one_line_errors
from unet_lightning.runs.state import ERROR, begun, read_state

log = logging.getLogger(__name__)

EVERYWHERE = {"name", "timeout_min", "mem_gb", "nodes", "cpus_per_task", "gpus_per_node", "tasks_per_node"}
LOOK = 1.0  # seconds between looks at result files
ASK = 10.0  # seconds between questions to Slurm
GONE = 60.0  # seconds that a shared file system may take to show the result of a job that has left the queue


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
        """The end of its log."""
        log_file = Path(self.job.task(0).paths.stderr)
        lines = log_file.read_text(errors="replace").split("\n") if log_file.exists() else []
        lines = [line.strip() for line in lines if line.strip()]
        return f"{log_file} ends with '{lines[-1]}'" if lines else f"it left no log {log_file}"


class Launcher(BaseSubmititLauncher):  # type: ignore[misc]  # Hydra's plugins have no types
    """What both launchers share: sending, and what becomes of a job."""

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


class SlurmLauncher(Launcher):
    """One array of Slurm jobs for a batch; every task of a job runs it, as one rank."""

    _EXECUTOR = "slurm"

    def run(self, tasks: list[tuple[Any, ...]]) -> list[JobReturn]:
        """Sends the jobs, waits for them, and returns what they returned in their order."""
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        parameters = dict(self.params)
        parameters.pop("submitit_folder")
        executor = self.executor(self.flags(parameters), slurm_max_num_timeout=parameters["max_num_timeout"])
        try:
            jobs = executor.map_array(self, *zip(*tasks, strict=True))
        except (FailedJobError, FailedSubmissionError) as error:
            raise ConfigError(f"Slurm does not take the jobs: {' '.join(str(error).split())}") from error
        array = jobs[0].job_id.partition("_")[0]
        log.info(
            f"Slurm job {array}: {len(jobs)} in the queue. See them by squeue -j {array}, end them by scancel {array}."
        )
        sent = [Sent(task[2], task[0], job) for task, job in zip(tasks, jobs, strict=True)]
        try:
            self.wait(sent)
        except KeyboardInterrupt:
            log.warning(f"The jobs go on without this process; end them by scancel {array}.")
            raise
        return [self.returned(one) for one in sent]

    def flags(self, given: dict[str, Any]) -> dict[str, Any]:
        """Submitit's parameters from those of the config."""
        given = {name: value for name, value in given.items() if name not in ("max_num_timeout", "requeue")}
        if given["gpus_per_node"] == "auto":
            needs = self.config.trainer.accelerator != "cpu"
            given["gpus_per_node"] = given["tasks_per_node"] if needs else None
        requeue = "requeue" if self.params["requeue"] else "no-requeue"
        given["additional_parameters"] = {requeue: True} | dict(given["additional_parameters"])
        if given["cpus_per_task"]:  # since Slurm 22.05 srun no longer takes this from sbatch by itself
            given["setup"] = [f"export SRUN_CPUS_PER_TASK={given['cpus_per_task']}", *given["setup"]]
        return given

    def wait(self, sent: list[Sent]) -> None:
        """Returns when each job has left its result, or has left the queue without one."""
        left, asked_at = list(sent), time.monotonic()
        gone: dict[int, float] = {}  # since when, by number
        while left := [one for one in left if not one.has_result()]:
            time.sleep(LOOK)
            if time.monotonic() - asked_at < ASK:
                continue
            asked_at, queue = time.monotonic(), queued()
            if queue is None:  # Slurm is away for a moment
                continue
            gone = {one.number: gone.get(one.number, asked_at) for one in left if one.job.job_id not in queue}
            left = [one for one in left if asked_at - gone.get(one.number, asked_at) < GONE]

    def why(self, sent: Sent) -> str:
        """The state that Slurm gives for it, such as OUT_OF_MEMORY."""
        found = asked(["scontrol", "--oneliner", "show", "job", sent.job.job_id])
        fields = dict(field.partition("=")[::2] for field in (found or "").split())
        return f" (Slurm: {fields['JobState']})" if "JobState" in fields else ""


class LocalLauncher(Launcher):
    """Processes of this machine, a few at a time."""

    _EXECUTOR = "local"

    def run(self, tasks: list[tuple[Any, ...]]) -> list[JobReturn]:
        """Starts each job when a place is free, and returns what they returned in their order."""
        free, waiting = list(range(self.params["n_jobs"])), list(tasks)
        sent: list[Sent] = []
        running: dict[int, Sent] = {}
        with ended_with_this_process(lambda: [one.job.cancel() for one in running.values()]):
            while waiting or running:
                while waiting and free:
                    place, task = free.pop(0), waiting.pop(0)
                    running[place] = Sent(task[2], task[0], self.begin(place, self, *task))
                    sent.append(running[place])
                time.sleep(LOOK)
                for place in [place for place, one in running.items() if one.job.done()]:
                    running.pop(place)
                    free.append(place)
        return [self.returned(one) for one in sent]

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
        shown = [name for name in named if name] or [str(number) for number in range(count)]
        return {"gpus_per_node": 1, "visible_gpus": [shown[place % count]]} if count else {}


def queued() -> set[str] | None:
    """The jobs of this user that Slurm has not finished with, those that wait to go on among them; None: no answer."""
    found = asked(["squeue", "--noheader", "--array", "--format=%i", f"--user={os.getuid()}"])
    return None if found is None else set(found.split())


def asked(command: list[str]) -> str | None:
    """What a command of Slurm answers, None where it does not."""
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (subprocess.TimeoutExpired, OSError):
        return None
    return None if answer.returncode else answer.stdout


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
