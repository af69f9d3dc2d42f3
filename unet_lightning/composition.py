"""What is wrong with a command line, said in one line, with the names that may have been meant."""

import difflib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

NEAR = 3  # names offered


def explain(error: Exception, conf: str, name: str, given: Sequence[str] = ()) -> str:
    """The message of an error of Hydra's or OmegaConf's for one line.

    Args:
        error: raised while the config was composed.
        conf: the folder of the configs.
        name: of the main config.
        given: the overrides, of which the choices of files tell what fields there are.
    """
    said = " ".join(line.strip() for line in str(error).splitlines() if line.strip())
    unknown = re.search(r"Could not override '([^']+)'", said) or re.search(r"Key '([^']+)' is not in struct", said)
    if unknown is None:
        return said
    key = unknown[1]
    near = nearest(key, list(keys(conf, name, given)))
    meant = f" Near: {', '.join(near)}." if near else ""
    return f"No field {key} in the config.{meant} --cfg job prints all; +{key}=... adds a new one."


def nearest(key: str, known: list[str]) -> list[str]:
    """The names that are like `key`, as a whole or in their last part."""
    found = difflib.get_close_matches(key, known, NEAR, cutoff=0.75)
    last = key.rpartition(".")[2]
    endings = {name.rpartition(".")[2] for name in known}
    for ending in [last, *difflib.get_close_matches(last, endings, NEAR, cutoff=0.75)]:
        found += [name for name in known if name.rpartition(".")[2] == ending]
    return list(dict.fromkeys(found))[:NEAR]


def keys(conf: str, name: str, given: Sequence[str] = ()) -> Iterator[str]:
    """Every field of the config with its chosen files, dotted; of a sweep over files, with the default ones."""
    chosen = [word for word in given if "," not in word and Path(conf, word.partition("=")[0]).is_dir()]
    GlobalHydra.instance().clear()
    with initialize_config_dir(conf, version_base="1.3"):
        config = OmegaConf.to_container(compose(name, chosen), resolve=False)
    yield from _flat(config, "")


def _flat(value: Any, prefix: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield f"{prefix}{key}"
            yield from _flat(one, f"{prefix}{key}.")
