"""Every benchmark of this folder, one after the other: their tables on the terminal, and in one JSON file.

make bench
python experiments/benchmarks/bench.py --only step training --out bench.json

The file has the machine, the versions and the commit beside the tables, so that two of them can be compared. What a
benchmark needs and the machine lacks, it says itself, and the others go on; then the exit code is 1.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from unet_lightning.files import write_text
from unet_lightning.training.provenance import commit, machine, versions

NAMES = ("step", "training", "watching", "large", "memory")  # the longest last


def tables(lines: list[str]) -> list[list[dict[str, str]]]:
    """The Markdown tables among lines, each a list of rows by column."""
    found: list[list[dict[str, str]]] = []
    columns: list[str] = []
    for line in lines:
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            columns = []
        elif not columns:
            columns = cells
            found.append([])
        elif not all(set(cell) <= set("-:") for cell in cells):
            found[-1].append(dict(zip(columns, cells, strict=True)))
    return found


def run(name: str) -> dict[str, Any]:
    """Runs a benchmark; its output appears as it comes."""
    program = Path(__file__).with_name(f"{name}.py")
    print(f"\n{program.name}", flush=True)
    lines: list[str] = []
    with subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True) as started:
        for line in started.stdout or ():
            print(line, end="", flush=True)
            lines.append(line.rstrip("\n"))
    return {"exit_code": started.returncode, "tables": tables(lines)}


def main() -> None:
    """Runs them and writes the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=NAMES, choices=NAMES)
    parser.add_argument("--out", type=Path, default=Path("outputs/bench.json"))
    args = parser.parse_args()
    found = {name: run(name) for name in args.only}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    about = {"commit": commit(), "versions": versions(), "machine": machine()}
    write_text(args.out, json.dumps(about | {"benchmarks": found}, indent=1))
    print(f"\nWritten to {args.out}")
    sys.exit(any(one["exit_code"] for one in found.values()))


if __name__ == "__main__":
    main()
