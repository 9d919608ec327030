"""The status page in a real browser, where there is one."""

import re
import shutil
import subprocess

import pytest

BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)


@pytest.mark.soak
@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
def test_shows_the_figures_and_every_system(desk, tmp_path):
    desk.join(points=3)
    done = subprocess.run(
        [
            BROWSER,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path}",
            "--virtual-time-budget=4000",
            "--dump-dom",
            f"{desk.hub.url}/",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "Looking…" not in done.stdout and "does not answer" not in done.stdout
    for title in ("In-house CRM", "Shop", "portal"):
        assert title in done.stdout
    assert re.search(r'id="trial_balance"[^>]*>0<', done.stdout)
    assert "Content Security Policy" not in done.stderr
