"""The page on scale says what was measured, and its model is the straight lines that it claims to be."""

import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import attrs
import pytest

sys.path.append(str(Path(__file__).parent))

import bench_scale
from scaled import page
from scaled.chart import drawn
from scaled.model import fitted
from scaled.points import Point, point
from scaled.writers import DELAY_SECONDS, writers

ZERO = Point(
    objects=0,
    settled_mb=0.0,
    peak_mb=0.0,
    sync_s=0.0,
    sync_cpu_s=0.0,
    runs_cpu_s=0.0,
    event_us=110.0,
    write_us=400.0,
    relist_s=0.0,
    relist_cpu_s=0.0,
    relist_peak_mb=0.0,
    held_ms=1.0,
    shard_event_us={"1": 110.0, "2": 60.0, "4": 35.0, "10": 20.0},
)


def point_of(count):
    """A process that needs 5 MB and 2 KB an object, 10 us to list one and 100 us to run for one."""
    memory, listed = 5.0 + 0.002 * count, 0.1 + 1e-5 * count
    return attrs.evolve(
        ZERO,
        objects=count,
        settled_mb=memory,
        peak_mb=1.5 * memory,
        relist_peak_mb=2.0 * memory,
        sync_cpu_s=listed,
        relist_cpu_s=2.0 * listed,
        runs_cpu_s=0.1 + 1e-4 * count,
    )


POINTS = [point_of(count) for count in (10_000, 100_000, 500_000)]


def test_lines_are_fitted_to_what_each_object_needs():
    model = fitted(POINTS)
    assert model.settled_mb.at(2_000_000) == pytest.approx(4_005)
    assert model.relist_peak_mb.reaches(4_010) == pytest.approx(1_000_000)
    assert model.runs_cpu_s.at(0) == pytest.approx(0.1)


def test_points_beyond_the_fit_do_not_bend_it():
    odd = attrs.evolve(POINTS[-1], settled_mb=9_999.0)
    assert fitted([*POINTS[:-1], odd]).settled_mb.at(500_000) == pytest.approx(1_005)


def test_what_every_replica_pays_is_told_from_what_is_divided():
    model = fitted(POINTS)
    assert (model.watch_us, model.run_us) == (pytest.approx(10.0), pytest.approx(100.0))
    assert model.events_a_second(10) == pytest.approx(50_000)


def test_one_size_alone_makes_no_line():
    with pytest.raises(ValueError, match="expected at least two sizes up to 250000, found 1"):
        fitted(POINTS[1:])


def test_shares_of_a_ring_are_nearly_even():
    assert 1 / 8 <= page.busiest(8) < 0.135


def test_the_page_and_its_picture_are_made_of_the_points_that_are_kept():
    """Whoever measures anew writes both; nobody mends a figure by hand."""
    found, text = bench_scale.read(), page.PAGE.read_text("utf-8")
    for name, lines in page.tables(found).items():
        assert page.replaced(text, name, lines) == text
    assert page.PICTURE.read_text("utf-8") == drawn(page.panels(found.points, fitted(found.points)))
    ET.parse(page.PICTURE)


def test_a_page_without_the_marks_is_refused():
    with pytest.raises(ValueError, match=r"scale\.md: expected <!-- limits"):
        page.replaced("# Scale\n", "limits", [])


@pytest.mark.realtime
def test_a_point_is_measured_to_its_end():
    found = point(200)
    assert found.objects == 200
    assert min(found.event_us, found.write_us, found.relist_cpu_s, found.settled_mb) > 0
    assert set(found.shard_event_us) == {"1", "2", "4", "8", "16"}


@pytest.mark.realtime
def test_writers_wait_for_a_server_that_takes_its_time():
    found = writers(2, objects=20)
    assert 0 < found.writes_a_second < 2 / DELAY_SECONDS
