"""A further process of a run on one machine, as the first one starts it: its orders come in as JSON."""

import json
import sys
from pathlib import Path

from unet_lightning import specs
from unet_lightning.errors import Stopped, UserError
from unet_lightning.text import as_message, speak_plainly


def main() -> None:
    """Trains what the first process trains; the exit code says how it ended."""
    speak_plainly()
    order = json.load(sys.stdin)
    specs.trust(order["trusted"])
    from unet_lightning.training.build import build_run
    from unet_lightning.training.run import train

    checkpoint = None if order["checkpoint"] is None else Path(order["checkpoint"])
    try:
        run = build_run(order["config"], Path(sys.argv[1]), checkpoint)
        train(run.data, run.task, run.trainer, checkpoint)
    except UserError as error:
        print(f"error: {as_message(error)}", file=sys.stderr, flush=True)
        sys.exit(1)
    except Stopped as stopped:
        sys.exit(stopped.exit_code)


if __name__ == "__main__":
    main()
