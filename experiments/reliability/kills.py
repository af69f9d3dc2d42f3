"""Kills a training again and again, and compares what it comes to with one that was never stopped.

    python experiments/reliability/kills.py --kills 20

Half of the kills come at a random moment, half while a checkpoint is being written. Each trial is killed once or twice,
then left to end. `kill -9` gives a process no time for anything. Trials take the cases in turn: alone,
with loading processes, with an end by optimizer steps within an epoch or at the end of one, on two ranks.
"""

import argparse
import csv
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

SIZE = (96, 92)  # (height, width) of the drawn photographs, pixels
EPOCHS = 6  # of eight steps
CASES: dict[str, list[str]] = {
    "alone": [],
    "workers": ["data.num_workers=2"],
    "steps": [f"trainer.max_steps={8 * EPOCHS - 3}", f"trainer.max_epochs={2 * EPOCHS}"],
    "steps, workers": [f"trainer.max_steps={8 * EPOCHS}", f"trainer.max_epochs={2 * EPOCHS}", "data.num_workers=1"],
    "ranks, workers": ["trainer=ddp_cpu", "data.num_workers=1", "data.batch_size=4"],
}
PATIENCE = 300.0  # seconds for one training


def main() -> None:
    """Trains once undisturbed, then with kills, and prints a row for each trial."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--folder", type=Path, default=Path("outputs/kills"))
    args = parser.parse_args()
    from unet_lightning.data.synthetic import draw_dataset

    shutil.rmtree(args.folder, ignore_errors=True)
    root = args.folder.absolute() / "DRIVE"
    draw_dataset(root, seed=0, size=SIZE)
    chance, kills, trial, alike = random.Random(args.seed), 0, 0, 0
    while kills < args.kills:
        case = args.cases[trial % len(args.cases)]
        whole = args.folder / f"whole-{args.cases.index(case)}"
        if not whole.exists():
            began = time.monotonic()
            finish(start(whole, root, CASES[case]))
            print(
                f"{case}, undisturbed: {time.monotonic() - began:.1f} s, {len(rows(whole))} epochs, "
                f"Dice of validation {rows(whole)[-1]['val/dice_per_image'][:6]}",
                flush=True,
            )
        run = args.folder / f"trial-{trial}"
        said = []
        for _ in range(min(chance.choice((1, 2)), args.kills - kills)):
            writing = kills % 2 == 1
            process = start(run, root, CASES[case])
            begun = len(rows(run))
            if begun == EPOCHS or not wait(process, run, chance.randint(begun, EPOCHS - 1), writing, chance.random()):
                break  # it was done before
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            said.append(f"{'writing' if writing else 'random'} after {len(rows(run))} epochs")
            for checkpoint in (run / "checkpoints").glob("[!.]*.ckpt"):
                torch.load(checkpoint, weights_only=True)  # a torn one raises
        finish(start(run, root, CASES[case]))
        same = equal(run, whole)
        alike += same
        print(
            f"trial {trial} ({case}): killed {'; '.join(said) or 'too late'}: {'the same' if same else 'DIFFERENT'}",
            flush=True,
        )
        trial += 1
    print(f"{kills} kills in {trial} trials, {alike} ended with the same bits and rows")
    sys.exit(alike != trial)


def start(run: Path, root: Path, settings: Sequence[str]) -> subprocess.Popen[bytes]:
    """Begins, or goes on."""
    command = [sys.executable, "-m", "unet_lightning.train", f"data.root={root}", "trainer=cpu", "callbacks=ema"]
    command += [
        "model.base_c=4",
        "data.augment.crop=64",
        "data.repeats=4",
        f"trainer.max_epochs={EPOCHS}",
        "trainer.deterministic=true",
    ]
    command += ["trainer.enable_progress_bar=false", f"hydra.run.dir={run}", "resume=auto", *settings]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[bytes]) -> None:
    """Lets a training end; what it says is shown where it fails."""
    _, errors = process.communicate(timeout=PATIENCE)
    if process.returncode:
        sys.exit(errors.decode())


def wait(process: subprocess.Popen[bytes], run: Path, epochs: int, writing: bool, share: float) -> bool:
    """Until a share of the epoch after some epochs has passed, or a checkpoint is half written.

    Returns:
        whether the process still runs then.
    """
    while process.poll() is None and len(rows(run)) < epochs:
        time.sleep(0.005)
    began, last = time.monotonic(), (rows(run) or [{"seconds": "1"}])[-1]
    while process.poll() is None:
        half_written = any(name.startswith(".") for name in listed(run / "checkpoints"))
        if half_written if writing else time.monotonic() - began > share * float(last["seconds"]):
            return True
        time.sleep(0.0002)
    return False


def listed(folder: Path) -> list[str]:
    """The names in a folder; none where there is none."""
    try:
        return os.listdir(folder)
    except OSError:
        return []


def rows(run: Path) -> list[dict[str, str]]:
    """metrics.csv."""
    try:
        with (run / "metrics.csv").open() as file:
            return list(csv.DictReader(file))
    except OSError:
        return []


def equal(run: Path, other: Path) -> bool:
    """Whether two runs have the same bits in their weights, optimizer, average and scheduler, and the same rows."""
    for name in ("best", "last"):
        first, second = (torch.load(one / f"checkpoints/{name}.ckpt", weights_only=True) for one in (run, other))
        parts = ("state_dict", "optimizer_states", "lr_schedulers", "averaging_state", "current_model_state")
        if not all(same(first.get(part), second.get(part)) for part in parts):
            return False
    kept = [[{name: text for name, text in row.items() if name != "seconds"} for row in rows(r)] for r in (run, other)]
    return kept[0] == kept[1]


def same(first: object, second: object) -> bool:
    """Equal, tensors bit by bit."""
    if isinstance(first, torch.Tensor) and isinstance(second, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(same, first, second))
    return first == second


if __name__ == "__main__":
    main()
