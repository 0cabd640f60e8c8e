"""The belief and the rules of the leader: against plain Gaussian algebra, on worlds of known truth, and in kind on hard tasks."""

import time

import numpy as np
import pandas as pd
import pytest

from twophase.belief import Belief, belief
from twophase.errors import UserError
from twophase.leader import Leader
from twophase.leader_pipeline import known_tables, lead
from twophase.records import TrainingRecords
from twophase.runs import RecordedRuns

PROXIES = ["leep", "logme", "knn"]
EPOCHS, MODELS, DATASETS = 4, 40, 16


def world(
    seed: int = 0, models: int = MODELS, datasets: int = DATASETS, change=None
) -> tuple[TrainingRecords, pd.DataFrame]:
    """Records and proxy scores of datasets that vary in difficulty and in whom they suit; the last one is the target "t"."""
    rng = np.random.default_rng(seed)
    worth, rows, scores = rng.normal(0.6, 0.1, models), [], []
    for d in range(datasets + 1):
        final = worth - rng.uniform(0, 0.2) + rng.normal(0, 0.05, models)
        starts = rng.uniform(0.1, 0.3)
        val = np.stack([final - starts * (1 - t / EPOCHS) + rng.normal(0, 0.01, models) for t in range(1, EPOCHS + 1)])
        proxy = np.stack([final * scale + rng.normal(0, 0.03, models) for scale in (2.0, 1.0, 0.5)])
        target = d == datasets
        if target and change is not None:
            final, val, proxy = change(final, val, proxy)
        name = "t" if target else f"d{d}"
        for m in range(models):
            scores += [(f"m{m:03}", name, p, proxy[i, m]) for i, p in enumerate(PROXIES)]
            for t in range(EPOCHS):
                test = np.clip(final[m], 0, 1) if t == EPOCHS - 1 else np.nan
                role = "target" if target else "benchmark"
                rows.append((f"m{m:03}", name, role, 0, t + 1, np.clip(val[t, m], 0, 1), test, 1.0))
    columns = ["model", "dataset", "role", "seed", "epoch", "val", "test", "seconds"]
    return TrainingRecords.from_frame(pd.DataFrame(rows, columns=columns)), pd.DataFrame(
        scores, columns=["model", "dataset", "proxy", "score"]
    )


def led(records, scores, looked=None, **options):
    """`lead` on the target, with its own proxy scores unless others are given."""
    here = (
        (scores if looked is None else looked)
        .query("dataset == 't'")
        .pivot(index="model", columns="proxy", values="score")
    )
    known = scores[scores["dataset"] != "t"]
    models = sorted(records.final("t").index)
    given = {"look": lambda model: here.loc[model].to_dict(), "proxies": PROXIES} | options
    return lead(RecordedRuns(records, "t"), models, records.only("benchmark"), known, **given)


def regret(records, found) -> float:
    final = records.final("t")
    return float(final.max() - final[found.winner])


def test_conditioning_is_the_gaussian_formula():
    tables = np.random.default_rng(0).normal(0.5, 0.1, (8, 3, 4))
    state = belief(tables, proxies=2)
    mean, covariance = state.mean.copy(), state.covariance.copy()
    seen, values = [4, 5], np.array([0.7, 0.4])  # the proxies of model 1
    state.see_proxies(1, values)
    block = covariance[np.ix_(seen, seen)]
    gain = covariance[:, seen] @ np.linalg.inv(block)
    np.testing.assert_allclose(state.mean, mean + gain @ (values - mean[seen]), rtol=1e-6)
    np.testing.assert_allclose(state.covariance, covariance - gain @ covariance[seen], atol=1e-8)
    assert state.finals.shape == (3,) and state.seen == 2


