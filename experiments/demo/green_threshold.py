"""How far a threshold on the green channel gets on the drawn test photographs, beside the network of `make demo`.

The threshold is given every advantage: vessels are the pixels darker than a level, and the level that scores best on
the test images themselves is taken. Prints the mean Dice per image of both.
"""

import json
from pathlib import Path

from unet_lightning.data.labels import IGNORE
from unet_lightning.data.synthetic import SyntheticDataset
from unet_lightning.metrics.summary import summarise

ROOT = Path(__file__).parents[2]
GREEN = 1

samples = SyntheticDataset(ROOT / "data/synthetic", "test")
targets = [sample.target for sample in samples]
levels = range(8, 160, 4)
scores = {
    level: summarise([(s.image[GREEN] < level) & (s.target != IGNORE) for s in samples], targets).mean["dice"]
    for level in levels
}
level = max(scores, key=lambda candidate: scores[candidate])
metrics = json.loads((ROOT / "outputs/demo/latest/evaluation/synthetic-test/metrics.json").read_text())
network = metrics["figures"]["model"]["mean"]["dice"]
print(f"green channel below {level}: {scores[level]:.4f}, network: {network:.4f}")
print(f"difference: {network - scores[level]:.4f}")
