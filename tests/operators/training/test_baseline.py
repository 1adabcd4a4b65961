"""What serves the sample before a job has trained is a model like any other, published once."""

import numpy as np

from windlass.operators.training.baseline import BASELINE, nearest_mean, publish_baseline
from windlass.operators.training.dataset import write_sample_table
from windlass.operators.training.export import as_onnx
from windlass.operators.training.gate.classifiers import onnx_classifier
from windlass.operators.training.publish import Artefact, publish
from windlass.serving.repository.description import read_description, read_verified


def test_its_answer_is_the_label_with_the_nearest_mean():
    rng = np.random.default_rng(3)
    labels = rng.integers(3, 6, 90)
    features = rng.normal(size=(90, 4)) + 3 * np.eye(7)[labels, 2:6]
    means = np.stack([features[labels == label].mean(axis=0) for label in (3, 4, 5)])
    nearest = ((features[:, None, :] - means) ** 2).sum(axis=2).argmin(axis=1)

    model = onnx_classifier(as_onnx(nearest_mean(features, labels)), (3, 4, 5))

    assert (model.answers(features).argmax(axis=1) == nearest).all()


def test_it_is_published_once_and_tells_most_digits(tmp_path):
    write_sample_table(tmp_path / "digits")
    published = publish_baseline(tmp_path / "models", tmp_path / "digits")
    again = publish_baseline(tmp_path / "models", tmp_path / "digits")

    assert (published.name, published.version, again) == ("digits", 1, None)
    folder = tmp_path / "models" / "digits" / "1"
    described = read_description(folder)
    assert (described.metadata["runId"], described.labels) == (BASELINE, tuple("0123456789"))
    assert read_verified(folder, described)


def test_a_model_that_has_versions_of_its_own_is_left_alone(tmp_path):
    write_sample_table(tmp_path / "digits")
    publish(tmp_path / "models", "digits", Artefact("run", b"model"))

    assert publish_baseline(tmp_path / "models", tmp_path / "digits") is None
    assert sorted(path.name for path in (tmp_path / "models" / "digits").iterdir() if path.name.isdecimal()) == ["1"]