def test_the_covariance_is_the_formula_of_the_module():
    D, M, Q, a, b, nu = 6, 3, 3, 0.3, 0.8, 2.0
    X = np.random.default_rng(1).normal(0.5, 0.1, (D, M, Q))
    mu = X.mean(0)
    s = (X - mu).std((0, 1)) + 1e-9
    E = (X - mu) / s
    expected = np.zeros((M * Q, M * Q))
    common, rest = E.mean(1), E - E.mean(1, keepdims=True)
    C0, C1 = common.T @ common / (D - 1), sum(rest[:, m].T @ rest[:, m] for m in range(M)) / (M * (D - 1))
    unit = rest / np.sqrt(np.diag(C1))
    for m in range(M):
        for n in range(M):
            r = (unit[:, m] * unit[:, n]).sum() / (Q * (D - 1))
            structure = C0 + ((1 - b) * r + b * (m == n)) * C1
            block = (1 + 1 / D) * ((1 - a) * E[:, m].T @ E[:, n] / (D - 1) + a * structure)
            if m == n:
                block += np.diag(1e-3 + nu * np.diag(C1) * (np.arange(Q) < 1))
            block += np.diag(1.0 * (np.arange(Q) < 1))  # of a proxy's level nothing much is believed
            expected[m * Q : (m + 1) * Q, n * Q : (n + 1) * Q] = block * np.outer(s, s)
    np.testing.assert_allclose(belief(X, 1, a, b, nu).covariance, expected, rtol=1e-6)


def test_infinite_distrust_leaves_the_prior():
    records, scores = world(1)
    found = led(records, scores, distrust=np.inf)
    tables = records.only("benchmark").matrix()
    looks = found.steps[found.steps["action"] == "look"]
    assert tables.mean().idxmax() == looks["leader"].iloc[-1]


def test_a_far_validation_counts_less_than_the_gaussian_would_have_it():
    state, plain = (belief(np.random.default_rng(0).normal(0.5, 0.1, (8, 3, 4)), 1) for _ in range(2))
    before = state.finals[0]
    state.see_validation(0, 1, 0.99)
    at = np.array([1])
    plain._condition(at, 0.99 - plain.mean[at], plain.covariance[np.ix_(at, at)])
    assert 0 < abs(state.finals[0] - before) < abs(plain.finals[0] - before)


def test_it_finds_the_best_for_a_fraction_of_the_epochs():
    found = [(records, led(records, scores)) for records, scores in map(world, range(6))]
    assert np.mean([regret(*one) for one in found]) < 0.01
    assert max(one.epochs for _, one in found) < MODELS * EPOCHS / 10
    for _, one in found:
        assert 0 < one.chance <= 1 and 1 <= len(one.looked) < MODELS
        assert list(one.steps["action"]).index("follow") == len(one.looked)
        last = one.steps[one.steps["stage"] == EPOCHS]
        assert one.winner in set(last["model"])


def test_shuffled_proxies_and_validations_cost_regret(monkeypatch):
    """Shuffled proxies are strange to it, and it is careful then: unguarded, they cost three times as much."""

    def shuffle(table: pd.DataFrame, column: str, by: list[str], seed: int) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        return table.assign(**{column: table.groupby(by)[column].transform(lambda values: rng.permutation(values))})

    plain, proxies, validations, strange = [], [], [], []
    for seed in range(16):
        records, scores = world(seed)
        plain.append(regret(records, led(records, scores)))
        here = scores["dataset"] == "t"
        wrong = pd.concat([scores[~here], shuffle(scores[here], "score", ["proxy"], seed)])
        proxies.append(regret(records, led(records, scores, wrong)))
        strange.append((records, scores, wrong))
        frame = records.frame
        mixed = shuffle(frame[frame["dataset"] == "t"], "val", ["epoch"], seed)
        other = TrainingRecords.from_frame(pd.concat([frame[frame["dataset"] != "t"], mixed]))
        validations.append(regret(records, led(other, scores)))
    assert np.mean(proxies) > np.mean(plain) + 0.01 and np.mean(validations) > np.mean(plain) + 0.005
    monkeypatch.setattr(Belief, "unlike", False)
    assert (
        np.mean([regret(records, led(records, scores, wrong)) for records, scores, wrong in strange])
        > np.mean(plain) + 0.03
    )


def test_the_targets_own_test_is_never_seen():
    records, scores = world(3)
    frame = records.frame.copy()
    own = (frame["dataset"] == "t") & frame["test"].notna()
    frame.loc[own, "test"] = np.random.default_rng(0).permutation(frame.loc[own, "test"])
    first, second = led(records, scores), led(TrainingRecords.from_frame(frame), scores)
    pd.testing.assert_frame_equal(first.steps, second.steps)


def test_a_price_buys_fewer_looks():
    records, scores = world(4)
    looks = [len(led(records, scores, price=price).looked) for price in (0.0001, 0.001, 0.01, 0.1)]
    assert looks == sorted(looks, reverse=True) and looks[0] > looks[-1]


