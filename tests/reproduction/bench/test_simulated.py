import numpy as np
import pytest
from scipy.special import gammaln

from reproduction.bench import simulated
from twophase.clustering import cluster_models, silhouette
from twophase.errors import UserError
from twophase.infra.config import find_conf
from twophase.sources.published import model_recycling

ZOOS = ("cleaned", "as_published")


def test_the_same_seed_gives_the_same_scores_in_any_number_of_blocks(monkeypatch):
    given = simulated.read("cleaned")
    one, other = simulated.simulate(400, given, seed=3), simulated.simulate(400, given, seed=4)
    assert one.equals(simulated.simulate(400, given, seed=3)) and not one.equals(other)
    assert one.shape == (36, 400) and one.columns.is_unique and one.to_numpy().min() >= 0 and one.to_numpy().max() <= 1
    with pytest.raises(UserError, match="unknown simulated zoo 'clean'.*did you mean cleaned"):
        simulated.read("clean")


@pytest.mark.parametrize("alpha", [0.3, 0.8])
def test_families_grow_as_a_pitman_yor_process_does(alpha):
    theta, n = 2.0, 1500
    drawn = [simulated.families(n, alpha, theta, np.random.default_rng(seed)) for seed in range(40)]
    assert all(family[0] == 0 and (np.diff(np.maximum.accumulate(family)) <= 1).all() for family in drawn)
    counts = [family.max() + 1 for family in drawn]
    # Pitman 2006, eq. 3.13: the expected number of families
    rising = np.exp(gammaln(theta + alpha + n) - gammaln(theta + alpha) - gammaln(theta + n) + gammaln(theta))
    expected = theta / alpha * (rising - 1)
    assert np.mean(counts) == pytest.approx(expected, abs=4 * np.std(counts) / np.sqrt(40))
    found = np.array([simulated.pitman_yor(np.bincount(family)) for family in drawn])
    assert np.median(found[:, 0]) == pytest.approx(alpha, abs=0.06)


def test_a_low_rank_part_is_found_again():
    random = np.random.default_rng(0)
    directions = np.array([[0.3, 0, 0.1, 0, 0, 0], [0, 0.2, 0, 0, -0.1, 0]])
    real = simulated.LowRank(np.linspace(0.2, 0.8, 6), directions, np.full(6, 0.02))
    found = simulated._low_rank(real.draw(5000, random), rank=2)
    assert found.mean == pytest.approx(real.mean, abs=0.02)
    assert found.directions.T @ found.directions == pytest.approx(directions.T @ directions, abs=0.006)
    variance = (found.directions**2).sum(axis=0) + found.noise**2  # what a direction takes of the noise, noise lacks
    assert variance == pytest.approx((directions**2).sum(axis=0) + real.noise**2, rel=0.05)


@pytest.mark.parametrize("name", ZOOS)
def test_the_committed_statistics_are_those_of_the_published_matrix(published, name):
    given = simulated.published(name == "cleaned", k=5, threshold=0.09, rank=4, mirror=published)
    committed = simulated.read(name)
    assert committed.datasets == given.datasets
    assert (committed.alpha, committed.theta) == pytest.approx((given.alpha, given.theta), abs=1e-3)
    for kind, scores in given.scores.items():
        kept = committed.scores[kind]
        assert kept.mean == pytest.approx(scores.mean, abs=1e-4) and kept.noise == pytest.approx(scores.noise, abs=1e-4)
        assert np.abs(kept.directions) == pytest.approx(np.abs(scores.directions), abs=2e-4)  # a sign means nothing


def test_the_file_is_what_the_command_writes():
    written = (find_conf() / simulated.FILE).read_text()
    assert simulated.text({name: simulated.read(name) for name in ZOOS}) == written


@pytest.mark.parametrize("name", ZOOS)
def test_simulated_zoos_look_like_the_published_one(published, name):
    """Within a factor of two; a draw of so few families varies much."""
    real = model_recycling.read(published, clean=name == "cleaned").matrix
    drawn = [simulated.simulate(real.shape[1], simulated.read(name), seed) for seed in range(3)]
    clusters = [cluster_models(matrix) for matrix in (real, *drawn)]
    number = [found.labels.nunique() for found in clusters]
    alone = [count - len(found.non_singletons) for count, found in zip(number, clusters, strict=True)]
    for known, *simulations in (number, alone):
        assert known / 2 < np.median(simulations) < known * 2
    known, *simulations = (silhouette(found) for found in clusters)
    assert abs(np.median(simulations) - known) < 0.2
