"""The command line, and every file that it reads, with whatever may be given: an exit status and a
message, never a traceback.

What is computed after all has been checked is left out here.
"""

import json
import tracemalloc
import warnings
from argparse import ArgumentTypeError

import numpy as np
import pytest
from fuzzing import inputs, plain, refusal
from hypothesis import given
from hypothesis import strategies as st

from mlipgen import cli
from mlipgen.commands import assess, options, relax, study
from mlipgen.commands.assess_settings import read_settings
from mlipgen.experiments import relaxations
from mlipgen.experiments.store import Store
from mlipgen.experiments.study import Study
from mlipgen.generalisation.assess import Assessment
from mlipgen.potentials import ACEBasis, LinearACE, load_model, save_model
from mlipgen.potentials.naming import read_calculators
from mlipgen.report.thresholds import parse_limits

pytestmark = pytest.mark.slow

#: Ten thousand inputs and more: for `make test`, not for `make check`.
pytestmark = pytest.mark.slow

BASIS = ACEBasis(4.4, 3, 3, 2.74)
MODEL = LinearACE(BASIS, np.linspace(-1, 1, len(BASIS)), "W", structure="bcc", a0_guess=3.2)


class Reached(ValueError):
    """All that was given has been read and checked."""


@pytest.fixture(scope="module")
def stubs(tmp_path_factory):
    """The same command line, ending where the computing begins."""
    folder = tmp_path_factory.mktemp("line")
    (folder / "yes.yml").write_text("candidate: EAM:W\nreference: SW:Si\n", encoding="utf-8")
    (folder / "list.yml").write_text("[1, 2]", encoding="utf-8")
    (folder / "bad.yml").write_text("a: [", encoding="utf-8")
    (folder / "bytes.yml").write_bytes(b"\xff\xfe\x00")
    save_model(MODEL, folder / "fit.json")
    (folder / "bad.json").write_text(
        '{"format": "mlipgen-ace/1", "theta": [NaN]}', encoding="utf-8"
    )
    (folder / "empty").write_text("", encoding="utf-8")

    def reached(*arguments, **options):
        raise Reached("computing begins")

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(Study, "run", reached)
        patch.setattr(relaxations, "relax_report", reached)
        patch.setattr(assess, "_assess", reached)
        patch.setattr(assess, "_dry_run", reached)
        found = _remembered(options.potential_of)
        patch.setattr(relax, "potential_of", found)
        patch.setattr(study, "potential_of", found)
        yield


def _remembered(find):
    known = {}

    def potential_of(given):
        key = (given.crystal, given.potential)
        if key not in known:
            known[key] = find(given)
        return known[key]

    return potential_of


WORDS = st.sampled_from(
    "0 1 -1 3 4 3,4 3x3x4 1e3 nan inf -inf 1e999 999999999999 3.5 W Si Cu X U vacancy dumbbell-110 "
    "hole EF EFV+FC EF+ E,EF Q EAM:W SW:Si EAM: EAM:U fit.json bad.json empty none.json yes.yml "
    "list.yml bad.yml bytes.yml yes.yml:x none.py:x none.xyz LAMMPS: own both bcc fcc , x : - -- "
    "20meV 5% 1eV,2% 4meV, . / /proc/nowhere /dev/null tcp: [] {} None True \u0663 \u00b2 "
    "\x00".split(" ")
)
VALUES = st.one_of(WORDS, WORDS, st.text(max_size=6), st.integers().map(str), st.floats().map(str))


def names(command):
    chosen = cli.parser()._subparsers._group_actions[0].choices[command]
    return sorted(
        o
        for a in chosen._actions
        for o in a.option_strings
        # a scheduler is waited for
        if o.startswith("--") and o not in ("--help", "--scheduler", "--workers")
    )


NAMES = {command: names(command) for command in cli.COMMANDS}


