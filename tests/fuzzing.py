"""What fuzz tests share: values that no function was made for, and what may come of them."""

import contextlib
import os

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from hypothesis.internal.conjecture import providers

# Constants that stand in whatever modules happen to be loaded would be tried too, and so the inputs
# would differ from run to run.
assert callable(providers._get_local_constants)
providers._get_local_constants = lambda: providers._local_constants


def inputs(count):
    """The same `count` inputs each time; with FUZZ=fresh (`make fuzz`) new ones."""
    return settings(
        max_examples=count,
        derandomize=os.environ.get("FUZZ") != "fresh",
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


#: Numbers that are near nothing good.
ODD = [0, -1, 1, 2, 3, 7, 10**6, 10**30, -5, 0.5, 2.5, 4.4, np.nan, np.inf, -np.inf, 1e-300, 1e300]
numbers = st.one_of(
    st.sampled_from(ODD), st.integers(-10, 40), st.floats(-10, 50), st.floats(), st.integers()
)
arrays = hnp.arrays(
    st.sampled_from([np.float64, np.complex128, np.int64, np.bool_]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)
#: Anything at all.
junk = st.one_of(
    numbers,
    st.text(max_size=8),
    st.sampled_from([None, True, "W", "vacancy", b"x", (), [], {}, (2, 2, 2), "EF", "hcp"]),
    st.lists(numbers, max_size=4),
    arrays,
)
#: What JSON and YAML can hold.
plain = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


@contextlib.contextmanager
def refusal(value=0.0, also=()):
    """Only a ValueError with a message may come; for what is no number or array at all a TypeError
    or AttributeError, as of any Python function, will do.
    """
    known = isinstance(value, (int, float, np.ndarray, np.number)) and not isinstance(value, bool)
    own = (ValueError, *also) if known else (ValueError, TypeError, AttributeError, *also)
    try:
        with np.errstate(all="ignore"):
            yield
    except own as error:
        assert str(error).strip(), "an error without a word"


def finite(*results):
    """Every number of what came back is one."""
    for result in results:
        assert np.isfinite(np.asarray(result)).all(), result
