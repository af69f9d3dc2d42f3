"""`python experiments/statistics/coverage.py`: how often 95 % intervals are right, by the number of images.

Draws images of known kinds, over and over, and counts how often an interval holds the true value: of means by six
methods, by groups, and of pooled Dice; then how often equal methods are called different. Prints tables in Markdown.
"""

import argparse
from collections.abc import Callable

import numpy as np
from scipy.stats import bootstrap, t, wilcoxon

from unet_lightning.metrics.comparison import standings
from unet_lightning.metrics.statistics import mean_interval, paired_difference, pooled_interval

Floats = np.ndarray
Draw = Callable[[tuple[int, ...]], Floats]
RESAMPLES = 999
SIZES = (6, 8, 20, 50)

chance = np.random.default_rng(0)
# What the Dice, or another figure, of an image is like.
SHAPES: dict[str, Draw] = {
    "normal": lambda size: 0.8 + 0.02 * chance.standard_normal(size),
    "long tail on both sides (Laplace)": lambda size: 0.8 + 0.02 * chance.laplace(size=size),
    "some bad images (gamma, shape 2)": lambda size: 0.85 - 0.02 * chance.gamma(2, size=size),
    "a few very bad ones (exponential)": lambda size: 0.85 - 0.03 * chance.gamma(1, size=size),
    "beta(8, 2)": lambda size: chance.beta(8, 2, size),
    "normal on a logit scale": lambda size: 1 / (1 + np.exp(-1.5 - 0.8 * chance.standard_normal(size))),
    "sensitivity near 1 (beta(20, 1))": lambda size: chance.beta(20, 1, size),
    "most at 1 (beta(9, 0.5))": lambda size: chance.beta(9, 0.5, size),
    "15 % failures (two betas)": lambda size: np.where(
        chance.random(size) < 0.15, chance.beta(6, 4, size), chance.beta(40, 8, size)
    ),
}


def by_student(values: Floats, logit: bool = False) -> tuple[Floats, Floats]:
    """Ends for each row, plain or by the delta method on a logit scale."""
    number = values.shape[1]
    mean, half = values.mean(axis=1), t.ppf(0.975, number - 1) * values.std(axis=1, ddof=1) / np.sqrt(number)
    if not logit:
        return mean - half, mean + half
    centre, half = np.log(mean / (1 - mean)), half / (mean * (1 - mean))
    return tuple(1 / (1 + np.exp(-end)) for end in (centre - half, centre + half))


def by_resampling(values: Floats, method: str) -> tuple[Floats, Floats]:
    """Ends for each row by SciPy's bootstrap."""
    options = {"n_resamples": RESAMPLES, "batch": 50, "rng": chance, "vectorized": True, "axis": -1}
    found = bootstrap((values,), np.mean, method=method, **options).confidence_interval
    return found.low, found.high


def by_studentised_resampling(values: Floats) -> tuple[Floats, Floats]:
    """Ends for each row from the resamples' own distances in standard errors."""
    rows, number = values.shape
    ends = np.empty((2, rows))
    for row, its in enumerate(values):
        drawn = its[chance.integers(number, size=(RESAMPLES, number))]
        off, errors = drawn.mean(axis=1) - its.mean(), drawn.std(axis=1, ddof=1)
        with np.errstate(divide="ignore", invalid="ignore"):  # a resample of one image alone is infinitely far off
            distances = np.nan_to_num(off / errors, nan=0)
        high, low = np.quantile(distances, [0.025, 0.975], method="inverted_cdf")
        ends[:, row] = its.mean() - its.std(ddof=1) * np.array([low, high])
    return ends[0], ends[1]


def by_this_package(values: Floats) -> tuple[Floats, Floats]:
    """Ends for each row."""
    ends = np.array([mean_interval(row) for row in values])
    return ends[:, 0], ends[:, 1]


METHODS: dict[str, Callable[[Floats], tuple[Floats, Floats]]] = {
    "percentile bootstrap": lambda values: by_resampling(values, "percentile"),
    "BCa bootstrap": lambda values: by_resampling(values, "BCa"),
    "studentised bootstrap": by_studentised_resampling,
    "t": by_student,
    "t, logit": lambda values: by_student(values, logit=True),
    "this package": by_this_package,
}


def holds(ends: tuple[Floats, Floats], true: float) -> str:
    """The share of intervals with the true value in them."""
    return f"{np.mean((ends[0] <= true) & (true <= ends[1])):.1%}"


def table(first: str, names: list[str], rows: list[list[str]]) -> None:
    """Prints Markdown."""
    print(f"| {first} | {' | '.join(names)} |\n|---|{'---:|' * len(names)}")
    print("\n".join(f"| {' | '.join(row)} |" for row in rows), flush=True)


