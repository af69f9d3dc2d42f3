"""Feeds files to the package: each must end in success or in an error that a person can mend.

    DRIVE_ROOT=... CHASE_DB1_ROOT=... python experiments/reliability/fuzz.py --inputs 30000 --out outputs/fuzz

Most are spoilt. Of others, drawn in every form that programs write, it is known what they show: none may be read wrong.
Inputs are read in a process of their own, which is ended after 5 seconds of work, or 1 GB more memory than before.
What fails is kept below --out with the line that repeats it.
"""

import argparse
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

LONGEST = 5.0  # seconds of work
MOST_MEMORY = 1000.0  # MB above what the process had before the input
PATIENCE = 60.0  # seconds of the clock, on a machine that has other things to do
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Tally:
    """What became of the inputs of a target."""

    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    memory: float = 0.0


def work(connection: Connection, paths: dict[str, Any]) -> None:
    """The process that reads inputs: takes (target, seed), gives (outcome, seconds, MB, what it was)."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nothing, stream)  # libraries write there from C
    os.chdir(paths["home"])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (24 * 1024**3, 24 * 1024**3))  # beyond the limit that is measured
    import torch
    from drawn import ReadWrong
    from targets import Material, Refused, canary, one_input

    from unet_lightning.errors import UserError

    torch.set_num_threads(1)
    material = Material(**{name: paths[name] for name in ("drive", "chase", "run", "work")})
    connection.send("ready")
    while (task := connection.recv()) is not None:
        try:
            read = one_input(material, *task)
        except Exception:  # of the fuzzer itself
            connection.send(("broken fuzzer", 0, 0, traceback.format_exc()))
            return
        before = _memory("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        started, said = time.process_time(), ""
        try:
            read()
            outcome = "ok"
        except (UserError, Refused) as error:
            outcome, said = "refused", str(error)
        except ReadWrong as error:
            outcome, said = "read wrong", str(error)
        except BaseException:
            outcome, said = "traceback", traceback.format_exc()
        seconds, grown = time.process_time() - started, _memory("VmHWM") - before
        if canary().exists() or (material.work / canary().name).exists():
            outcome, said = "code was run", said
            canary().rmdir()
        elif grown > MOST_MEMORY:
            outcome = "memory"
        elif seconds > LONGEST:
            outcome = "slow"
        connection.send((outcome, seconds, grown, said))


def _memory(line: str, pid: int | str = "self") -> float:
    """Resident memory of a process, or its peak, MB."""
    for text in Path(f"/proc/{pid}/status").read_text().splitlines():
        if text.startswith(line + ":"):
            return int(text.split()[1]) * 1024 / 1e6
    return 0.0


def _worked(pid: int) -> float:
    """Seconds that a process has worked."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Worker:
    """The process, started again where an input has ended it."""

    def __init__(self, paths: dict[str, Any]) -> None:
        self.paths = paths
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=work, args=(other, self.paths), daemon=True)
        self.process.start()
        other.close()
        self.connection.recv()

    def feed(self, target: str, seed: int) -> tuple[str, float, float, str]:
        """What became of an input."""
        pid = self.process.pid
        assert pid is not None
        self.connection.send((target, seed))
        worked, memory, started = _worked(pid), _memory("VmRSS", pid), time.monotonic()
        while not self.connection.poll(0.2):
            if not self.process.is_alive():
                return self._again("crash", 0, 0)
            seconds, grown = _worked(pid) - worked, _memory("VmRSS", pid) - memory
            if seconds > LONGEST + 1 or time.monotonic() - started > PATIENCE:
                return self._again("hang", seconds, grown)
            if grown > 4 * MOST_MEMORY:
                return self._again("memory", seconds, grown)
        try:
            result: tuple[str, float, float, str] = self.connection.recv()
        except EOFError:
            return self._again("crash", 0, 0)
        return result

    def _again(self, outcome: str, seconds: float, grown: float) -> tuple[str, float, float, str]:
        self.process.kill()
        self.process.join()
        self._start()
        return outcome, seconds, grown, f"the process ended with {self.process.exitcode}"

    def close(self) -> None:
        """Lets the process end."""
        self.connection.send(None)
        self.process.join(10)


