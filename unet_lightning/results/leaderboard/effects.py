"""Main effects: what each choice of a sweep changes on average, whatever the other choices are."""

import math
from collections.abc import Sequence
from dataclasses import asdict, fields

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from scipy.stats import rankdata

from unet_lightning.metrics.comparison import Standing, Values, mean_over_runs, standings
from unet_lightning.metrics.statistics import LEVEL, RESAMPLES
from unet_lightning.results.leaderboard.choices import as_number, levels, searched

Floats = npt.NDArray[np.float64]
TREND = ("rho", "rho_low", "rho_high")
COLUMNS = ("choice", "value", "jobs", *(field.name for field in fields(Standing)), *TREND)


def main_effects(
    choices: pd.DataFrame,
    values: Sequence[Values],
    jobs: Sequence[int],
    balanced: bool = True,
    lower_is_better: bool = False,
) -> pd.DataFrame:
    """The effect of each choice, the largest first.

    Jobs with one value of a choice are averaged image by image, and the images are resampled: values of a choice are
    compared on the same images. Where the design is not balanced, which jobs have a value is a matter of chance too,
    and they are resampled with the images.

    The rows of `choices` (see `find_choices`) are numbered from 0; `values` has the figure of each by image, `jobs` the
    number of jobs behind it. Returns a row a value of a choice, or a third of the range that was searched: `choice`,
    `value`, `jobs` that had it, the fields of its `Standing` among the values, and for what was searched Spearman's
    rank correlation of the numbers with the figure, `rho`, with the ends of its 95 % interval.
    """
    tables = []
    for name in choices:
        column, trend = choices[name].dropna(), (math.nan,) * 3
        if searched(column):
            parts, trend = thirds(column), spearman(column.map(as_number), values)
        else:
            parts = [(short, list(column.index[column == value])) for value, short in levels(column).items()]
        members = [[values[place] for place in places] for _, places in parts]
        placed = standings([mean_over_runs(one) for one in members], [True] * len(members), lower_is_better)
        placed = placed if balanced else with_chance_of_jobs(placed, members)
        means = [one.mean for one in placed if not math.isnan(one.mean)]
        rows = [
            (name, value, sum(jobs[place] for place in places), *asdict(standing).values(), *trend)
            for (value, places), standing in zip(parts, placed, strict=True)
        ]
        tables.append((max(means) - min(means) if means else 0.0, rows))
    tables.sort(key=lambda table: table[0], reverse=True)
    return pd.DataFrame([row for _, rows in tables for row in rows], columns=COLUMNS)


def thirds(values: pd.Series) -> list[tuple[str, list[int]]]:
    """The low, middle and high third of the numbers of a choice, and the entries in each."""
    numbers = values.map(as_number).sort_values(kind="stable")
    edges = np.quantile(numbers, [1 / 3, 2 / 3])
    found = []
    for _, part in numbers.groupby(np.searchsorted(edges, numbers)):  # equal numbers stay together
        low, high = part.iloc[0], part.iloc[-1]
        found.append((f"{low:.3g} to {high:.3g}" if low < high else f"{low:.3g}", list(part.index)))
    return found


def with_chance_of_jobs(placed: Sequence[Standing], parts: Sequence[Sequence[Values]]) -> list[Standing]:
    """The standings of values with intervals that resample the images and, within each value, the entries.

    A bootstrap of n entries finds (n - 1) / n of the variance of their mean, half of it for two. The deviations of the
    resampled entries from the mean of all n are therefore taken sqrt(n / (n - 1)) times. A value of a single entry has
    no interval: how much another would differ is not known. None has p: Wilcoxon's test knows of the images alone.
    `parts` are the entries that have each value, with the figure by image.
    """
    generator = torch.Generator().manual_seed(0)
    images = sorted(set.intersection(*(set(values) for part in parts for values in part)))
    if not images:
        nothing = (math.nan, math.nan)
        return [Standing(one.rank, one.mean, *nothing, one.difference, *nothing) for one in placed]
    shares = _image_shares(len(images), generator)
    means = []
    for part in parts:
        drawn = torch.randint(len(part), (RESAMPLES, len(part)), generator=generator).numpy()
        resampled = shares @ np.array([[values[image] for values in part] for image in images])  # (RESAMPLES, entries)
        centre = resampled.mean(axis=1)
        deviation = np.take_along_axis(resampled, drawn, axis=1).mean(axis=1) - centre
        wider = math.sqrt(len(part) / (len(part) - 1)) if len(part) > 1 else math.nan
        means.append(centre + wider * deviation)
    best = next((n for n, one in enumerate(placed) if one.rank == 1 and math.isnan(one.difference)), 0)
    changed = []
    for one, found in zip(placed, means, strict=True):
        ends = _ends(found - means[best]) if not math.isnan(one.difference) else (math.nan, math.nan)
        changed.append(Standing(one.rank, one.mean, *_ends(found), one.difference, *ends))
    return changed


def spearman(numbers: pd.Series, values: Sequence[Values]) -> tuple[float, float, float]:
    """How far the figure goes up with a number, from -1 (always down) over 0 to 1 (always up), with a 95 % interval.

    The interval is a bootstrap of the entries and of the images: few entries leave as much doubt as few images.
    `numbers` are by the places of their entries in `values`, which has the figure by image.
    """
    images = sorted(set.intersection(*(set(values[place]) for place in numbers.index)))
    table = np.array([[values[place][image] for place in numbers.index] for image in images])  # (images, entries)
    if not table.size or np.isnan(table).any():
        return math.nan, math.nan, math.nan
    number, entries = numbers.to_numpy(), len(numbers)
    generator = torch.Generator().manual_seed(0)
    means = _image_shares(len(images), generator) @ table  # (RESAMPLES, entries)
    drawn = torch.randint(entries, (RESAMPLES, entries), generator=generator).numpy()
    found = _correlation(number[drawn], np.take_along_axis(means, drawn, axis=1))
    rho = float(_correlation(number[None], table.mean(axis=0)[None])[0])
    return rho, *_ends(found[~np.isnan(found)])  # a resample may hold one entry alone


def _image_shares(images: int, generator: torch.Generator) -> Floats:
    """Share of each image in each resample, `(RESAMPLES, images)`: its product with a table gives resampled means."""
    drawn = torch.randint(images, (RESAMPLES, images), generator=generator)
    shares = torch.zeros((RESAMPLES, images), dtype=torch.float64)
    return np.asarray(shares.scatter_add_(1, drawn, torch.full_like(shares, 1 / images)))


def _ends(found: Floats) -> tuple[float, float]:
    """The 95 % percentile interval of resampled values; NaN where there are none."""
    if not len(found) or np.isnan(found).any():
        return math.nan, math.nan
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _correlation(one: Floats, other: Floats) -> Floats:
    """Spearman's correlation of each row, `(N, entries)` in, `(N,)` out; NaN where all of a row are equal."""
    ranks = [rankdata(table, axis=1) for table in (one, other)]
    first, second = (rank - rank.mean(axis=1, keepdims=True) for rank in ranks)
    size = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    found: Floats = np.divide((first * second).sum(axis=1), size, out=np.full(len(size), math.nan), where=size > 0)
    return found
