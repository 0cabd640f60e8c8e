"""What is said of clusters that tell little, and which normalisation counts."""

import pytest

from twophase.clustering import cluster_models
from twophase.commands.select import inputs, recalling, settings
from twophase.training import tasks


@pytest.fixture(scope="module")
def task(pictures, tmp_path_factory):
    _, photos = pictures
    read = inputs.read_task(settings.compose([f"task.path={photos}", "task=image_folder"]).task)
    return tasks.save(read.task, tmp_path_factory.mktemp("task"))


@pytest.mark.parametrize(
    ("cut", "said", "how"),
    [
        (0.0, [], "All 4 models scored by LEEP, since each of the 4 models is a cluster of its own"),
        (
            1.0,
            ["one cluster holds 4 of the 4 models, so that one proxy score stands for most of them"],
            "1 representatives of 1",
        ),
    ],
)
def test_degenerate_clusters_are_said(pictures, task, cut, said, how):
    zoo, photos = pictures
    given = settings.compose(
        [f"task.path={photos}", "task=image_folder", "zoo=folder", f"zoo.path={zoo}", f"zoo.cut={cut}", "proxy=leep"]
    )
    candidates = inputs.open_candidates(given.zoo, given.training, "image", print)
    lines = []
    found = recalling.recall(given, candidates, task, lines.append, progress=False)
    assert (
        found.how.startswith(how)
        and found.normalization == candidates.normalization == settings.usual("image").normalization
    )
    assert len(lines) == len(said) and all(line.startswith(start) for line, start in zip(lines, said, strict=True))


def test_a_folder_is_cut_by_its_own_distances(pictures, task):
    zoo, photos = pictures
    given = settings.compose([f"task.path={photos}", "task=image_folder", "zoo=folder", f"zoo.path={zoo}"])
    candidates = inputs.open_candidates(given.zoo, given.training, "image", print)
    assert candidates.cut is None
    found = recalling.recall(given, candidates, task, print, progress=False)
    clusters = cluster_models(candidates.records.matrix(), k=3, threshold=None)
    assert found.normalization == "minmax"  # LogME's own
    assert found.how.endswith(clusters.degenerate or "scored by LogME") and len(found.scored) in (
        4,
        len(clusters.non_singletons),
    )
