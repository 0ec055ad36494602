"""A headless Chromium, driven over a pipe by its DevTools protocol: no driver and no port are needed."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe", "about:blank",
)  # fmt: skip
READS, WRITES = 3, 4  # the descriptors that Chromium talks over
WITHOUT = "no Chromium is installed (apt-get install chromium)"


def executable() -> str | None:
    """The first Chromium on the path."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """A tab. ``events`` are those that came while it was waited for something else."""

    def __init__(self, to: Any, back: Any) -> None:
        self.to, self.back, self.session, self.sent = to, back, "", 0
        self.events: list[dict[str, Any]] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **params: Any) -> Any:
        """The answer to a command. Raises RuntimeError if it is an error."""
        self.sent += 1
        message = {"id": self.sent, "method": method, "params": params}
        self.to.write(json.dumps(message | ({"sessionId": self.session} if self.session else {})).encode() + b"\0")
        self.to.flush()
        while (answer := self._next()).get("id") != self.sent:
            self.events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def _next(self) -> dict[str, Any]:
        letters = bytearray()
        while (letter := self.back.read(1)) != b"\0":
            if not letter:
                raise RuntimeError("Chromium has ended")
            letters += letter
        answer: dict[str, Any] = json.loads(letters)
        return answer

    def open(self, path: Path, width: int, height: int, scheme: str) -> None:
        """Load a file in a window of this size, light or dark, and wait for it."""
        self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.events.clear()
        self.ask("Page.navigate", url=path.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next())

    def value(self, expression: str) -> Any:
        """What an expression gives, promises waited for. Raises RuntimeError if it throws."""
        result = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(str(result["exceptionDetails"]))
        return result["result"].get("value")

    def screenshot(self) -> bytes:
        """The window as a PNG."""
        return base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])

    def complaints(self) -> list[dict[str, Any]]:
        """What the page said on its console, what it threw, and what it asked the network for, its own file not."""
        found = []
        for event in self.events:
            method, params = event.get("method"), event.get("params", {})
            own = method == "Network.requestWillBeSent" and params["type"] == "Document"
            if method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded") or (
                method == "Network.requestWillBeSent" and not own
            ):
                found.append(event)
        return found


@contextmanager
def chromium() -> Iterator[Page]:
    """A tab of a browser that ends with the block."""
    path = executable()
    if path is None:
        raise RuntimeError(WITHOUT)
    to_read, to_write = os.pipe()
    back_read, back_write = os.pipe()

    def take_places() -> None:
        ends = os.dup(to_read), os.dup(back_write)
        for end, place in zip(ends, (READS, WRITES), strict=True):
            os.dup2(end, place)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [path, *FLAGS[:-1], f"--user-data-dir={folder}", FLAGS[-1]]
        process = subprocess.Popen(
            command,
            preexec_fn=take_places,
            pass_fds=(READS, WRITES),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(back_write)
        try:
            with os.fdopen(to_write, "wb") as to, os.fdopen(back_read, "rb") as back:
                yield Page(to, back)
        finally:
            process.terminate()
            process.wait(10)