def fuzz(paths: dict[str, Any], inputs: int, seed: int, out: Path, only: str) -> dict[str, Tally]:
    """Feeds every target its share.

    Args:
        paths: home, drive, chase, run and work.
        inputs: of all targets together.
        seed: of the first input of each target; the next have the next numbers.
        out: gets what failed.
        only: targets with this in their name.
    """
    from targets import TARGETS

    shares = {name: share for name, (_, share) in TARGETS.items() if only in name}
    tallies: dict[str, Tally] = {}
    worker = Worker(paths)
    for name, share in shares.items():
        tally = tallies.setdefault(name, Tally())
        for number in range(seed, seed + max(1, inputs * share // sum(shares.values()))):
            outcome, seconds, grown, said = worker.feed(name, number)
            if outcome == "broken fuzzer":
                raise RuntimeError(said)
            tally.outcomes[outcome] += 1
            tally.slowest, tally.memory = max(tally.slowest, seconds), max(tally.memory, grown)
            if outcome not in ("ok", "refused"):
                kept = out / f"{outcome} {name.replace(':', '')} {number}"
                shutil.copytree(paths["work"], kept, dirs_exist_ok=True, symlinks=True)
                repeat = f"python experiments/reliability/fuzz.py --inputs 1 --seed {number} --only '{name}'"
                (kept / "said.txt").write_text(f"{repeat}\n{seconds:.2f} s, {grown:.0f} MB\n{said}\n", errors="replace")
        print(f"{name}: {dict(tally.outcomes)}", file=sys.stderr, flush=True)
    worker.close()
    return tallies


def table(tallies: dict[str, Tally]) -> str:
    """The result as a table."""
    lines = ["| target | inputs | ok | refused | failures | slowest, s | most memory, MB |", "|---|" + "---:|" * 6]
    whole = Tally()
    for name, tally in [*tallies.items(), ("all", whole)]:
        count = sum(tally.outcomes.values())
        failures = count - tally.outcomes["ok"] - tally.outcomes["refused"]
        figures = [count, tally.outcomes["ok"], tally.outcomes["refused"], failures]
        figures += [f"{tally.slowest:.2f}", f"{tally.memory:.0f}"]
        lines.append(f"| {name} | {' | '.join(map(str, figures))} |")
        whole.outcomes += tally.outcomes
        whole.slowest, whole.memory = max(whole.slowest, tally.slowest), max(whole.memory, tally.memory)
    return "\n".join(lines)


def trained_run(folder: Path) -> Path:
    """A run of seconds on the drawn photographs of this folder, evaluated."""
    tiny = ["trainer=cpu", "model.base_c=2", "data.repeats=1", "data.augment.crop=32", "trainer.max_epochs=2"]
    place = [f"hydra.run.dir={folder / 'run'}", f"data.root={folder / 'DRIVE'}"]
    program = [sys.executable, "-m"]
    subprocess.run([*program, "unet_lightning.train", *tiny, *place], check=True, cwd=folder)
    subprocess.run(
        [*program, "unet_lightning.evaluate", f"run={folder / 'run'}", "report=false"], check=True, cwd=folder
    )
    return folder / "run"


def main() -> None:
    """The program; its exit code is 1 where anything failed."""
    parser = argparse.ArgumentParser(description="Feeds spoilt and odd files to the package.")
    parser.add_argument("--inputs", type=int, default=30_000, help="of all targets together (30000)")
    parser.add_argument("--seed", type=int, default=0, help="number of the first input of each target (0)")
    parser.add_argument("--only", default="", help="targets with this in their name")
    parser.add_argument("--out", type=Path, default=Path("outputs/fuzz"), help="gets what fails (outputs/fuzz)")
    parser.add_argument("--run", type=Path, help="an evaluated run folder; else one is trained")
    args = parser.parse_args()
    from unet_lightning.data.synthetic import draw_dataset

    os.environ |= {"OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        draw_dataset(home / "DRIVE", seed=0, size=(48, 46))
        run = trained_run(home) if args.run is None else args.run.resolve()
        drive, chase = os.environ.get("DRIVE_ROOT"), os.environ.get("CHASE_DB1_ROOT")
        paths = {
            "home": home,
            "drive": Path(drive) if drive else home / "DRIVE",
            "chase": Path(chase) if chase else None,
            "run": run,
            "work": home / "work",
        }
        paths["work"].mkdir()
        tallies = fuzz(paths, args.inputs, args.seed, args.out, args.only)
    print(table(tallies))
    sys.exit(any(tally.outcomes.keys() - {"ok", "refused"} for tally in tallies.values()))


if __name__ == "__main__":
    main()
