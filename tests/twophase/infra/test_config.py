"""The configuration: everything composes, and every fault says what was got and what is allowed."""

from pathlib import Path

import pytest
import yaml

from twophase.errors import UserError
from twophase.infra import config
from twophase.proxies import PROXIES, RELEASED
from twophase.sources.live import parameters
from twophase.sources.live.parameters import validate

CONF = Path(config.__file__).parents[3] / "conf"
CHOICES = [
    f"{group}={option.stem}"
    for group in ("proxy", "clustering", "profile")
    for option in sorted((CONF / group).glob("*.yaml"))
]


def composed(*overrides):
    return config.parse(config.compose(overrides), "params.yaml")


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("profile", ["default", "smoke"])
def test_every_option_of_every_group_composes(choice, profile):
    group, option = choice.split("=")
    if group == "proxy" and option not in parameters.load().domain["cv"].proxies:
        with pytest.raises(UserError, match=option):
            parameters.load([choice])
        return
    params = parameters.load([f"profile={profile}", choice] if group != "profile" else [choice])
    chosen = {"proxy": params.proxy.name, "clustering": params.clustering.method, "profile": params.profile}
    assert chosen[group] == option


def test_every_proxy_has_an_option_and_every_option_a_proxy():
    assert {path.stem for path in (CONF / "proxy").glob("*.yaml")} == set(PROXIES) | set(RELEASED)


@pytest.mark.parametrize(("domain", "shape"), [("cv", (21, 4, 30, 4)), ("nlp", (21, 4, 40, 5))])
def test_the_default_has_the_shape_of_the_paper(domain, shape):
    part = parameters.load().domain[domain]
    sizes = (len(part.tasks.benchmark), len(part.tasks.target), len(part.zoo.recipes), part.training.epochs)
    assert sizes == shape
    assert set(RELEASED) < set(part.proxies) <= set(PROXIES) | set(RELEASED)


@pytest.mark.parametrize("domain", ["cv", "nlp"])
def test_the_smoke_profile_is_small(domain):
    part = parameters.load(["profile=smoke"]).domain[domain]
    assert len(part.zoo.recipes) * len(part.tasks.roles) * part.training.epochs <= 100


def test_composing_twice_gives_the_same_bytes_and_keeps_the_overrides():
    overrides = ["profile=smoke", "selection.threshold=0.05", "cv.zoo.include=[vit-latin,resnet-latin,vit-greek]"]
    text = config.compose(overrides)
    assert text == config.compose(overrides)
    assert yaml.safe_load(text)["overrides"] == overrides
    params = validate(config.parse(text, "params.yaml"))
    assert params.selection.threshold == 0.05
    assert list(params.domain["cv"].zoo.recipes) == ["vit-latin", "resnet-latin", "vit-greek"]


def test_a_written_file_reads_back_equal(tmp_path):
    path = tmp_path / "params.yaml"
    written = parameters.write(path, ["cv.training.learning_rate=1e-5"])
    assert written.domain["cv"].training.learning_rate == 1e-5
    assert parameters.read(path) == written == parameters.load(["cv.training.learning_rate=1e-5"])


def test_the_committed_params_are_what_conf_composes_to():
    assert parameters.difference(CONF.parent / "params.yaml") is None


