"""What it costs to look at every loss, weight and gradient of a training, beside the training itself.

python experiments/benchmarks/watching.py
python experiments/benchmarks/watching.py --base-c 8 32 --epochs 2

For each width one run of `python -m unet_lightning.train experiment=quick` on drawn photographs of 584 x 565, timed by
Lightning's own profiler within that run; the first epoch, in which torch warms up, is among the epochs.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

WATCHERS = {
    "Divergence": ("on_train_batch_end", "on_train_epoch_end", "on_validation_start"),
    "GradientNorm": ("on_before_optimizer_step", "on_train_epoch_start", "on_train_epoch_end"),
}


def main() -> None:
    """Trains, and prints one row for each watcher and width."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base-c", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--epochs", type=int, default=2)
    args = parser.parse_args()
    print("| base_c | watcher | its seconds | of the epochs' seconds | share |")
    print("|---:|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for base_c in args.base_c:
            seconds = profile(Path(folder), base_c, args.epochs)
            whole = seconds["run_training_epoch"]
            for name, hooks in WATCHERS.items():
                own = sum(seconds[f"[Callback]{name}.{hook}"] for hook in hooks)
                print(f"| {base_c} | {name} | {own:.3f} | {whole:.1f} | {own / whole:.2%} |", flush=True)


def profile(folder: Path, base_c: int, epochs: int) -> dict[str, float]:
    """Total seconds of each action of a training."""
    run = folder / str(base_c)
    profiler = "+trainer.profiler={_target_: lightning.pytorch.profilers.SimpleProfiler, "
    profiler += f"dirpath: {run}, filename: profile}}"
    settings = ("experiment=quick", "data=synthetic", f"data.root={folder}/data", f"model.base_c={base_c}")
    settings += (f"trainer.max_epochs={epochs}", "trainer.check_val_every_n_epoch=1", "trainer=cpu", "score=false")
    command = [sys.executable, "-m", "unet_lightning.train", *settings, f"hydra.run.dir={run}", profiler]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    table = (run / "fit-profile.txt").read_text().splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table if line.startswith("|")]
    header = next(row for row in rows if row[0] == "Action")
    total = header.index("Total time (s)")
    return {row[0]: float(row[total]) for row in rows if row[0] not in ("Action", "Total")}


if __name__ == "__main__":
    main()
