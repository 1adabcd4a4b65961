"""The numbers of training jobs, under their names, as a scrape finds them."""

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from windlass.operators.training.gate.types import CheckStatus
from windlass.operators.training.metrics.collector import Meter


def scraped(meter):
    registry = CollectorRegistry()
    registry.register(meter)
    return generate_latest(registry).decode().splitlines()


def test_every_series_is_there_before_the_first_job():
    lines = scraped(Meter(lambda: None))

    for line in (
        'windlass_training_jobs{phase="Running"} 0.0',
        'windlass_training_jobs_ended_total{phase="Failed"} 0.0',
        "windlass_training_attempts_total 0.0",
        "windlass_training_resumes_total 0.0",
        'windlass_training_phase_duration_seconds_bucket{le="+Inf",phase="Queued"} 0.0',
        'windlass_training_gate_verdicts_total{verdict="passed"} 0.0',
    ):
        assert line in lines


def test_checks_have_their_name_and_their_outcome_as_labels():
    meter = Meter(lambda: None)
    found = CheckStatus("a", "fgsm", True, "Failed", "Weak", "")
    meter.tally.checks[found.check, found.outcome] += 2

    assert 'windlass_training_gate_checks_total{check="fgsm",outcome="Failed"} 2.0' in scraped(meter)


def test_names_keep_to_the_conventions_of_the_field():
    """A base unit at the end, `_total` for counters alone, and nothing but what the names say in the help."""
    for family in text_string_to_metric_families("\n".join(scraped(Meter(lambda: None))) + "\n"):
        assert family.name.startswith("windlass_training_")
        assert family.documentation.endswith(".")
        assert family.name.endswith("_seconds") == (family.type == "histogram")
        assert all(sample.name.endswith("_total") for sample in family.samples) == (family.type == "counter")