def test_a_changed_byte_is_a_difference_with_its_remedy(tmp_path):
    path = tmp_path / "params.yaml"
    assert "make params" in parameters.difference(path)
    parameters.write(path)
    assert parameters.difference(path) is None
    path.write_text(path.read_text() + "\n")
    assert "make params" in parameters.difference(path)
    parameters.write(path, ["profile=smoke"])
    assert parameters.difference(path) is None
    path.write_text(path.read_text().replace("n_trends: 2", "n_trends: 1"))
    assert "twophase params profile=smoke" in parameters.difference(path)


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("proxy=leap", ["unknown proxy 'leap'", "did you mean leep?", "logme"]),
        ("clustering=dbscan", ["unknown clustering 'dbscan'", "hierarchical, kmeans"]),
        ("profile=huge", ["unknown profile 'huge'", "default, smoke"]),
        ("selection.treshold=0.1", ["unknown key 'selection.treshold'", "selection.threshold"]),
        ("+selection.more=1", ["unknown key selection.more", "threshold_kind"]),
        ("+more=1", ["unknown key more", "cv"]),
        ("selection.threshold", ["key=value"]),
        ("seed=1,2", ["seed=1,2"]),
        ("seed=c[", ["c["]),
        ("seed=one", ["seed", "'one'", "int"]),
        ("seed=true", ["seed", "True", "int"]),
        ("seed=-1", ["seed", "-1", "at least 0"]),
        ("clustering.k=22", ["clustering.k", "22", "at most 21"]),
        ("clustering.k=0", ["clustering.k", "at least 1"]),
        ("clustering.n_clusters=31", ["clustering.n_clusters", "at most 30"]),
        ("recall.top=31", ["recall.top", "31", "at most 30"]),
        ("selection.n_trends=22", ["selection.n_trends", "at most 21"]),
        ("selection.threshold_kind=both", ["threshold_kind", "'both'", "relative, absolute"]),
        ("selection.threshold=-0.1", ["selection.threshold", "-0.1"]),
        ("proxy.normalization=softmax", ["proxy.normalization", "exp, minmax, none"]),
        ("proxy.headless=clip", ["proxy.headless", "'clip'"]),
        ("cv.proxies=[nleep]", ["proxy.name", "leep", "cv.proxies"]),
        ("cv.proxies=[leep,nleep,clip]", ["'clip'", "cv.proxies", "logme"]),
        ("cv.proxies=leep", ["cv.proxies", "'leep'", "a list"]),
        ("cv.tasks.target=[cyrilic]", ["dataset 'cyrilic'", "did you mean cyrillic?"]),
        ("cv.tasks.target=[digits]", ["digits", "twice"]),
        ("cv.tasks.upstream=[latin]", ["upstream", "vit-greek"]),
        ("cv.tasks.sizes.train=0", ["cv.tasks.sizes.train", "at least 1"]),
        ("cv.zoo.include=[vit-lattin]", ["model 'vit-lattin'", "did you mean vit-latin?"]),
        ("cv.zoo.models.vit-latin.architecture=cnn", ["vit-latin", "'cnn'", "resnet"]),
        ("cv.training.epochs=0", ["cv.training.epochs", "at least 1"]),
        ("cv.training.epochs=2.5", ["cv.training.epochs", "2.5", "int"]),
        ("cv.training.learning_rate=0", ["cv.training.learning_rate", "more than 0"]),
        ("cv.training.warmup=2", ["cv.training.warmup", "at most 1"]),
        ("cv.zoo.models.vit-latin.architecture=bert", ["'bert'", "vit-latin", "resnet"]),
        ("nlp.tasks.upstream=[libraries,code]", ["upstream", "reads", "allowed: libraries, code"]),
        ("nlp.tasks.files=0", ["nlp.tasks.files", "at least 1"]),
        ("nlp.tasks.files=few", ["nlp.tasks.files", "'few'", "int"]),
        ("domains=[cv,audio]", ["audio"]),
        ("domains=[]", ["domains"]),
    ],
)
def test_a_fault_is_named(override, parts):
    with pytest.raises(UserError) as error:
        parameters.load([override])
    for part in parts:
        assert part in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_key_is_named():
    values = composed()
    del values["cv"]["training"]["warmup"]
    with pytest.raises(UserError, match=r"missing key cv\.training\.warmup"):
        validate(values)


@pytest.mark.parametrize("text", ["", "- 1\n", "seed: [", "seed"])
def test_a_file_that_is_no_configuration(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match="make params"):
        parameters.read(path)


def test_no_file(tmp_path):
    with pytest.raises(UserError, match="make params"):
        parameters.read(tmp_path / "params.yaml")


def test_the_project_around_the_folder_comes_first(tmp_path, monkeypatch):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "config.yaml").touch()
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path / "inside")
    assert config.find_conf() == CONF
    (tmp_path / "dvc.yaml").touch()
    assert config.find_conf() == tmp_path / "conf"
