"""Does a long life leak? Watches memory, open files and processes of many short runs, or of one long training.

python experiments/reliability/soak.py runs --number 300
python experiments/reliability/soak.py hours --hours 2
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

SIZE = (96, 92)  # (height, width) of the drawn photographs, pixels
EVERY = 1.0  # seconds between two looks


def main() -> None:
    """Draws photographs, starts the program, and prints what it held on to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["runs", "hours"])
    parser.add_argument("--number", type=int, default=300, help="short runs in one sweep")
    parser.add_argument("--hours", type=float, default=2.0, help="of training")
    parser.add_argument("--folder", type=Path, default=Path("outputs/soak"))
    args = parser.parse_args()
    from unet_lightning.data.synthetic import draw_dataset

    root = args.folder.absolute() / "DRIVE"
    if not root.exists():
        draw_dataset(root, seed=0, size=SIZE)
    command = [sys.executable, "-m", "unet_lightning.train", f"data.root={root}", "trainer=cpu", "model.base_c=4"]
    command += ["data.augment.crop=64", "trainer.enable_progress_bar=false", "scheduler=none"]
    out = args.folder / time.strftime("%Y-%m-%d_%H-%M-%S")
    if args.what == "runs":
        seeds = ",".join(map(str, range(args.number)))
        command += ["-m", "trainer.max_epochs=1", "data.repeats=1", f"hydra.sweep.dir={out}", f"seed={seeds}"]
    else:
        minutes = round(args.hours * 60)
        command += ["trainer.max_epochs=1000000", f"trainer.max_time=00:{minutes // 60:02}:{minutes % 60:02}:00"]
        command += [f"hydra.run.dir={out}"]
    out.mkdir(parents=True)
    with (out / "said.txt").open("w") as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        looks = watch(process, out)
    print(f"exit code {process.returncode}, {time.strftime('%H:%M:%S', time.gmtime(looks[-1][0]))}")
    print(f"{'':>12} | memory, MB | open files | threads | processes")
    length = len(looks)
    for share in (0.05, 0.25, 0.5, 0.75, 1.0):
        part = looks[max(0, int(length * (share - 0.05))) : max(1, int(length * share))]
        memory, files, threads, processes = (max(look[column] for look in part) for column in (1, 2, 3, 4))
        print(f"{part[-1][5]:>12} | {memory:10.1f} | {files:10} | {threads:7} | {processes:9}")


def watch(process: subprocess.Popen[bytes], out: Path) -> list[tuple[float, float, int, int, int, str]]:
    """Seconds, resident memory in 10^6 bytes, open files, threads, processes and progress, until the program ends."""
    began, looks = time.monotonic(), []
    while process.poll() is None:
        time.sleep(EVERY)
        try:
            home = Path(f"/proc/{process.pid}")
            pages = int((home / "statm").read_text().split()[1])
            files, threads = len(os.listdir(home / "fd")), len(os.listdir(home / "task"))
        except (OSError, IndexError):  # it has just ended
            break
        memory = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
        looks.append((time.monotonic() - began, memory, files, threads, family(process.pid), progress(out)))
    process.wait()
    return looks


def family(pid: int) -> int:
    """How many processes there are below one, itself among them."""
    parents = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                # After the name, which may hold spaces: state, parent.
                parents[int(entry.name)] = int(Path(entry.path, "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:  # it has just ended
                continue
    found, more = {pid}, {pid}
    while more := {child for child, parent in parents.items() if parent in more} - found:
        found |= more
    return len(found)


def progress(out: Path) -> str:
    """Jobs begun, or epochs done."""
    jobs = sum(path.name.isdigit() for path in out.iterdir())
    if jobs:
        return f"run {jobs}"
    try:
        return f"epoch {sum(1 for _ in (out / 'metrics.csv').open()) - 1}"
    except OSError:
        return "start"


if __name__ == "__main__":
    main()
