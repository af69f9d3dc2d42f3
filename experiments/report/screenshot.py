"""Takes a picture of a report in Chromium, without a window and without a network.

python experiments/report/screenshot.py REPORT.html PICTURE.png --width 1280 --height 1600 --scheme light

Width and height are those of the page's window in CSS pixels; `--height 0` takes the whole page.
"""

import argparse
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
OPTIONS = (
    "--headless=new",
    "--remote-debugging-pipe",  # commands in at file descriptor 3, answers out at 4: no port is opened
    "--no-sandbox",  # the page is our own, and containers allow no sandbox
    "--disable-gpu",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


class Browser:
    """Chromium's DevTools protocol over its pipe: a JSON object and a zero byte each way."""

    def __init__(self, commands: BinaryIO, answers: BinaryIO) -> None:
        self.commands, self.answers = commands, answers
        self.sent = 0
        self.session: str | None = None

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Sends a command and waits for its answer."""
        self.sent += 1
        message = {"id": self.sent, "method": method, "params": parameters}
        self.commands.write(
            json.dumps(message | ({"sessionId": self.session} if self.session else {})).encode() + b"\0"
        )
        self.commands.flush()
        result: dict[str, Any] = self.wait(lambda answer: answer.get("id") == self.sent)["result"]
        return result

    def wait(self, wanted: Any) -> dict[str, Any]:
        """The next message for which `wanted` is true."""
        while True:
            text = bytearray()
            while (byte := self.answers.read(1)) != b"\0":
                if not byte:
                    sys.exit("error: Chromium ended before it answered: run it by hand to see why.")
                text += byte
            answer: dict[str, Any] = json.loads(text)
            if wanted(answer):
                if "error" in answer:
                    sys.exit(f"error: Chromium says: {answer['error'].get('message')}")
                return answer


def screenshot(page: Path, width: int, height: int, scheme: str) -> bytes:
    """A page as PNG.

    Args:
        page: the HTML file.
        width: CSS pixels.
        height: CSS pixels; 0 for the whole page.
        scheme: `light` or `dark`.
    """
    chromium = next(filter(None, map(shutil.which, NAMES)), None)
    if chromium is None:
        sys.exit(f"error: No Chromium on the PATH: looked for {', '.join(NAMES)}. Install one of them.")
    (commands_out, commands), (answers, answers_in) = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        pipe = f'exec "$0" "$@" 3<&{commands_out} 4>&{answers_in}'
        process = subprocess.Popen(
            ["sh", "-c", pipe, chromium, *OPTIONS, f"--user-data-dir={profile}"],
            pass_fds=(commands_out, answers_in),
            stderr=subprocess.DEVNULL,
        )
        os.close(commands_out)
        os.close(answers_in)
        try:
            with os.fdopen(commands, "wb") as to, os.fdopen(answers, "rb") as back:
                return take(Browser(to, back), page.resolve().as_uri(), width, height, scheme)
        finally:
            process.kill()
            process.wait()


def take(browser: Browser, address: str, width: int, height: int, scheme: str) -> bytes:
    """Opens a page of its own and photographs it."""
    target = browser.send("Target.createTarget", url="about:blank")["targetId"]
    browser.session = browser.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    browser.send("Page.enable")
    size = {"width": width, "height": height or 1000, "deviceScaleFactor": 1, "mobile": False}
    browser.send("Emulation.setDeviceMetricsOverride", **size)
    browser.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.send("Page.navigate", url=address)
    browser.wait(lambda answer: answer.get("method") == "Page.loadEventFired")
    if not height:
        whole = browser.send("Page.getLayoutMetrics")["cssContentSize"]
        browser.send("Emulation.setDeviceMetricsOverride", **size | {"height": int(whole["height"])})
    picture = browser.send("Page.captureScreenshot", format="png")
    return base64.b64decode(picture["data"])


def main() -> None:
    """Reads the command line and writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("page", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=1600)
    parser.add_argument("--scheme", choices=("light", "dark"), default="light")
    chosen = parser.parse_args()
    if not chosen.page.is_file():
        sys.exit(f"error: No page: looked for {chosen.page}. evaluate writes it beside metrics.json.")
    chosen.picture.write_bytes(screenshot(chosen.page, chosen.width, chosen.height, chosen.scheme))


if __name__ == "__main__":
    main()
