"""What a command line of `train` asks for: a new run, one that goes on, or one that is repeated, and where it lies.

A run folder is data: its config.yaml is read as plain values, what was typed is put into them, and the result takes the
way of a new run.
"""

import functools
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf

from unet_lightning import specs
from unet_lightning.commands import command, quoted, value_path
from unet_lightning.errors import ConfigError
from unet_lightning.sweeps.jobs import in_sweep
from unet_lightning.training.auto import as_recorded, copied, with_other_data
from unet_lightning.training.changes import DEVICES, check_changes, said
from unet_lightning.training.config import TRAINING, check_secrets, check_sections, continued, typed_changes
from unet_lightning.training.folder import LATEST, SWEEP, RunFolder, claimed, followed
from unet_lightning.training.state import State, read_state

log = logging.getLogger(__name__)

SEVERAL = ("-m", "--multirun")
LOOK_ONLY = ("--cfg", "-c", "--info", "-i", "--help", "-h", "--hydra-help")  # flags of Hydra's that run nothing
NONE = {"scheduler": None, "callbacks": None, "logger": None}  # where ~scheduler and the like take them away
COMMANDS = ("resume", "rerun", "sweep")  # fields of a command, not of a run


def register_resolver() -> None:
    """Makes `${run_folder:...}` known, by which conf/hydra/default.yaml decides where a run lies."""
    OmegaConf.register_new_resolver("run_folder", run_folder, replace=True)


def run_folder(name: str, resume: str | None, rerun: str | None, now: str) -> str:
    """The folder of `resume`, of a run that is checked; else a new one below outputs/."""
    if resume not in (None, "auto"):
        run = _run(str(resume))
        if not (run.path / SWEEP).is_file():
            run.check()
            run.check_links()
        return str(run.path)
    if rerun is not None and name == "train":  # the default
        name = _run(rerun).read_config(TRAINING)["name"]
    return _new_folder(f"outputs/{name}/{now}")


@functools.cache
def _new_folder(wanted: str) -> str:
    """A folder that no other program has, though it may begin in the same second; asked twice, the same."""
    looks_only = any(word.partition("=")[0] in LOOK_ONLY for word in sys.argv[1:])
    return wanted if looks_only else str(claimed(Path(wanted)))


def understand(composed: dict[str, Any], run: RunFolder) -> tuple[dict[str, Any], Any]:
    """The configuration to train, from what was composed for this command, and the kind of the attempt (see `Attempt`).

    A job of a sweep goes on where it finds itself begun.
    """
    resume, rerun = composed["resume"], composed["rerun"]
    present = {key: value for key, value in (NONE | composed).items() if key not in COMMANDS}
    check_sections(present)
    _check(resume, rerun)
    if in_sweep() or resume == "auto":
        config, kind = present, "requeued" if run.config_file.exists() else "new"
        if kind == "requeued":
            config = as_recorded(config, run.read_config(TRAINING))
    elif resume is not None:
        config, kind = gone_on(run, present), "resumed"
    elif rerun is not None:
        config, kind = with_other_data(with_typed(_run(rerun).read_config(TRAINING), present), _typed()), "repeated"
    else:
        config, kind = present, "new"
    if not config["data"].get("root"):
        raise ConfigError("data.root is empty: set it to the folder of the data set.")
    if config["model"].get("weights") == "":
        raise ConfigError("model.weights is empty: set it to a run folder, or to a file of weights, to begin from.")
    if kind in ("resumed", "repeated"):
        check_secrets(config)
    # Later programs may start elsewhere, and `latest` will be another run.
    config["data"]["root"] = os.path.abspath(os.path.expanduser(config["data"]["root"]))
    if weights := config["model"].get("weights"):
        if kind == "requeued" and LATEST in Path(weights).parts:  # which was another run when this one began
            weights = run.read_config(TRAINING)["model"].get("weights") or weights
        config["model"]["weights"] = str(weights_file(Path(weights)))
    return config, kind


def weights_file(path: Path) -> Path:
    """The file of weights to begin from; of a run folder its best checkpoint, the last where validation chose none.

    Raises:
        RunError: a folder that is no run, or one without a checkpoint.
    """
    if not os.path.exists(path):  # Path.exists raises where a name is too long
        return path.absolute()
    found = followed(path).resolve()
    return RunFolder(found).checkpoint() if found.is_dir() else found


