import numpy as np
import pandas as pd
import pytest

from twophase.errors import UserError
from twophase.records import TrainingRecords


def test_matrix_is_datasets_by_models_and_holds_the_final_test(records):
    assert records.matrix().to_dict() == {
        "a": {"x": 0.62, "y": 0.78},
        "b": {"x": 0.5, "y": 0.9},
        "c": {"x": 0.22, "y": 0.3},
    }
    assert records.matrix(role="target").loc["t"].to_dict() == {"a": 0.52, "b": 0.58, "c": 0.28}
    assert list(records.matrix(role=None).index) == ["x", "t", "y"] or set(records.matrix(role=None).index) == {
        "x",
        "y",
        "t",
    }
    assert list(records.matrix(exclude=["x"]).index) == ["y"]
    assert records.models == ["a", "b", "c"] and records.epochs == 2


def test_curves_and_finals(records):
    assert records.curve("a", "x").to_dict() == {1: 0.5, 2: 0.6}
    assert records.final("t").to_dict() == {"a": 0.52, "b": 0.58, "c": 0.28}


def test_seeds_are_averaged(records):
    extra = records.frame[(records.frame["model"] == "a") & (records.frame["dataset"] == "x")].assign(seed=1)
    extra["test"] = extra["test"] + 0.1
    both = TrainingRecords.from_frame(pd.concat([records.frame, extra]))
    assert both.matrix().loc["x", "a"] == pytest.approx(0.67)
    assert both.curve("a", "x", seed=1).loc[1] == 0.5


def test_target_rows_never_reach_the_benchmark_matrix(records):
    changed = records.frame.copy()
    changed.loc[changed["role"] == "target", ["val", "test"]] = 0.99
    changed.loc[(changed["role"] == "target") & (changed["epoch"] == 1), "test"] = np.nan
    assert TrainingRecords.from_frame(changed).matrix().equals(records.matrix())


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "parquet"])
def test_written_records_read_back(records, tmp_path, monkeypatch, suffix):
    path = records.write(tmp_path / f"records.{suffix}")
    assert TrainingRecords.read(path).frame.equals(records.frame)
    before = path.read_bytes()
    monkeypatch.setattr("time.time", lambda: 2e9)
    assert records.write(path).read_bytes() == before
    with pytest.raises(UserError, match=r"records are \.csv, \.csv\.gz, \.parquet, not \.xlsx"):
        records.write(tmp_path / "records.xlsx")


def test_names_in_csv_are_text_as_written(records, tmp_path):
    names = {"a": "nan", "b": "001", "c": "1"}
    frame = records.frame.replace({"model": names, "dataset": {"x": "null"}})
    path = TrainingRecords.from_frame(frame).write(tmp_path / "records.csv")
    assert TrainingRecords.read(path).frame.equals(frame)
    path.write_text("model,dataset,role,test\n,x,benchmark,.5\n")
    with pytest.raises(UserError, match="1 rows name no model or no dataset"):
        TrainingRecords.read(path)


def test_a_matrix_has_no_curves(records):
    bare = TrainingRecords.from_matrix(records.matrix())
    assert bare.matrix().loc[["x", "y"], ["a", "b", "c"]].equals(records.matrix().rename_axis(columns="model"))
    with pytest.raises(UserError, match="no validation curve"):
        bare.curve("a", "x")


def test_holes_are_named_dropped_or_kept(records):
    hole = TrainingRecords.from_frame(
        records.frame[~((records.frame["model"] == "b") & (records.frame["dataset"] == "y"))]
    )
    with pytest.raises(UserError, match="1 cells of the matrix are missing: b on y"):
        hole.matrix()
    assert list(hole.matrix(missing="drop").columns) == ["a", "c"]
    assert np.isnan(hole.matrix(missing="keep").loc["y", "b"])
    with pytest.raises(UserError, match="missing: got 'ignore'; allowed: 'raise', 'drop', 'keep'"):
        hole.matrix(missing="ignore")


