"""Main effects: what each choice of a sweep changes on average, whatever the other choices are."""

import math
from collections.abc import Sequence
from dataclasses import asdict, fields

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from scipy.stats import rankdata

from unet_lightning.metrics.comparison import Groups, Standing, Values, comparisons, mean_over_runs, standings
from unet_lightning.metrics.statistics import LEAST, LEVEL, UNBOUNDED, Uncertainty, uncertainty
from unet_lightning.results.leaderboard.choices import as_number, levels, searched

RESAMPLES = 10_000  # of jobs and images, for the correlation

Floats = npt.NDArray[np.float64]
TREND = ("rho", "rho_low", "rho_high")
COLUMNS = ("choice", "value", "jobs", *(field.name for field in fields(Standing)), *TREND)


def main_effects(
    choices: pd.DataFrame,
    values: Sequence[Values],
    jobs: Sequence[int],
    balanced: bool = True,
    lower_is_better: bool = False,
    groups: Groups = None,
    bounds: tuple[float, float] = UNBOUNDED,
) -> pd.DataFrame:
    """The effect of each choice, the largest first.

    Jobs with one value of a choice are averaged image by image, and values of a choice are compared on the same images.
    Where the design is not balanced, which jobs have a value is a matter of chance too, and intervals take it in.

    Args:
        choices: see `find_choices`; its rows are numbered from 0.
        values: the figure of each row by image.
        jobs: the number of jobs behind each row.
        balanced: whether the rows are a full grid.
        lower_is_better: whether the lowest mean is the best.
        groups: of the images by their ids, such as patients, for the intervals.
        bounds: lowest and highest value of the figure.

    Returns:
        a row a value of a choice, or a third of the range that was searched: `choice`, `value`, `jobs` that had it, the
        fields of its `Standing` among the values, and for what was searched Spearman's rank correlation of the numbers
        with the figure, `rho`, with the ends of its 95 % interval.
    """
    tables = []
    for name in choices:
        column, trend = choices[name].dropna(), (math.nan,) * 3
        if searched(column):
            parts, trend = thirds(column), spearman(column.map(as_number), values, groups)
        else:
            parts = [(short, list(column.index[column == value])) for value, short in levels(column).items()]
        members = [[values[place] for place in places] for _, places in parts]
        means_by_image, racing = [mean_over_runs(one) for one in members], [True] * len(members)
        placed = standings(means_by_image, racing, lower_is_better, groups, bounds)
        placed = placed if balanced else with_chance_of_jobs(placed, members, groups, bounds)
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


def with_chance_of_jobs(
    placed: Sequence[Standing],
    parts: Sequence[Sequence[Values]],
    groups: Groups = None,
    bounds: tuple[float, float] = UNBOUNDED,
) -> list[Standing]:
    """The standings of values with intervals for other images and for other jobs with the same value.

    The variance over the entries that have a value is added to that over the images, and the degrees of freedom are
    Satterthwaite's. A value of a single entry has no interval: how much another would differ is not known. None has p:
    it is of the images alone.

    Args:
        placed: the standing of each value, for other images alone.
        parts: the entries that have each value, with the figure by image.
        groups: of the images by their ids, such as patients.
        bounds: lowest and highest value of the figure.

    Source: F. E. Satterthwaite, "An approximate distribution of estimates of variance components", Biometrics
    Bulletin 2(6), 1946.
    """
    images = sorted(set.intersection(*(set(values) for part in parts for values in part)))
    if not images:
        nothing = (math.nan, math.nan)
        return [Standing(one.rank, one.mean, *nothing, one.difference, *nothing) for one in placed]
    labels = None if groups is None else [groups[image] for image in images]
    tables = [np.array([[values[image] for image in images] for values in part]) for part in parts]  # (entries, images)
    racing = [place for place, one in enumerate(placed) if one.rank is not None]
    best = next((place for place in racing if placed[place].rank == 1 and math.isnan(placed[place].difference)), 0)
    level = 1 - (1 - LEVEL) / max(1, comparisons(len(racing), len(racing)))
    changed = []
    for place, (one, table) in enumerate(zip(placed, tables, strict=True)):
        over_images, error, degrees = table.mean(axis=0), *_over_jobs(table)
        low, high = _ends_of_both(one.mean, uncertainty(over_images, labels), [(error, degrees)], LEVEL)
        ends = (math.nan, math.nan)
        if place != best and not math.isnan(one.difference):
            pairs = uncertainty(over_images - tables[best].mean(axis=0), labels)
            ends = _ends_of_both(one.difference, pairs, [(error, degrees), _over_jobs(tables[best])], level)
        within = max(low, bounds[0]), min(high, bounds[1])
        changed.append(Standing(one.rank, one.mean, *within, one.difference, *ends))
    return changed


