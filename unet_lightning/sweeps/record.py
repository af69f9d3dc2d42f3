"""`sweep.yaml` in the folder of a sweep: what the sweep is made of, signed by the user who began it.

Going on with a sweep does what its file says, which may name classes, programs and files. So nobody else's is gone on
with: the signature is made with a key that lies in the user's home.
"""

import hmac
import logging
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, ListConfig, OmegaConf

from unet_lightning.commands import command, value_path
from unet_lightning.errors import ConfigError, OtherRun, RunError, one_line
from unet_lightning.files import user_folder, write_text
from unet_lightning.text import MASK, masked, without_secrets
from unet_lightning.training.folder import SWEEP, RunFolder

log = logging.getLogger(__name__)

SIGNATURE = "signature: "
# Where a sweep is kept is given anew when it goes on.
PLACE = ("hydra.sweep.dir=", "hydra.run.dir=", "hydra.mode=")


@dataclass(frozen=True)
class Record:
    """What a sweep is made of."""

    name: str  # the folder below outputs/ that it was begun for
    cwd: str  # where the command was given, seen from the sweep's folder: both may be moved together
    config_name: str
    config_dirs: Sequence[str] = ()  # further folders of configs
    hydra: Sequence[str] = ()  # overrides of Hydra itself, such as the launcher and its values
    overrides: Sequence[str] = ()  # the others, as they were typed
    jobs: Mapping[str, Sequence[str]] = field(default_factory=dict)  # overrides of each, by the name of its folder
    search: Mapping[str, Any] | None = None  # how its trials find the study; None where values are given

    def write(self, folder: Path) -> None:
        """Puts it into the folder of its sweep, signed, without secrets."""
        body = yaml.safe_dump(without_secrets(asdict(self)), sort_keys=False, width=1000, allow_unicode=True)
        try:
            signature = signature_of(body)
        except (OSError, RuntimeError) as error:
            log.warning(f"This sweep cannot be gone on with, as its record is not signed: {one_line(error)}")
            signature = "none"
        write_text(folder / SWEEP, f"{body}{SIGNATURE}{signature}\n")

    def begin(self, folder: Path) -> None:
        """Puts it into a folder that is none of a sweep yet; OtherRun where another command has just begun one."""
        folder.mkdir(parents=True, exist_ok=True)
        try:
            (folder / SWEEP).touch(exist_ok=False)
        except FileExistsError as error:
            raise OtherRun(
                f"Another sweep has just begun in {folder}: choose another folder by hydra.sweep.dir."
            ) from error
        self.write(folder)

    def with_secrets(self, typed: Iterable[str]) -> "Record":
        """The record with the overrides that it keeps without their secrets as they were typed again.

        Raises:
            ConfigError: one was not.
        """
        whole = {masked(one).replace("\\", ""): one for one in typed}  # Hydra escapes what it repeats

        def found(overrides: Sequence[str]) -> list[str]:
            known = [whole.get(one.replace("\\", ""), one) for one in overrides]
            if lacking := [one for one in known if MASK in one]:
                raise ConfigError(
                    f"{lacking[0]}: a sweep keeps no password and no token. Type it again beside resume, with the file "
                    "that it belongs to, such as logger=mlflow."
                )
            return known

        jobs = {name: found(overrides) for name, overrides in self.jobs.items()}
        return replace(self, hydra=found(self.hydra), overrides=found(self.overrides), jobs=jobs)

    def check_same(self, overrides: Iterable[str], folder: Path, searches: bool) -> None:
        """Raises OtherRun where a command with these overrides would be another sweep; how it searches may change.

        A search is no sweep of given values: `searches` says which of them the command is.
        """
        if searches != (self.search is not None):
            found, wanted = ("a search", "given values") if self.search else ("a sweep of given values", "a search")
            raise OtherRun(
                f"{folder} holds {found}, and hydra/sweeper is that of {wanted}. Go on with it by "
                f"resume={value_path(folder)} alone, or choose another folder by hydra.sweep.dir."
            )
        if {*map(masked, filter(is_tried, self.overrides))} != {*map(masked, filter(is_tried, overrides))}:
            raise OtherRun(
                f"{folder} holds another sweep. Go on with it by resume={value_path(folder)}, or choose another folder "
                "by hydra.sweep.dir."
            )


def is_tried(override: str) -> bool:
    """Whether an override is what a sweep tries, and does not say how it searches or where its jobs run."""
    return not override.lstrip("+~").startswith(("hydra.", "hydra/", "sweep.", "sweep/"))


def record_of(config: DictConfig, folder: Path) -> Record:
    """What the present command makes of a sweep in a folder, without its jobs; `config` has the `hydra` node."""
    hydra, cwd = config.hydra, Path.cwd()
    return Record(
        name=config.name,
        cwd=os.path.relpath(cwd, folder) if cwd.drive == folder.drive else str(cwd),  # drives of Windows
        config_name=hydra.job.config_name,
        config_dirs=[source.path for source in hydra.runtime.config_sources if source.provider == "command-line"],
        hydra=[one for one in as_typed(hydra.overrides.hydra) if not one.startswith(PLACE)],
        overrides=as_typed(hydra.overrides.task),
    )


def as_typed(overrides: ListConfig) -> list[str]:
    """Overrides with what they refer to, such as `${hydra.job.num}`, which each job has its own of."""
    found: Any = OmegaConf.to_container(overrides, resolve=False)
    return list(found)


def read(folder: Path, own: bool = True) -> Record:
    """The record of a sweep; RunError where it is broken or, with `own`, was not begun by this user."""
    path = folder / SWEEP
    try:
        body, _, signature = path.read_text(encoding="utf-8").rpartition(SIGNATURE)
        if own and not hmac.compare_digest(signature.strip().encode(), signature_of(body).encode()):
            jobs = RunFolder(folder).jobs()
            again = f": {command('train', f'rerun={value_path(jobs[0].path)}')}" if jobs else "."
            raise RunError(
                f"{path} does not carry your signature: the sweep was begun by somebody else or elsewhere, or the file "
                "was edited. It is not gone on with, as it could run anything. Train the configuration of one of its "
                f"jobs{again}"
            )
        return Record(**yaml.safe_load(body))
    except (OSError, RuntimeError, TypeError, ValueError, yaml.YAMLError) as error:
        raise RunError(f"{path} is broken: {one_line(error)}") from error


def is_sweep(folder: Path) -> bool:
    """Whether this is the folder of a sweep, whoever began it."""
    return (folder / SWEEP).is_file()


def is_search(folder: Path) -> bool:
    """Whether this is the folder of a search, whoever began it."""
    return is_sweep(folder) and "\nsearch:\n" in (folder / SWEEP).read_text("utf-8", "replace")


def signature_of(body: str) -> str:
    """This user's signature under a text; OSError or RuntimeError where a key has no place."""
    return hmac.new(key(), body.encode(), "sha256").hexdigest()


def key() -> bytes:
    """The key in the home of this user: 32 random bytes, made when they are first needed."""
    path = user_folder() / "key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".key.{os.getpid()}")
        temporary.touch(0o600)
        temporary.write_bytes(secrets.token_bytes(32))
        try:
            os.link(temporary, path)
        except OSError:  # another process has just made one, or the file system has no links
            if not path.exists():
                temporary.replace(path)
        temporary.unlink(missing_ok=True)
    return path.read_bytes()