@pytest.mark.parametrize("command", NAMES)
@inputs(600)
@given(data=st.data())
def test_any_options(stubs, command, data):
    pairs = st.tuples(st.sampled_from(NAMES[command]), VALUES)
    given_ = data.draw(st.lists(pairs, max_size=4))
    argv = [
        command,
        *(t for pair in given_ for t in pair),
        *data.draw(st.lists(VALUES, max_size=1)),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            status = cli.main(argv)
        except SystemExit as stop:  # argparse
            status = stop.code
    assert status in (0, 1, 2), argv


@inputs(400)
@given(
    argv=st.lists(st.one_of(st.sampled_from([*NAMES, "--help", "--", "-h"]), VALUES), max_size=5)
)
def test_any_words(stubs, argv):
    try:
        status = cli.main(argv)
    except SystemExit as stop:
        status = stop.code
    assert status in (0, 1, 2), argv


READERS = {
    "size": options.size,
    "sizes": options.sizes,
    "integers": options.integers,
    "positive": options.positive,
    "length": options.length,
    "observations": options.observations,
    "symbol": options.symbol,
    "limits": parse_limits,
}


@pytest.mark.parametrize("name", READERS)
@inputs(150)
@given(text=VALUES)
def test_any_text_of_an_option(name, text):
    with refusal(also=(ArgumentTypeError,)):
        READERS[name](text)


def changed(known):
    """A dict of plain data with one entry replaced, one missing or one more."""
    key = st.sampled_from(sorted(known))
    return st.one_of(
        st.tuples(key, plain).map(lambda kv: {**known, kv[0]: kv[1]}),
        st.tuples(key, plain).map(lambda kv: {**known, kv[0]: kv[1]}),
        key.map(lambda k: {n: v for n, v in known.items() if n != k}),
        st.tuples(st.text(max_size=5), plain).map(lambda kv: {**known, kv[0]: kv[1]}),
        plain,
    )


TEXT = json.dumps(MODEL.to_dict())


def damaged(text):
    """Bytes of a file cut, with others put in, or altogether different ones."""
    where = st.integers(0, len(text))
    return st.one_of(
        where.map(lambda n: text[:n].encode()),
        st.tuples(where, st.binary(max_size=4)).map(
            lambda p: text[: p[0]].encode() + p[1] + text[p[0] + len(p[1]) :].encode()
        ),
        st.binary(max_size=60),
        st.integers(1, 200_000).map(lambda n: b"[" * n),
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("files") / "file"


def model_is_refused_or_right(path):
    with refusal():
        model = load_model(path)
        assert len(model.theta) == len(model.basis)
        V, G = model.sites(np.full((1, model.dimension), 1.5), [0, 1])
        assert np.isfinite(V).all() and np.isfinite(G).all()


@inputs(700)
@given(data=changed(MODEL.to_dict()))
def test_changed_model_files(path, data):
    path.write_text(json.dumps(data), encoding="utf-8")
    model_is_refused_or_right(path)


@inputs(500)
@given(text=damaged(TEXT))
def test_damaged_model_files(path, text):
    path.write_bytes(text)
    model_is_refused_or_right(path)


@pytest.mark.parametrize(
    "change",
    [
        {"degree": 10**6}, {"degree": 900}, {"degree": 60, "order": 3}, {"pair": 10**9},
        {"theta": [0.0] * 10**6}, {"theta": []}, {"cutoff": 1e300}, {"cutoff": 0}, {"r0": 1e-300},
        {"order": 10**9}, {"dimension": 10**9}, {"degree": 25}, {"symbol": "__import__('os')"},
    ],
    ids=lambda change: str(change)[:20],
)  # fmt: skip
def test_huge_models_are_refused_before_memory_is_taken(path, change):
    path.write_text(json.dumps({**MODEL.to_dict(), **change}), encoding="utf-8")
    tracemalloc.start()
    if "symbol" in change:  # a text like any other
        assert load_model(path).symbol == change["symbol"]
    else:
        with pytest.raises(ValueError):
            load_model(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e8, peak


@inputs(400)
@given(data=changed({"candidate": "EAM:W", "reference": "SW:Si", "domain": 6, "checks": [3, 4],
                     "defects": ["vacancy"], "lattices": "own", "supercell": 4}))  # fmt: skip
def test_settings_files(path, data):
    path.write_text(json.dumps(data), encoding="utf-8")  # JSON is YAML
    with refusal():
        read_settings(str(path))


@inputs(400)
@given(data=changed({"module": "ase.calculators.emt", "class_name": "EMT", "cutoff": 5.0,
                     "kwargs": {}, "device": None, "level_of_theory": "PBE"}))  # fmt: skip
def test_calculator_files(path, data):
    path.write_text(json.dumps({"one": data} if isinstance(data, dict) else data), encoding="utf-8")
    with refusal():
        for spec in read_calculators(path).values():
            assert spec.fingerprint


@inputs(300)
@given(text=st.one_of(damaged("candidate: EAM:W\nreference: {module: x}\n"), st.binary()))
def test_bytes_for_yaml(path, text):
    path.write_bytes(text)
    for read in (read_settings, read_calculators):
        with refusal():
            read(str(path))


@inputs(300)
@given(text=st.one_of(damaged('{"format": "mlipgen assessment", "version": 1}'),
                      plain.map(lambda p: json.dumps(p).encode())))  # fmt: skip
def test_bytes_for_an_assessment(text):
    with refusal():
        Assessment.from_json(text)


@inputs(600)
@given(
    text=damaged('{"check": 7, "kept": {"version": "0", "key": "k", "point": [1], "row": {}}}\n')
)
def test_bytes_for_finished_points(path, text):
    (path.parent / "points.jsonl").write_bytes(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert not len(Store(path.parent, "k"))
