"""In what runs differ: the values of their configs, and the choices of a sweep.

Choices are a table: a column a choice, a row an entry, values as text; NaN where a choice does not concern an entry, as
that of the momentum one without momentum.
"""

import json
import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import pandas as pd
from scipy.stats.contingency import expected_freq

Config = Mapping[str, Any]

# Runs that differ in these alone trained by one method: chance, fold, place, machine and what is shown meanwhile.
NOT_THE_METHOD = (
    "name seed resume score logger deterministic callbacks.panels callbacks.gradients "
    "data.seed data.fold data.root data.num_workers trainer.accelerator trainer.default_root_dir "
    "trainer.enable_progress_bar trainer.enable_model_summary trainer.log_every_n_steps"
).split()
NULL = "null"
MANY = 8  # numbers beyond which a choice is a range searched, and no list of values tried
LONGEST, BRIEF = 32, 24  # characters of a value


def method_of(config: Config, prefix: str = "") -> dict[str, Any]:
    """The config, or its section below `prefix`, without what does not define the method."""
    kept = {key: value for key, value in config.items() if prefix + key not in NOT_THE_METHOD}
    return {k: method_of(v, f"{prefix}{k}.") if isinstance(v, Mapping) else v for k, v in kept.items()}


def settings_of(configs: Sequence[Config]) -> list[list[str]]:
    """What tells each config from the others, such as `["model.base_c=16", "loss=dice"]`; null is not named."""
    return [[f"{key}={shortened(value)}" for key, value in row.items() if value != NULL] for row in differing(configs)]


def differing(configs: Sequence[Any], path: str = "") -> list[dict[str, str]]:
    """The values in which configs, or their sections at `path`, differ, by key, a row a config.

    Where two configs build different classes, the names of the classes say so, and arguments are compared among those
    that build the same. A key that is missing counts as null; one that a config has no place for, such as the momentum
    of an optimizer without momentum, is left out of its row.
    """
    rows: list[dict[str, str]] = [{} for _ in configs]
    if len({json.dumps(value, sort_keys=True, default=str) for value in configs}) < 2:
        return rows
    if not all(isinstance(value, Mapping) for value in configs):
        return [{path: _as_text(value)} for value in configs]
    built = [_built(section) for section in configs]
    for name in dict.fromkeys(built):
        peers = [row for row, its in enumerate(built) if its == name]
        if len(peers) < len(built):
            for row in peers:
                rows[row][path] = name
        for key in dict.fromkeys(key for row in peers for key in configs[row] if key != "_target_"):
            below = differing([configs[row].get(key) for row in peers], f"{path}.{key}".lstrip("."))
            for row, found in zip(peers, below, strict=True):
                rows[row] |= found
    return rows


def _built(section: Config) -> str:
    """The class that a section of a config builds, without its module; a weighted sum is called by its terms."""
    if isinstance(section.get("terms"), Mapping):
        return "+".join(section["terms"])
    return str(section.get("_target_", "")).rpartition(".")[2]


def _as_text(value: Any) -> str:
    """A value as it is written in a config; a section by what it builds."""
    if isinstance(value, Mapping):
        return _built(value) or "+".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), default=str)


def find_choices(configs: Sequence[Config], overrides: Sequence[Sequence[str] | None]) -> pd.DataFrame:
    """The choices that entries differ in; no column for a single entry.

    They are named as the command line of the sweep named them, where every run kept it and it says all: `loss=dice`
    rather than each value that follows from it. Else they are the differences of the configs. Choices that always
    changed together are one, since what each did cannot be told.

    `configs` are of a run of each entry, `overrides` what its command line changed; None where that is not known.
    """
    methods = [method_of(config) for config in configs]
    table = pd.DataFrame(_overrides(methods, overrides) or differing(methods), dtype=object)
    groups: dict[Any, list[str]] = {}
    for name in table.columns[table.nunique() > 1]:
        # Every job has a value of its own in each choice that was searched: these stay apart.
        split = name if searched(table[name]) else tuple(pd.factorize(table[name])[0])
        groups.setdefault(split, []).append(name)
    joined = {", ".join(names): table[names].dropna().agg(", ".join, axis=1) for names in groups.values()}
    return pd.DataFrame(joined, index=table.index, dtype=object)


def _overrides(methods: Sequence[Config], overrides: Sequence[Sequence[str] | None]) -> list[dict[str, str]] | None:
    """What the command lines changed, by key; None where they do not tell the methods apart."""
    rows = []
    for line in overrides:
        if line is None:
            return None
        pairs = [override.partition("=") for override in line]
        row = {key.lstrip("+"): value.strip("'\"") for key, _, value in pairs if not key.startswith("~")}
        rows.append({key: value for key, value in row.items() if key not in NOT_THE_METHOD})
    changed = [json.dumps(row, sort_keys=True) for row in rows]
    trained = [json.dumps(method, sort_keys=True, default=str) for method in methods]
    alike = all(row.keys() == rows[0].keys() for row in rows)
    return rows if alike and len({*changed}) == len({*trained}) == len({*zip(changed, trained, strict=True)}) else None


def searched(values: pd.Series) -> bool:
    """Whether these are so many numbers that each says little by itself."""
    return values.nunique() > MANY and bool(values.dropna().map(as_number).notna().all())


def levels(values: pd.Series) -> dict[str, str]:
    """Each value of a choice once, with a short text that no other has: numbers ascending, others by their names."""
    found = values.dropna().drop_duplicates()
    order = found.map(as_number)
    if order.isna().any():
        order = found.map(str.casefold)
    ordered = list(found[order.sort_values(kind="stable").index])
    shorts = [brief(value) for value in ordered]
    return {value: short if shorts.count(short) == 1 else value for value, short in zip(ordered, shorts, strict=True)}


def shortened(text: str, longest: int = LONGEST) -> str:
    """A value in few characters; the end of a path says most."""
    return text if len(text) <= longest else "…" + text[1 - longest :]


def brief(value: str) -> str:
    """A value in few characters; a long number by its first four digits."""
    number = as_number(value)
    if math.isnan(number):
        return shortened(value, BRIEF)
    return value if len(value) <= 7 else f"{number:.4g}"


def as_number(text: str) -> float:
    """The number that a text is; NaN where it is none, as `true`, and where it is too large."""
    try:
        value = json.loads(text)
        return float(value) if type(value) in (int, float) and math.isfinite(value) else math.nan
    except (ValueError, OverflowError):
        return math.nan


def is_balanced(choices: pd.DataFrame) -> bool:
    """Whether every value of a choice met the values of each other choice equally often, as in a full grid.

    A range that was searched is no grid, also alone: chance chose its numbers.
    """
    if any(searched(choices[name]) for name in choices):
        return False
    pairs = combinations([pd.factorize(choices[name])[0] for name in choices], 2)
    tables = [pd.crosstab(one, other).to_numpy() for one, other in pairs]
    return all((met == expected_freq(met)).all() for met in tables)
