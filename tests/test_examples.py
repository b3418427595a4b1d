"""Every example runs with --quick; the README's Python runs as it stands."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_example(path, tmp_path):
    done = subprocess.run([sys.executable, path, "--quick"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert len(path.read_text().splitlines()) < 120


def test_the_readmes_python_runs(capsys):
    text = (ROOT / "README.md").read_text()
    blocks, names = re.findall(r"```python\n(.*?)```", text, re.DOTALL), {}
    assert len(blocks) == 4
    for code in blocks:
        exec(compile(code, "README.md", "exec"), names)
    assert "Grade" in capsys.readouterr().out


def test_the_guide_to_spikes_runs(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks, names = re.findall(r"```python\n(.*?)```", (ROOT / "docs/spikes_in_python.md").read_text(), re.DOTALL), {}
    for code in blocks:
        exec(compile(code, "spikes_in_python.md", "exec"), names)
    assert "of the test" in capsys.readouterr().out
    assert len(list(tmp_path.glob("*.png"))) == 5


@pytest.mark.parametrize(
    "path", [p for p in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]], ids=lambda p: p.name
)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
        assert (path.parent / target).exists(), target
