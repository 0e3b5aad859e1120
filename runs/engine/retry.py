"""When a failed attempt is followed by another one: a node's ``retry``. Pure."""

import random
from collections.abc import Mapping
from typing import Any, Final

_LONGEST: Final = 86_400.0


def delay(
    policy: Mapping[str, Any] | None,
    tried: int,
    code: str,
    *,
    permanent: bool = False,
    retry_after: float | None = None,
    chance: random.Random | None = None,
) -> float | None:
    """How many seconds to wait before the next attempt; None when there is none.

    ``tried`` counts the attempts that failed by themselves, this one included. ``delay_seconds`` grows by
    ``multiplier`` with each, up to ``max_delay_seconds``; up to ``jitter`` of it is added by chance, so that many
    that failed together do not come back together. What the other side asked for (``retry_after``) is the least.
    """
    if not policy or tried >= policy["max_attempts"]:
        return None
    named = policy.get("on")
    if (permanent and named is None) or (named is not None and code not in named):
        return None
    longest = policy.get("max_delay_seconds", _LONGEST)
    # The power may be beyond a float's range long before the last of 100 attempts.
    factor = min(float(policy.get("multiplier", 2)) ** min(tried - 1, 100), 1e9)
    wait = min(policy.get("delay_seconds", 1) * factor, longest)
    wait += wait * policy.get("jitter", 0) * (chance or random).random()
    return float(min(max(wait, retry_after or 0), _LONGEST))
