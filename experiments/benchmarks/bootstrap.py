"""`python experiments/benchmarks/bootstrap.py`: seconds for the intervals of all figures over 20 images.

Prints one line, the median of five calls in this process after one that is not counted. The values are drawn at
random: the time does not depend on them.
"""

import platform
import statistics
import time

import numpy as np

from unet_lightning.metrics.statistics import RESAMPLES, bootstrap_interval
from unet_lightning.metrics.summary import FIGURES

IMAGES = 20
CALLS = 5

values = np.random.default_rng(0).uniform(0.7, 0.9, (IMAGES, len(FIGURES)))
bootstrap_interval(values)
seconds = []
for _ in range(CALLS):
    start = time.perf_counter()
    bootstrap_interval(values)
    seconds.append(time.perf_counter() - start)
print(
    f"{IMAGES} images, {len(FIGURES)} figures, {RESAMPLES:,} resamples: {statistics.median(seconds):.3f} s "
    f"(median of {CALLS}; numpy {np.__version__}, {platform.machine()})"
)