def means(trials: int) -> None:
    """Coverage of the mean over images."""
    rows = []
    for shape, draw in SHAPES.items():
        true = float(draw((4_000_000,)).mean())
        for size in SIZES:
            values = draw((trials, size))
            rows.append([shape, str(size), *(holds(method(values), true) for method in METHODS.values())])
    table("figure of an image", ["images", *METHODS], rows)


def groups(trials: int) -> None:
    """Coverage where one to three images of a patient are alike: half of the variance is between patients."""
    rows = []
    for shape in ("normal", "a few very bad ones (exponential)"):
        draw = SHAPES[shape]
        true = float(draw((4_000_000,)).mean())
        for size in (6, 8, 20, 50):
            found: list[list[tuple[float, float]]] = [[], []]
            for _ in range(trials):
                labels = np.repeat(np.arange(size), chance.integers(1, 4, size))
                values = (draw((size,))[labels] + draw((len(labels),))) / 2
                found[0].append(mean_interval(values))
                found[1].append(mean_interval(values, list(labels)))
            rows.append([shape, str(size), *(holds(tuple(np.array(one).T), true) for one in found)])
    table("figure of an image", ["patients", "by image", "by patient"], rows)


def pooled_dice(trials: int) -> None:
    """Coverage of Dice over the pixels of all images, which differ in size and in how hard they are."""

    def dice(parts: Floats) -> float:
        return float(parts[0] / parts[1])

    rows = []
    for shape in ("normal", "beta(8, 2)", "a few very bad ones (exponential)", "most at 1 (beta(9, 0.5))"):
        for words, likeness in (("a third", 8), ("two thirds", 2)):

            def draw(size: tuple[int, ...], shape: str = shape, likeness: int = likeness) -> Floats:
                """Twice the true positives, and all pixels of map and target, `(..., 2)`."""
                pixels = 50_000 * chance.gamma(likeness, 1 / likeness, size)
                return np.stack([pixels * SHAPES[shape](size), pixels], axis=-1)

            true = dice(draw((4_000_000,)).mean(axis=0))
            for size in SIZES:
                ends: list[list[tuple[float, float]]] = [[], []]
                for parts in draw((trials, size)):
                    both = parts[chance.integers(size, size=(RESAMPLES, size))].sum(axis=1)
                    ends[0].append(tuple(np.quantile(both[:, 0] / both[:, 1], [0.025, 0.975])))
                    ends[1].append(pooled_interval(dice(parts.sum(axis=0)), parts, dice))
                rows.append([shape, words, str(size), *(holds(tuple(np.array(one).T), true) for one in ends)])
    table("Dice of an image", ["SD of sizes", "images", "percentile bootstrap", "this package"], rows)


def differences(trials: int) -> None:
    """How often two equal methods are called different."""
    rows = []
    for shape, draw in SHAPES.items():
        for size in (6, 8, 20):
            off = draw((trials, size)) - draw((trials, size))
            low, high = by_resampling(off, "percentile")
            found = [paired_difference(one, np.zeros(size)) for one in off]
            shares = (
                np.mean((low > 0) | (high < 0)),
                np.mean([wilcoxon(one).pvalue < 0.05 for one in off]),
                np.mean([one.p_value < 0.05 for one in found]),
                np.mean([(one.low > 0 or one.high < 0) != (one.p_value < 0.05) for one in found]),
            )
            rows.append([shape, str(size), *(f"{share:.1%}" for share in shares)])
    names = ["percentile interval without 0", "Wilcoxon p < 0.05", "this package", "its interval and p disagree"]
    table("figure of an image", ["images", *names], rows)


def leaderboards(trials: int) -> None:
    """How often a leaderboard of equal methods calls any of them worse than its best."""
    rows = []
    for methods, size in ((2, 8), (5, 8), (5, 20), (10, 8), (10, 20), (20, 20)):
        ids = [f"{number:02}" for number in range(size)]
        wrong = np.zeros(2)
        for _ in range(trials):
            values = chance.normal(0.8, 0.03, size) + chance.normal(0, 0.01, (methods, size))
            found = standings([dict(zip(ids, one, strict=True)) for one in values], [True] * methods)
            wrong += any(one.p_corrected < 0.05 for one in found), any(one.difference_high < 0 for one in found)
        rows.append([str(methods), str(size), *(f"{share:.1%}" for share in wrong / trials)])
    table("equal methods", ["images", "some p < 0.05", "some interval below 0"], rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=4000, help="of each row (4000)")
    parts = {part.__name__: part for part in (means, groups, pooled_dice, differences, leaderboards)}
    parser.add_argument("--only", choices=parts, nargs="+", default=parts, help="which tables (all)")
    args = parser.parse_args()
    trials = args.trials
    for part in map(parts.get, args.only):
        print(f"\n{part.__doc__}\n")
        part(trials // 4 if part is leaderboards else trials)