def _over_jobs(table: Floats) -> tuple[float, int]:
    """The standard error of the mean over the entries, `(entries, images)`, and its degrees of freedom."""
    entries = len(table)
    error = table.mean(axis=1).std(ddof=1) / math.sqrt(entries) if entries > 1 else math.nan
    return float(error), entries - 1


def _ends_of_both(
    mean: float, images: Uncertainty | None, jobs: Sequence[tuple[float, int]], level: float
) -> tuple[float, float]:
    """Ends of an interval for other images and other jobs; NaN where one of the two is not known."""
    errors = [(images.error, images.degrees) if images else (math.nan, 1), *jobs]
    total = math.sqrt(sum(error**2 for error, _ in errors))
    if math.isnan(total):
        return math.nan, math.nan
    assert images is not None
    degrees = total**4 / sum(error**4 / degrees for error, degrees in errors)
    # The third moments of independent parts add up; of the jobs, which are few, none is known.
    return Uncertainty(total, images.skewness * (images.error / total) ** 3, degrees).ends(mean, level)


def spearman(numbers: pd.Series, values: Sequence[Values], groups: Groups = None) -> tuple[float, float, float]:
    """How far the figure goes up with a number, from -1 (always down) over 0 to 1 (always up), with a 95 % interval.

    The interval is a bootstrap of the entries and of the images, or their groups: few entries leave as much doubt as
    few images. There is none from fewer than LEAST of either. `numbers` are by the places of their entries in `values`,
    which has the figure by image.
    """
    images = sorted(set.intersection(*(set(values[place]) for place in numbers.index)))
    table = np.array([[values[place][image] for place in numbers.index] for image in images])  # (images, entries)
    if not table.size or np.isnan(table).any():
        return math.nan, math.nan, math.nan
    number, entries = numbers.to_numpy(), len(numbers)
    rho = float(_correlation(number[None], table.mean(axis=0)[None])[0])
    labels = images if groups is None else [groups[image] for image in images]
    if min(len(set(labels)), entries) < LEAST:
        return rho, math.nan, math.nan
    generator = torch.Generator().manual_seed(0)
    means = _image_shares(labels, generator) @ table  # (RESAMPLES, entries)
    drawn = torch.randint(entries, (RESAMPLES, entries), generator=generator).numpy()
    found = _correlation(number[drawn], np.take_along_axis(means, drawn, axis=1))
    known = found[~np.isnan(found)]  # a resample may hold one entry alone
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) if len(known) else (math.nan, math.nan)
    return rho, float(low), float(high)


def _image_shares(labels: Sequence[str], generator: torch.Generator) -> Floats:
    """Share of each image in each resample of the groups, `(RESAMPLES, images)`: times a table these are means."""
    groups = sorted(set(labels))
    belongs = torch.tensor([[float(label == group) for label in labels] for group in groups], dtype=torch.float64)
    drawn = torch.randint(len(groups), (RESAMPLES, len(groups)), generator=generator)
    times = torch.zeros((RESAMPLES, len(groups)), dtype=torch.float64)
    times.scatter_add_(1, drawn, torch.ones_like(times))
    shares = times @ belongs
    return np.asarray(shares / shares.sum(dim=1, keepdim=True))


def _correlation(one: Floats, other: Floats) -> Floats:
    """Spearman's correlation of each row, `(N, entries)` in, `(N,)` out; NaN where all of a row are equal."""
    ranks = [rankdata(table, axis=1) for table in (one, other)]
    first, second = (rank - rank.mean(axis=1, keepdims=True) for rank in ranks)
    size = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    found: Floats = np.divide((first * second).sum(axis=1), size, out=np.full(len(size), math.nan), where=size > 0)
    return found
