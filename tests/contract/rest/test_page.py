"""The pages in a real browser, where there is one."""

import re
import shutil
import subprocess

import pytest

BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)


pytestmark = [pytest.mark.soak, pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")]


def look(desk, folder, address):
    done = subprocess.run(
        [
            BROWSER,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={folder}",
            "--virtual-time-budget=4000",
            "--dump-dom",
            f"{desk.hub.url}{address}",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "Looking…" not in done.stdout and "does not answer" not in done.stdout
    assert "Content Security Policy" not in done.stderr
    return done.stdout


def test_shows_the_figures_and_every_system(desk, tmp_path):
    desk.join(points=3)
    shown = look(desk, tmp_path, "/")
    for title in ("In-house CRM", "Shop", "portal"):
        assert title in shown
    assert re.search(r'id="trial_balance"[^>]*>0<', shown)


def test_describes_every_route(desk, tmp_path):
    shown = look(desk, tmp_path, "/api")
    for path in desk.bare.get("/v1/openapi.json").json()["paths"]:
        assert f"<code>{path}</code>" in shown
