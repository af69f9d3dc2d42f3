"""The folder of a run: where its files are, and how a later program reads them."""

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from yaml import YAMLError

from unet_lightning import commands
from unet_lightning.commands import value_path
from unet_lightning.errors import OtherRun, RunError
from unet_lightning.files import leads_out, write_text
from unet_lightning.text import without_secrets
from unet_lightning.training.config import as_yaml, differences, read_config, select, upgraded
from unet_lightning.training.provenance import commit, machine, versions
from unet_lightning.training.state import read_state

if TYPE_CHECKING:
    from unet_lightning.training.trained import Trained

LATEST = "latest"
SWEEP = "sweep.yaml"  # in the folder of a sweep: what it is


@dataclass(frozen=True)
class RunFolder:
    """`config.yaml`, `checkpoints/`, `metrics.csv` and so on of one run."""

    path: Path

    @property
    def config_file(self) -> Path:
        """The resolved config."""
        return self.path / "config.yaml"

    @property
    def best(self) -> Path:
        """The checkpoint with the best validation figure."""
        return self.path / "checkpoints" / "best.ckpt"

    @property
    def last(self) -> Path:
        """The checkpoint to go on from."""
        return self.path / "checkpoints" / "last.ckpt"

    def check(self) -> None:
        """Raises RunError where this is not a run folder."""
        if not self.config_file.is_file():
            where = "it does not exist" if not self.path.exists() else "it has no config.yaml"
            if (self.path / "error.txt").is_file():
                where = "it failed before it began, see error.txt in it; resume=<its sweep> tries it again"
            raise RunError(
                f"{self.path} is not a run folder: {where}. Give the folder that training printed, such as "
                "outputs/<name>/<date_time> or outputs/<name>/latest."
            )
        self.check_links()

    def check_links(self) -> None:
        """Raises RunError where something in the folder leads out of it, or is no file: a run of somebody else may.

        What is read there would be another's, and what is written would land elsewhere. The jobs of a sweep, or a
        collection of runs, may be links to run folders.
        """
        collection = not self.config_file.is_file()
        homes = [self.path / "checkpoints", self.path / "evaluation", *self.path.glob("evaluation/*")]
        for entry in (*self.path.glob("*"), *(entry for home in homes for entry in home.glob("*"))):
            name = entry.relative_to(self.path)
            if entry.is_symlink() and leads_out(entry, self.path):
                is_job = len(name.parts) == 1 and entry not in homes and (entry / "config.yaml").is_file()
                if collection and is_job:
                    continue
                raise RunError(f"{self.path} is not used: {name} in it leads to {entry.resolve()}. Put a copy there.")
            if not entry.is_file() and not entry.is_dir() and os.path.lexists(entry):
                raise RunError(f"{self.path} is not used: {name} in it is no file, and no folder. Remove it.")

    def check_room(self, goes_on: bool) -> None:
        """Raises OtherRun where training from scratch would write over a run.

        One that `goes_on` is here already; it may have been stopped in its first epoch.
        """
        if self.config_file.exists() and not goes_on:
            raise OtherRun(
                f"{self.path} already holds a run. Go on with it by resume={value_path(self.path)}, or choose "
                "another folder."
            )
        trained = [path.name for path in sorted(self.path.glob("checkpoints/*.ckpt"))]
        state = read_state(self.path)
        metrics = self.path / "metrics.csv"
        rows = len(metrics.read_bytes().splitlines()) - 1 if metrics.is_file() else 0
        early = goes_on and state is not None and state.state != "done" and rows <= 1
        if trained and not early:
            raise OtherRun(
                f"{self.path} holds {', '.join(trained)}, and no last.ckpt to go on from: training would write over "
                "it. Begin a new run elsewhere, with model.weights set to it, or take the checkpoints away."
            )

    def check_trained(self) -> None:
        """Raises RunError where a run has ended, and has written no checkpoint."""
        if not any(self.path.glob("checkpoints/*.ckpt")):
            raise RunError(
                f"The run in {self.path} ended before an epoch was complete: there is no checkpoint. Look for what has "
                "stopped it, such as a callback."
            )

    def discard_empty(self) -> None:
        """Removes the folder where nothing but logs of the program is in it: what was to begin here did not."""
        found = [*self.path.glob("*")]
        if all(one.is_file() and one.suffix == ".log" and _is_ours(one.read_bytes()) for one in found):
            for log in found:
                log.unlink()
        with contextlib.suppress(OSError):  # not empty
            self.path.rmdir()
            if self.path.absolute().parent.parent.name == "outputs":  # outputs/<name>, made for it
                self.path.parent.rmdir()
                self.path.parent.parent.rmdir()

    def write_config(self, config: dict[str, Any]) -> None:
        """Writes the resolved config, without secrets."""
        write_text(self.config_file, as_yaml(without_secrets(config)))

    def write_provenance(self, config: dict[str, Any], command: str, overrides: Sequence[str], kind: str) -> None:
        """Writes repro.yaml: what it takes to repeat the run; a run that goes on adds an attempt to it."""
        known = commit()
        attempt = {
            "kind": kind,
            "command": command,
            "overrides": list(overrides),
            "commit": None if known is None else known.removesuffix("-dirty"),
            "dirty": None if known is None else known.endswith("-dirty"),
            "versions": versions(),
            "machine": machine(),
        }
        path = self.path / "repro.yaml"
        deterministic = bool(config["trainer"].get("deterministic") or config.get("deterministic"))
        found: Any = {"seed": config["seed"], "deterministic": deterministic}
        found |= {"repeat": commands.command("train", f"rerun={value_path(self.path)}"), "attempts": []}
        with contextlib.suppress(OSError, YAMLError, AttributeError, TypeError, ValueError):  # a broken one begins anew
            found["attempts"] = list(yaml.safe_load(path.read_text(encoding="utf-8")).get("attempts", []))
        found["attempts"].append(attempt)
        write_text(path, yaml.safe_dump(without_secrets(found), sort_keys=False, width=1000))

    def check_same(self, config: dict[str, Any]) -> None:
        """Raises OtherRun where the run in this folder has another configuration; its files may have moved."""
        written, wanted = self.read_config(), upgraded(yaml.safe_load(as_yaml(without_secrets(config))))
        for one in (written, wanted):
            one["data"] = {key: value for key, value in one["data"].items() if key != "root"}
        other = [key for key in differences(wanted, written) if key != "trainer.max_time"]
        if other:
            said = [f"{key} is {select(written, key)} there, {select(wanted, key)} here" for key in other[:8]]
            raise OtherRun(
                f"{self.path} holds a run of another configuration: {'; '.join(said)}{', ...' * (len(other) > 8)}. "
                f"Choose another folder, or go on with that run by resume={value_path(self.path)}."
            )

    def read_config(self, needed: Sequence[str] = ("data", "model")) -> dict[str, Any]:
        """The resolved config; RunError where this is not a run folder, or see `training.config.read_config`."""
        self.check()
        return read_config(self.config_file, needed)

    def link_latest(self, name: str) -> None:
        """Points `<name>/latest` to this run, or sweep, of that name; a folder of another place has none.

        Where links are not allowed, `latest` is a text file with the name of the folder.
        """
        home, wanted = self.path.parent, Path(name).parts
        if wanted and home.parts[-len(wanted) :] == wanted:
            latest = home / LATEST
            with contextlib.suppress(OSError):
                latest.unlink(missing_ok=True)
                try:
                    latest.symlink_to(self.path.name)
                except (OSError, NotImplementedError):
                    latest.write_text(self.path.name + "\n", encoding="utf-8")

    def jobs(self) -> list["RunFolder"]:
        """The runs of a sweep, in their order; none where this is not a sweep."""
        if self.config_file.is_file() or not self.path.is_dir():
            return []
        found = [folder for folder in self.path.iterdir() if (folder / "config.yaml").is_file()]
        return [RunFolder(folder) for folder in sorted(found, key=lambda folder: (len(folder.name), folder.name))]

    def load(self, which: str | None = None) -> "Trained":
        """The network of the checkpoint `best` (on validation) or `last`; None: the best, else the last.

        Raises:
            RunError: not a run folder, no such checkpoint, or a broken one.
        """
        from unet_lightning.training.trained import read_trained  # imports torch

        config, path = self.read_config(), self.checkpoint(which)
        return read_trained(path, config, selected=path == self.best)

    def checkpoint(self, which: str | None = None) -> Path:
        """The file of the checkpoint `best` or `last`; None: the best, else the last.

        Raises:
            RunError: not a run folder, or no such checkpoint.
        """
        self.check()
        path = self.last if which == "last" or (which is None and not self.best.is_file()) else self.best
        if not path.is_file():
            raise RunError(f"{self.path} has no checkpoint yet: looked for {path}. Let training finish an epoch.")
        return path


def claimed(folder: Path) -> Path:
    """Makes a new folder, with a number behind its name where another program has just made it: nobody else has it."""
    for name in (folder.name, *(f"{folder.name}_{number}" for number in range(2, 1000))):
        path = folder.with_name(name)
        try:
            path.mkdir(parents=True)
            break
        except FileExistsError:
            continue
        except OSError:  # said by those who write there
            break
    return path


def _is_ours(log: bytes) -> bool:
    """Whether a log is empty, or begins as ours do: [time][module][level]."""
    return not log or b"][unet_lightning." in log.partition(b"\n")[0]


def followed(path: Path) -> Path:
    """The folder that a path names, where `latest` may be a text file that stands for a link."""
    path = Path(os.path.expanduser(path))
    if path.name == LATEST and path.is_file():
        return path.parent / path.read_text(encoding="utf-8").strip()
    return path
