"""The order of `make repro`; that it runs is tested in test_dvc.py."""

import subprocess
import sys

from twophase import repro


def test_domains_are_analysed_side_by_side_and_what_needs_both_comes_last():
    stages = ["check", "zoo@cv", "zoo@nlp", "proxies@cv", "proxies@nlp", "claims@cv", "claims@nlp", "01_models@cv",
              "09_claims", "15_your_own_data@cv", "manifest"]  # fmt: skip
    assert repro.order(stages) == (
        ["check", "zoo@cv", "zoo@nlp", "proxies@cv", "proxies@nlp"],
        [["claims@cv", "01_models@cv"], ["claims@nlp"]],
        ["09_claims", "15_your_own_data@cv", "manifest"],
    )


def fake(monkeypatch, codes):
    """DVC as a program that ends with the code of the first of its stages that has one."""
    ran = []
    script = f"import sys; codes = {codes!r}; sys.exit(next((codes[a] for a in sys.argv if a in codes), 0))"
    honest = subprocess.Popen

    class Popen(honest):
        def __init__(self, command, **options):
            if "list" in command:
                command = [sys.executable, "-c", "print('check a@cv a@nlp z')"]
            else:
                ran.append((command[5:], options.get("env", {}).get("TWOPHASE_WORKERS")))
                command = [sys.executable, "-c", script, *command[5:]]
            super().__init__(command, **options)

    monkeypatch.setattr(subprocess, "Popen", Popen)
    monkeypatch.setenv("TWOPHASE_WORKERS", "4")
    return ran


def test_workers_are_shared_out(monkeypatch):
    ran = fake(monkeypatch, {})
    assert repro.main(["--force"]) == 0
    assert ran == [(["--force", "--single-item", "check"], None), (["--force", "--single-item", "a@cv"], "2"),
                   (["--force", "--single-item", "a@nlp"], "2"), (["--force", "--single-item", "z"], None)]  # fmt: skip


def test_the_code_of_what_failed_and_nothing_after_it(monkeypatch):
    ran = fake(monkeypatch, {"a@nlp": 3})
    assert repro.main([]) == 3
    assert [stages for stages, _ in ran] == [["check"], ["a@cv"], ["a@nlp"]]
