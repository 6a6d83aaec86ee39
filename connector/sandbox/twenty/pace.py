"""How long the recorded server took (twenty-api.md section 4 and the tables of section 15), per row."""

from collections import Counter

#: Seconds per row: 200 people took 0.70 s to create and 1.02 s to update, 200 opportunities 0.63 and 1.18 s.
CREATED = {"person": 0.70 / 200, "opportunity": 0.63 / 200}
UPDATED = {"person": 1.02 / 200, "opportunity": 1.18 / 200}
OTHER_CREATED, OTHER_UPDATED = 0.60 / 200, 1.0 / 200
#: A look-up of 5,000 values took 0.63 s.
READ = 0.63 / 5000
CALL = 0.005


def seconds(work: Counter[tuple[str, str]]) -> float:
    """The time that this work took there."""
    total = CALL
    for (what, singular), rows in work.items():
        if what == "created":
            total += rows * CREATED.get(singular, OTHER_CREATED)
        elif what == "read":
            total += rows * READ
        else:
            total += rows * UPDATED.get(singular, OTHER_UPDATED)
    return total