def spoiled(frame, **changes):
    frame = frame.copy()
    for column, (row, value) in changes.items():
        frame[column] = frame[column].astype(object)
        frame.loc[row, column] = value
    return frame


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="model"), r"lack the columns \['model'\]"),
        (lambda f: f.iloc[:0], "records are empty"),
        (lambda f: pd.concat([f, f.iloc[:1]]), "1 duplicate rows, the first: model 'a', dataset 'x', seed 0, epoch 1"),
        (lambda f: spoiled(f, val=(0, np.nan)), "val is NaN in some epochs of model 'a' on dataset 'x'"),
        (lambda f: spoiled(f, test=(1, np.nan)), "final test score of model 'a' on dataset 'x' .* is NaN"),
        (lambda f: spoiled(f, val=(0, 1.2)), r"val of model 'a' .* is 1.2; scores lie in \[0, 1\]"),
        (lambda f: spoiled(f, test=(1, 62.0)), "test of model 'a' .* is 62; .*percentages"),
        (
            lambda f: f.drop(index=f.index[f["epoch"] == 1][0]),
            "have a gap: it has 1 rows up to epoch 2, .* epochs 1, 2; every",
        ),
        (lambda f: f.assign(epoch=f["epoch"] - 1), "column 'epoch' holds 0; epochs count from 1"),
        (lambda f: spoiled(f, role=(0, "dev")), r"unknown roles \['dev'\]; allowed: benchmark, target"),
        (lambda f: spoiled(f, role=(0, "target")), r"datasets \['x'\] are benchmark in some rows and target in others"),
        (lambda f: spoiled(f, val=(0, "high")), "column 'val' must hold numbers"),
        (lambda f: spoiled(f, epoch=(0, 1.5)), "column 'epoch' must hold whole numbers"),
    ],
)
def test_malformed_records_are_named(records, change, message):
    with pytest.raises(UserError, match=message):
        TrainingRecords.from_frame(change(records.frame))


def test_a_metric_of_another_range_may_leave_it(records):
    loss = records.frame.assign(metric="loss")
    loss["val"] += 3
    assert TrainingRecords.from_frame(loss).curve("a", "x").loc[1] == 3.5


def test_unreadable_files(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        TrainingRecords.read(tmp_path / "none.csv")
    with pytest.raises(UserError, match=r"records are \.csv, \.csv\.gz, \.parquet, not \.xlsx"):
        TrainingRecords.read(tmp_path / "records.xlsx")
    for name in ("empty.csv", "broken.parquet", "broken.csv.gz"):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(UserError, match="cannot be read as"):
            TrainingRecords.read(tmp_path / name)


def test_unknown_cells_are_named(records):
    with pytest.raises(UserError, match="no records of dataset 'z'; datasets: x, y, t"):
        records.curve("a", "z")
    with pytest.raises(UserError, match="no records of model 'z' on 'x'"):
        records.curve("z", "x")


def test_a_part_of_the_records_is_numbered_anew_and_not_empty(records):
    part = records.where(records.frame["dataset"] == records.datasets()[-1])
    assert part.datasets() == records.datasets()[-1:]
    assert part.frame.index.tolist() == list(range(len(part.frame)))
    pd.testing.assert_frame_equal(part.frame, TrainingRecords(part.frame).frame)
    with pytest.raises(UserError, match="the records are empty"):
        records.where(records.frame["dataset"] == "nowhere")


def test_a_matrix_with_holes_leaves_them_out():
    matrix = pd.DataFrame({"a": [0.5, np.nan], "b": [0.6, 0.7]}, index=["x", "y"])
    records = TrainingRecords.from_matrix(matrix)
    assert records.frame[["dataset", "model", "test"]].values.tolist() == [
        ["x", "a", 0.5],
        ["x", "b", 0.6],
        ["y", "b", 0.7],
    ]
    back = records.matrix(missing="keep")
    assert back.loc[matrix.index, matrix.columns].equals(matrix.rename_axis(index="dataset", columns="model"))
