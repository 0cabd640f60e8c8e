"""Tasks of pictures and models that read them, both so small that they are made in a second."""

from twophase.sources.live import corpora
from twophase.sources.live.zoo import pretraining
from twophase.sources.live.zoo.recipe import Recipe
from twophase.training import tasks

SMALL = {"width": 16, "depth": 1}
TRAINED = SMALL | {"upstream": "photographs", "epochs": 1}
RECIPES = {
    "vit": Recipe("vit", "vit", **TRAINED),
    "resnet": Recipe("resnet", "resnet", **TRAINED),
    "regnet": Recipe("regnet", "regnet", **TRAINED),
    "untrained": Recipe("untrained", "vit", objective="none", head=False, **SMALL),
}


def draw(folder, names, sizes):
    """Vision tasks of the live zoos by name, each in a folder of its own."""
    for name in names:
        tasks.save(corpora.build("cv", name, sizes), folder / name)


def build(folder, names, data):
    """Models by name; `data` is the folder that holds the task photographs."""
    for name in names:
        pretraining.build(RECIPES[name], folder / name, data)