def test_a_dear_look_is_believed_to_cost_an_epoch_at_most():
    records, scores = world(4)
    cheap, dear, absurd = (len(led(records, scores, look_cost=cost).looked) for cost in (0.25, 1.0, 40.0))
    assert cheap >= dear == absurd


# ---- tasks in kind: each is hard for a rule that compares models after a stage


def tied(final, val, proxy):
    """33 of 40 models have the same validation after the first epoch."""
    val[0, np.argsort(-final)[:33]] = 0.25
    return final, val, proxy


def late(final, val, proxy):
    """The best model starts at chance."""
    val[0, final.argmax()] = 0.05
    return final, val, proxy


@pytest.mark.parametrize("change", [tied, late])
def test_a_first_validation_that_misleads_does_not_decide(change):
    found = [(records, led(records, scores)) for records, scores in (world(seed, change=change) for seed in range(6))]
    assert np.mean([regret(*one) for one in found]) < 0.03


def test_a_proxy_that_ranks_against_the_truth_is_overruled_by_the_prior():
    def against(final, val, proxy):
        proxy[1] = proxy[1].mean() - (proxy[1] - proxy[1].mean())
        return final, val, proxy

    for seed in range(4):
        records, scores = world(seed, change=against)
        by_logme = scores.query("dataset == 't' and proxy == 'logme'").set_index("model")["score"].idxmax()
        final = records.final("t")
        assert regret(records, led(records, scores)) < 0.5 * (final.max() - final[by_logme])


def test_a_task_on_which_all_still_rise_at_the_end():
    def rising(final, val, proxy):
        return final, np.clip(final - 0.35 * np.linspace(1, 0.25, EPOCHS)[:, None], 0.01, 1), proxy

    found = [(records, led(records, scores)) for records, scores in (world(s, change=rising) for s in range(6))]
    assert np.mean([regret(*one) for one in found]) < 0.03
    assert all(one.epochs < 60 for _, one in found)


def test_a_dataset_without_scores_is_left_out_and_named():
    records, scores = world(0)
    found = led(records, scores[~((scores["dataset"] == "d3") & (scores["proxy"] == "knn"))])
    assert "15 benchmark datasets" in found.how and "1 dataset (d3)" in found.how


# ---- what is done where less is known


def test_without_curves_the_first_after_the_looks_are_halved():
    records, scores = world(0)
    here = scores.query("dataset == 't'").pivot(index="model", columns="proxy", values="score")
    known = TrainingRecords.from_matrix(records.matrix())
    found = lead(
        RecordedRuns(records, "t"),
        records.models,
        known,
        scores.query("dataset != 't'"),
        lambda m: here.loc[m].to_dict(),
        PROXIES,
    )
    assert "halved" in found.how and found.history["model"].nunique() == 5 and np.isnan(found.chance)
    assert regret(records, found) < 0.05 and len(found.steps) == len(found.looked)


@pytest.mark.parametrize("datasets", [0, 3])
def test_without_benchmark_datasets_the_proxies_mean_decides(datasets):
    records, scores = world(0)
    kept = [f"d{i}" for i in range(datasets)]
    known = records.where(records.frame["dataset"].isin(kept)) if kept else None
    here = scores.query("dataset == 't'").pivot(index="model", columns="proxy", values="score")
    found = lead(
        RecordedRuns(records, "t"),
        records.models,
        known,
        scores[scores["dataset"].isin(kept)],
        lambda m: here.loc[m].to_dict(),
        PROXIES,
    )
    assert "Fewer than 5" in found.how and len(found.looked) == MODELS and found.steps.empty
    assert regret(records, found) < 0.05


def test_a_model_without_a_score_is_out_and_a_missing_proxy_is_not():
    records, scores = world(0)
    here = scores.query("dataset == 't'").pivot(index="model", columns="proxy", values="score")
    best = records.final("t").idxmax()

    def look(model):
        return "its weights are gone" if model == best else {"logme": here.loc[model, "logme"]}

    found = led(records, scores, look=look)
    assert found.failures == {best: "its weights are gone"} and found.winner != best


