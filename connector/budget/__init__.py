"""How many requests may be sent: one budget for each key, shared through Redis by all workers and machines.

::

    budgets = Budgets(client(redis_url), pause=time.sleep, tick=time.monotonic)

    # A service that limits requests: a bucket of tokens, which learns the limit from refusals.
    terms = Terms("Twenty", code="crm_rate_limit", limits=(Limit(100, 1), Limit(100, 60)))
    budget = budgets.tokens("twenty:<workspace id>:api_key", terms, "full")

    # A service that does not: no more than so many requests at a time.
    budget = budgets.slots("twenty:<workspace id>:oauth", Slots("Twenty", code="crm_busy", at_once=2), "full")

Either fills ``ports.Budget``::

    with budget.reserved(2):           # waits for both, before anything is claimed
        with budget.sending():         # one of the two; without ``reserved`` it waits for one
            answer = session.request(...)
        if answer says that the limit is reached:
            budget.refused(Limit(100, 60))     # what its message names, or None; then try again

What is set aside belongs to the thread. Waits of up to ``patience`` seconds are waited out; what takes
longer is a TryLaterError with the wait, so that a worker does something else meanwhile.

Where Redis does not answer, each process goes on by a bucket of its own that holds half of each limit, and
asks Redis again after some seconds. A flushed Redis is a full bucket: the service's next refusal empties it.
"""

from __future__ import annotations

from .bucket import Standing
from .budgets import Budgets, Slots, client
from .terms import BRISK, LANES, LaneTerms, Terms

__all__ = ["BRISK", "LANES", "Budgets", "LaneTerms", "Slots", "Standing", "Terms", "client"]
