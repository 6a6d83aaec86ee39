"""What the CRM bench takes for the floor of a sync, and that its small parts measure something."""

from __future__ import annotations

import pytest

from connector.cli.bench import crm
from connector.cli.bench.crm import Floor, Work


def test_full_requests_of_two_hundred_are_bound_by_the_answers() -> None:
    floor = Floor.of({"person": 10_000, "opportunity": 10_000}, 200)

    assert floor.tokens == pytest.approx((50 + 50 + 12 - 100) * 0.6)
    assert floor.seconds == floor.answers == pytest.approx(50 * 0.70 + 50 * 0.63 + 112 * 0.005)


def test_smaller_requests_are_bound_by_the_tokens() -> None:
    floor = Floor.of({"person": 10_000, "opportunity": 10_000}, 60)

    assert floor.seconds == floor.tokens == pytest.approx((167 + 167 + 12 - 100) * 0.6)


@pytest.mark.slow
def test_the_parts_beside_the_sandbox_alone_give_figures_for_their_goals() -> None:
    report = crm.bench(Work(450, 450), ("batch", "bad"))

    found = {figure.name: figure for figure in report.figures}
    assert [figure.value for name, figure in found.items() if name.endswith("CPU of the writer")] > [0.0] * 4
    assert [figure.value for name, figure in found.items() if name.endswith(": written whole")] == [449] * 4
    assert all(0 < figure.value <= 20 for name, figure in found.items() if name.endswith("extra requests"))
