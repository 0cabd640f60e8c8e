"""The command line: `twophase VERB [argument] key=value …`.

Exit code 0, 2 for what the user can mend (one line on stderr), 130 for Ctrl-C, 141 if nobody reads on what it prints.
"""

import argparse
import os
import sys
from pkgutil import resolve_name
from typing import NoReturn

from twophase import __version__
from twophase.errors import exit_code, refused

# the module whose function run_VERB does it, imported when it is called, so that --help answers at once; else verbs.py
HOMES = {"select": "select.run", "matrix": "matrix.running", "models": "zoos", "tasks": "zoos"}

CLOSED = 141  # as of a process that a closed pipe ends

EXAMPLES = """examples:
  twophase select reviews.csv task.text=review task.label=stars
                                           select a model for your own task, and fine-tune it
  twophase params                          compose conf/ into params.yaml (what `make params` does)
  twophase params profile=smoke            the same with overrides, which params.yaml remembers
  twophase params proxy=logme --stdout     look at a configuration without writing it
  twophase records list                    other groups' fine-tuning records, and which of them are here
  twophase records get model-recycling     download one source (all without a name), check and count it
  twophase models list                     the zoo and how each model is made
  twophase doctor                          is everything here, and is params.yaml in step with conf/?

TWOPHASE_CACHE names the folder or URL of the cell store, TWOPHASE_COMPUTE where is computed ("compute=ray", see
conf/compute/), TWOPHASE_WORKERS the number of processes, TWOPHASE_MIRROR a folder to read published records from instead
of downloading them.
"""

SELECT = """examples:
  twophase select reviews.csv                                    the columns are guessed, and the guess is printed
  twophase select reviews.csv task.text=review task.label=stars
  twophase select photos/                                        one folder of pictures a class
  twophase select data/ out=runs/first                           a folder with train.json, test.json
  twophase select pairs.csv task.text=question task.text_pair=answer
  twophase select reviews.csv budget.minutes=10                  end in time, with the best model so far
  twophase select reviews.csv zoo=folder zoo.path=my-models/

Method: method=leader looks at the models that could win and trains the one that leads, until no epoch promises more than
leader.price=0.001 of accuracy; method=two_phase is the paper's; halving and brute_force train every model. Without one it is
the leader where enough is known of the models and no setting of the two phases (recall.top, proxy …) is named, else these.
Keys (conf/select.yaml): task.path, .text, .text_pair, .label, .test, .validation, .max_rows, .max_missing; zoo, proxy;
recall.top; budget.minutes, .epochs; training.epochs, .learning_rate; selection.threshold; metric (accuracy, macro_f1,
balanced_accuracy, weighted_f1, matthews); seed; hardware; out; overwrite. A path that stands first is task.path, and tells
the kind of task. Paths and columns are taken as they are written; quote them for the shell alone
('task.path=my file (1).csv'). Stopped with Ctrl-C it saves the best model so far; the same command goes on.
"""

MATRIX = """examples:
  twophase matrix plan matrix.models=my-models/ matrix.tasks=my-tasks/
                                           folders of save_pretrained models, and files or folders of tasks
  twophase matrix run matrix.models=my-models/ matrix.tasks=my-tasks/ matrix.datasets.reviews.label=stars
                                           my-models/records.csv, which select zoo=folder zoo.path=my-models/ reads
  twophase matrix plan matrix=hub_nlp gpus=8                    the paper's 40 text models on 25 datasets: hours, disk
  twophase matrix run matrix=hub_nlp compute=ray compute.gpus_per_task=0.5
  twophase matrix run matrix=hub_cv 'only.models=[google/vit-base-patch16-224]' 'only.datasets=[beans]'
  twophase matrix plan matrix=hub 'matrix.models=[org/a,org/b]' matrix.datasets.mine.path=org/data

plan trains and downloads nothing (of a hub it asks for listings; ask=false: not even that); run prints the plan and starts.
Killed or stopped, the same command goes on with what is missing. Keys (conf/matrix.yaml): matrix.*, only.models,
only.datasets, hardware (cpu, gpu, auto), hardware.precision, .micro_batch; compute; estimate.*; gpus; ask; out; seed.
"""

