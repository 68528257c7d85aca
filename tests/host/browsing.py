"""The dashboard in a browser, over real hosts."""

from __future__ import annotations

import os
import re
import signal
import subprocess

from playwright.sync_api import Browser, Page, expect

from testbed.workspace import FAIRWAY, Workspace

_PATIENCE_MS = 60_000
# A machine that does several things at once is no reason to fail.
expect.set_options(timeout=_PATIENCE_MS)


class Ui:
    """``fairway ui`` as on a terminal of its own, and a page in it."""

    def __init__(self, work: Workspace, browser: Browser) -> None:
        self._process = subprocess.Popen(
            [str(FAIRWAY), "ui", "--port", "0", "--no-open"],
            cwd=work.path,
            env=work.environment,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        found = re.search(r"http://\S+", said)
        assert found, said
        self.page: Page = browser.new_context(base_url=found[0].partition("?")[0]).new_page()
        self.page.goto(found[0])

    def interrupt(self) -> None:
        """Press Ctrl-C on its terminal, which reaches all that belongs to it."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGINT)
        self._process.wait(timeout=30)

    def begin(self, path: str, button: str) -> None:
        """Look at a plan and begin it; wait for the deployment's page."""
        self.page.goto(path)
        self.page.get_by_role("button", name=button).click()
        self.page.wait_for_url("**/deployments/staging/*", timeout=_PATIENCE_MS)

    def wait_for(self, headline: str) -> None:
        """Wait until the page says so."""
        expect(self.page.locator("#d-head .state")).to_contain_text(headline)