def gone_on(run: RunFolder, present: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a run that goes on, with what was typed; ConfigError where it makes another experiment."""
    recorded = run.read_config(TRAINING)
    config = with_typed(recorded, present, goes_on=True)
    changes = typed_changes(recorded, config, _typed())
    check_changes(changes, run.path)
    if changes:
        log.info(f"Goes on with other values: {said(changes)}")
    return config


def with_typed(recorded: dict[str, Any], present: dict[str, Any], goes_on: bool = False) -> dict[str, Any]:
    """The configuration of a run with the values and the choices of files that the present command line has typed."""
    config = OmegaConf.create(recorded)
    for key, override in _overrides():
        if key in ("sweep", "experiment"):
            raise ConfigError(f"{override.input_line}: a run that is trained again has made that choice already.")
        if key in COMMANDS:
            continue
        value = override.value()
        if override.is_delete():
            home, _, name = key.rpartition(".")
            (OmegaConf.select(config, home) if home else config).pop(name, None)
        elif isinstance(value, dict):
            OmegaConf.update(config, key, value, force_add=True)
        else:  # as it is composed: a file chosen by its name, a value that follows another
            composed: Any = OmegaConf.select(OmegaConf.create(present), key)
            if key == "trainer":  # the file's devices, and for a new run what is otherwise than in the usual file
                usual: Any = composed if goes_on else compose("train", ["trainer=default"])[key]
                own = {name: one for name, one in composed.items() if name in DEVICES or one != usual.get(name)}
                composed = {**config[key], **own}
            OmegaConf.update(config, key, composed, merge=False, force_add=True)
    found: Any = OmegaConf.to_container(config)
    for group in ("callbacks", "logger"):
        known = {name: entry for name, entry in (present[group] or {}).items() if entry}
        if set(found.get(group) or {}) - set(known):
            known = _entries(group) | known
        specs.trust(specs.targets_in(known))
        found[group] = continued(found.get(group), known, group)
    return dict(found)


def typed() -> tuple[list[str], str]:
    """The overrides of this run, and the command that it was begun with."""
    words = HydraConfig.get().overrides.task
    overrides = [word for word in words if word.lstrip("+").partition("=")[0] not in ("resume", "rerun")]
    words = overrides if in_sweep() else sys.argv[1:]
    return overrides, command("train", *map(quoted, words))


def command_with(chosen: Sequence[str]) -> str:
    """The command of this run, or of this job, with values that were chosen, so that it chooses nothing."""
    return command("train", *map(quoted, copied(HydraConfig.get().overrides.task, chosen)))


def ended(run: RunFolder, config: dict[str, Any], rank: int) -> State | None:
    """The state of a run that is over, so that nothing is left to do; None where it is not. OtherRun: it is another."""
    state = read_state(run.path)
    # The first rank may have begun the run by now; the ranks compare their configurations when they meet.
    if not (rank and state is not None and state.state == "running"):
        run.check_same(config)
    return state if state is not None and state.state in ("done", "pruned") else None


def discard(folder: Path) -> None:
    """Removes a folder in which nothing has begun; one that several ranks share is the first one's to remove."""
    from unet_lightning.training.processes import outside

    environment = outside()
    if environment is None or not environment.global_rank() or not _is_placed():
        RunFolder(folder).discard_empty()


def check_flags(arguments: Sequence[str]) -> None:
    """Raises ConfigError for flags of Hydra's that mean something else here."""
    for flag, value in zip(arguments, [*arguments[1:], ""], strict=True):
        name, _, joined = flag.partition("=")
        folder = Path(joined or value)
        if name in ("--config-dir", "-cd") and (folder / "repro.yaml").is_file():
            raise ConfigError(
                f"{folder} is the folder of a run, not of configs: train it once more by rerun={value_path(folder)}."
            )
    if any(flag in SEVERAL for flag in arguments) and any(flag in ("--cfg", "-c") for flag in arguments):
        raise ConfigError("--cfg shows one configuration: leave -m out.")


def _check(resume: str | None, rerun: str | None) -> None:
    """Raises ConfigError where the request contradicts itself."""
    from unet_lightning.training.processes import outside

    if resume is not None and rerun is not None:
        raise ConfigError("resume goes on with a run, rerun begins one like it: give one of them.")
    if in_sweep():
        return
    if outside() is not None and not _is_placed() and resume in (None, "auto"):
        raise ConfigError(
            "Several ranks need one folder: give hydra.run.dir=outputs/<name>/<what all ranks share>, such as "
            "$SLURM_JOB_ID, and resume=auto to go on where it has begun already."
        )
    if resume not in (None, "auto") and _is_placed():
        raise ConfigError("resume goes on in the folder of the run: leave hydra.run.dir out, or copy the folder.")


def _is_placed() -> bool:
    """Whether the command says where the run lies."""
    return any(word.startswith("hydra.run.dir=") for word in HydraConfig.get().overrides.hydra)


def _run(folder: str) -> RunFolder:
    """The run that the command names."""
    return RunFolder(followed(Path(folder)).resolve())


def _overrides() -> Iterator[tuple[str, Override]]:
    """What was typed, but for the fields of Hydra, each with the field or the group that it sets."""
    for override in OverridesParser.create().parse_overrides(list(HydraConfig.get().overrides.task)):
        yield (override.package or override.key_or_group).replace("/", "."), override


def _typed() -> list[str]:
    """The fields and sections of a run that were typed."""
    return [key for key, _ in _overrides() if key not in COMMANDS]


def _entries(group: str) -> dict[str, Any]:
    """All entries of a group that this command has files for, by their names."""
    known: dict[str, Any] = {}
    for choice in GlobalHydra.instance().config_loader().get_group_options(group):
        section: Any = OmegaConf.to_container(compose("train", [f"{group}={choice}"])[group], resolve=True)
        known |= {name: entry for name, entry in (section or {}).items() if entry and name not in known}
    return known