def test_a_model_that_fails_in_training_is_left():
    records, scores = world(0)
    runs = RecordedRuns(records, "t")
    best = records.final("t").idxmax()
    for stage in range(2, EPOCHS + 1):
        del runs._cells[best, stage]
    here = scores.query("dataset == 't'").pivot(index="model", columns="proxy", values="score")
    found = lead(
        runs,
        records.models,
        records.only("benchmark"),
        scores.query("dataset != 't'"),
        lambda m: here.loc[m].to_dict(),
        PROXIES,
    )
    assert found.winner != best
    assert any("failed" in reason for reason in found.history["reason"])


def test_a_model_nobody_measured_is_believed_to_be_like_the_others():
    records, scores = world(2)
    best = records.final("t").idxmax()
    frame = records.frame
    known = TrainingRecords.from_frame(frame[(frame["model"] != best) & (frame["role"] == "benchmark")])
    here = scores.query("dataset == 't'").pivot(index="model", columns="proxy", values="score")
    others = scores[(scores["dataset"] != "t") & (scores["model"] != best)]
    found = lead(RecordedRuns(records, "t"), records.models, known, others, lambda m: here.loc[m].to_dict(), PROXIES)
    assert best in found.looked and regret(records, found) < 0.02


def test_a_strange_target_is_called_so_and_looked_at_more():
    def strange(final, val, proxy):
        return final, val, proxy * 3 - 1

    plain, other = led(*world(5)), led(*world(5, change=strange))
    assert other.unlike and not plain.unlike and len(other.looked) >= len(plain.looked)


def test_proxies_of_another_scale_do_not_decide():
    """As with 77 classes in place of eight: every proxy score lies elsewhere, ten times as far apart."""

    def scaled(final, val, proxy):
        return final, val, proxy * 10 - 7

    for seed in range(4):
        records, scores = world(seed, change=scaled)
        found = led(records, scores)
        assert found.unlike and "unlike anything measured" in found.how and np.isnan(found.chance)
        assert found.epochs < 25 and regret(records, found) < 0.05


def test_far_validations_are_believed_where_the_proxies_were_strange():
    state = belief(np.random.default_rng(0).normal(0.5, 0.1, (8, 3, 4)), 1)
    state.surprise, state.seen = 1000.0, 4
    before = state.finals[0]
    state.see_validation(0, 1, 0.9)
    assert state.wider > 20 and state.finals[0] > before


def test_a_thousand_models_take_seconds_and_little_memory():
    records, scores = world(0, models=973, datasets=8)
    start = time.perf_counter()
    found = led(records, scores)
    assert time.perf_counter() - start < 10
    assert "150 of the highest prior" in found.how and regret(records, found) < 0.05


def test_a_step_is_decided_in_ten_milliseconds():
    records, scores = world(0)
    models = sorted(records.models)
    tables = known_tables(records.only("benchmark"), scores[scores["dataset"] != "t"], models, PROXIES)
    here = scores.query("dataset == 't'").pivot(index="model", columns="proxy", values="score")
    seconds = []
    for _ in range(5):
        leader = Leader(belief(np.stack(list(tables.values())), len(PROXIES)), models, 0.001)
        start = time.perf_counter()
        leader.look(lambda model: here.loc[model, PROXIES].to_numpy(), np.full(len(models), 0.5))
        seconds.append((time.perf_counter() - start) / len(leader.steps))
    assert min(seconds) < 0.01


@pytest.mark.parametrize(
    ("change", "said"),
    [({"models": ["a", "a"]}, "2 models, 1 different"), ({"models": []}, "0 models"), ({"price": -1}, "the price -1")],
)
def test_errors_say_what_is_allowed(change, said):
    records, scores = world(0)
    given = {"models": records.models, "price": 0.001} | change
    with pytest.raises(UserError, match=said):
        lead(
            RecordedRuns(records, "t"),
            given["models"],
            records.only("benchmark"),
            scores.query("dataset != 't'"),
            lambda m: {},
            PROXIES,
            given["price"],
        )


def test_a_leader_needs_a_belief_about_its_models():
    with pytest.raises(UserError, match="a belief about 3"):
        Leader(belief(np.ones((3, 3, 2)) * np.arange(3)[:, None, None], 1), ["a"], 0.001)
    with pytest.raises(UserError, match="two benchmark datasets"):
        belief(np.ones((1, 3, 2)), 1)