MODELS = """examples:
  twophase models list                          the live zoos, and what you have added
  twophase models show bert-libraries           its folder, and its score on every benchmark dataset
  twophase models add ./my-model name=mine      a folder written by save_pretrained: its cells alone are trained
  twophase models add org/name@revision         brought from a hub first
"""

TASKS = """examples:
  twophase tasks list                                       datasets, roles, sizes
  twophase tasks save media_code media/                     one of them as files, to try select on
  twophase tasks add task.path=reviews.csv name=reviews     a benchmark dataset of your own: every model is trained on it
"""

EPILOGS = {"select": SELECT, "matrix": MATRIX, "models": MODELS, "tasks": TASKS}
ACTIONS = {
    "models": ["list", "add", "show", "remove"],
    "proxies": ["list"],
    "tasks": ["list", "add", "save", "remove"],
    "records": ["list", "get"],
    "matrix": ["plan", "run"],
}


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def parser() -> Parser:
    """The whole grammar."""
    top = Parser(
        prog="twophase",
        description="Find the pre-trained model worth fine-tuning: coarse recall, then fine-selection.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"twophase {__version__}")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=Parser)

    def verb(name: str, text: str, overrides: bool = True) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if name in ACTIONS:
            only = {"nargs": "?", "default": "list"} if ACTIONS[name] == ["list"] else {}
            added.add_argument("action", choices=ACTIONS[name], **only)
        if name in EPILOGS:
            added.epilog, added.formatter_class = EPILOGS[name], argparse.RawDescriptionHelpFormatter
        if overrides:
            added.add_argument("overrides", nargs="*", metavar="key=value", help="override of the configuration")
        return added

    verb("select", "select a model for your own labelled task, and fine-tune it")
    verb("matrix", "fine-tune every model of a list on every dataset of a list, or plan it: cells, hours, disk")
    verb("params", "write params.yaml from conf/").add_argument(
        "--stdout", action="store_true", help="print it instead; works anywhere"
    )
    verb(
        "models", "list the models of the live zoos, show one, add one of your own, or remove it", overrides=False
    ).add_argument(
        "given",
        nargs="*",
        metavar="folder | id | name | key=value",
        help="a model to add (its folder, or its id on a hub: org/name), to show or to remove (its name); name=…",
    )
    verb("proxies", "list the proxy scores", overrides=False)
    verb(
        "tasks",
        "list the datasets and their roles, add a benchmark dataset (task.path=…, name=…) or remove it (NAME), or save one as files (NAME FOLDER)",
    )
    verb("records", "list published fine-tuning records, or get them", overrides=False).add_argument(
        "given", nargs="*", metavar="source | key=value", help="sources to get, and overrides (published.mirror=folder)"
    )
    verb("doctor", "report versions, machine, cache, data and whether params.yaml is in step", overrides=False)
    verb(
        "clean", "remove every kept result from the cell store, but nothing that you added", overrides=False
    ).add_argument("--yes", action="store_true", help="do not ask")
    return top


@exit_code()
def main(arguments: list[str] | None = None) -> int | None:
    """Run the command line; returns the exit code."""
    try:
        if hasattr(sys.stdout, "reconfigure"):  # what an encoding lacks is written as \xb1
            sys.stdout.reconfigure(errors="backslashreplace")
        given = parser().parse_args(arguments)
        run = resolve_name(f"twophase.commands.{HOMES.get(given.verb, 'verbs')}:run_{given.verb}")
        code = run(given)
        if sys.stdout:
            sys.stdout.flush()  # here, where an output that cannot be written is no success
        return code
    except BrokenPipeError:
        # keep Python from complaining again when it closes the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED
    except OSError as error:
        raise refused(error) from error
