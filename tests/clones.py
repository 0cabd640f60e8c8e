"""A clone of the working tree in which the pipeline can run."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[1]
DOMAINS = ("cv", "nlp")
PIPELINE = [
    *(f"{stage}@{domain}" for stage in ("records", "proxies") for domain in DOMAINS),
    "manifest",
]  # no notebooks


def remade() -> bool:
    """Whether results were made anew here: they differ from those that git holds by more than their seconds may."""
    git = ["git", "-C", str(ROOT), "diff", "--quiet", "HEAD", "--", *(f"results/{d}/models.csv" for d in DOMAINS)]
    records = [f"results/{domain}/choices.csv" for domain in DOMAINS]
    return subprocess.run([*git, *records], capture_output=True).returncode == 1


class Project:
    """A clone with a store of its own."""

    def __init__(self, folder, store):
        self.folder, self.store = folder, store

    def environment(self, **more):
        # git's own variables (of a hook, say) would lead the clone's git to the outer repository
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "DVC_"))}
        own = {
            "PYTHONPATH": str(self.folder / "src"),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "TWOPHASE_CACHE": str(self.store),
            "TWOPHASE_WORKERS": "2",
            "DVC_NO_ANALYTICS": "1",
        }
        return kept | own | more

    def run(self, *command, code=0, **more):
        done = subprocess.run(
            [*map(str, command)],
            cwd=self.folder,
            env=self.environment(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )
        assert done.returncode == code, done.stdout[-6000:]
        return done.stdout

    def dvc(self, *arguments, **options):
        return self.run(sys.executable, "-m", "dvc", *arguments, **options)

    def params(self, *overrides):
        self.run(sys.executable, "-m", "twophase", "params", "profile=smoke", "cards=none", *overrides)

    def git(self, *arguments):
        return self.run("git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments)

    def cells(self, kind="cells"):
        """Entry -> when it was written."""
        found = (self.store / kind).glob("*/*.json")
        return {path.name: path.stat().st_mtime_ns for path in found if not path.name.startswith(".")}

    def table(self, name, domain="cv"):
        return pd.read_csv(self.folder / "results" / domain / f"{name}.csv").drop(
            columns=["seconds", "loading", "forward", "scoring"], errors="ignore"
        )

    def records(self, domain="cv"):
        return self.table("records", domain)

    def changed(self):
        """Stages that `dvc repro` would run because of what they read; those of published records are not among them."""
        found = json.loads(self.dvc("status", "--json"))
        return {stage for stage in found if not stage.startswith("notebooks/published/")} - {"check"}

    def copy(self, folder):
        shutil.copytree(self.folder, folder / "project", symlinks=True)
        shutil.copytree(self.store, folder / "store")
        return Project(folder / "project", folder / "store")


def clone(folder):
    """The working tree with its uncommitted changes, as a repository of its own."""
    folder.mkdir()
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    for name in filter(None, names):
        made = name.startswith("results/") and not name.startswith(("results/ablations.csv", "results/bench/"))
        if (ROOT / name).is_file() and not made:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / "dvc.lock").unlink(missing_ok=True)
