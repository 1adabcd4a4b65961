"""Small models and rows for the gate; a test says what it needs of them and nothing else."""

import numpy as np

from windlass.operators.training.gate.subject import Classifier, Sample, Subject
from windlass.operators.training.network import Layer, Network


def linear(rng, features=4, classes=3):
    return Network((Layer(rng.normal(size=(features, classes)), rng.normal(size=classes), rectified=False),))


def perceptron(rng, features=5, hidden=7, classes=3):
    first = Layer(rng.normal(size=(features, hidden)), rng.normal(size=hidden), rectified=True)
    second = Layer(rng.normal(size=(hidden, classes)), rng.normal(size=classes), rectified=False)
    return Network((first, second), factor=0.5)


def classifier(network, *, black_box=False, digest="0" * 64):
    classes = np.arange(len(network.layers[-1].bias))
    return Classifier(digest, classes, network.probabilities, None if black_box else network.gradient)


def rows(rng, network, count=200, *, noise=0.0):
    """Rows that the network labels right, but for a share `noise` of them."""
    features = rng.normal(size=(count, len(network.layers[0].weights)))
    labels = network.probabilities(features).argmax(axis=1)
    wrong = rng.random(count) < noise
    labels[wrong] = (labels[wrong] + 1) % len(network.layers[-1].bias)
    return Sample(features, labels.astype(np.int64))


def subject(seed=0, *, noise=0.05, **changes):
    """A linear model on 200 rows, nearly all of which it labels right."""
    rng = np.random.default_rng(seed)
    network = linear(rng)
    given = {"model": classifier(network), "evaluation": rows(rng, network, noise=noise), "seed": 7}
    return Subject(**(given | changes))
