"""The page's own relaxation, in a real browser, against the library's: every number, no kernel."""

import base64
from types import SimpleNamespace

import numpy as np
import pytest
from explorer_real import STUDIES, prepared, real_data
from explorer_synthetic import random_setting
from test_explorer import page  # noqa: F401  (a fixture)

from mlipgen.equilibrium import landscape
from mlipgen.generalisation import measure, predict
from mlipgen.widgets import Explorer, Setting
from mlipgen.widgets.explorer.builder import explorer_data
from mlipgen.widgets.explorer.fits import model_of
from mlipgen.widgets.explorer.in_page import LARGEST, can_relax

SETTINGS = {
    "tungsten vacancy": 40,
    "tungsten dumbbell": 30,
    "silicon dumbbell": 24,
    "copper divacancy": 8,
}
# One problem in the page; numbers go in and come out as base64, every bit of them.
OPEN = """async ([source, payload]) => {
    const module = await load(source), scope = module.relaxation();
    const { meta, arrays } = await module.unpackData(payload);
    const numbers = (text) => new Float64Array(
        Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
    const text = (a) => btoa(Array.from(new Uint8Array(
        Float64Array.from(a).buffer), (b) => String.fromCharCode(b)).join(""));
    window.relax = { ...scope, problem: new scope.Problem(meta, arrays), numbers, text };
}"""
EVALUATE = """([theta, moved, direction]) => {
    const { problem, numbers, text, Hessian, Geometry } = relax;
    const { ace } = problem.potential(numbers(theta));
    const x = numbers(moved), surface = problem.surface(ace), { V, f } = surface.evaluate(x);
    const v = numbers(direction), out = new Float64Array(x.length);
    return { V: text(V), f: text(f), Hv: text(surface.hessian(x).product(v, out)),
             Gv: text(problem.P(v)), norm: problem.norm.of(v), bulk: ace.bulk,
             gram: text(problem.norm.gram(v)), builds: problem.neighbours.builds };
}"""
STUDY = """(theta) => {
    const { problem, numbers } = relax, found = {};
    for (const step of problem.study(numbers(theta))) Object.assign(found, step);
    const plain = (r) => ({ ...r, du: undefined, mode: undefined });
    return { newton: plain(found.newton), settled: plain(found.settled) };
}"""


def packed(array):
    return base64.b64encode(np.ascontiguousarray(array, "<f8").tobytes()).decode()


def unpacked(text, shape):
    return np.frombuffer(base64.b64decode(text), "<f8").reshape(shape)


@pytest.fixture(params=STUDIES)
def real(request, page):
    """A prepared study and its data, opened in the page as well."""
    data = real_data(request.param)
    page.evaluate(OPEN, [Explorer._esm, data.pack()])
    return SimpleNamespace(
        name=request.param, prepared=prepared(request.param), data=data, page=page
    )


def settings(real, count):
    rng = np.random.default_rng(7)
    return [random_setting(real.data, rng) for _ in range(count)]


@pytest.mark.parametrize("degree", [5, 6])
def test_energies_forces_and_hessian(real, degree):
    """The ACE in the page against the library's at a rattled configuration: to 1e-10, or better."""
    setting = Setting(**{**real.data.meta["default"], "degree": degree})
    reference, rng = real.prepared.reference, np.random.default_rng(degree)
    model = model_of(real.data, setting, real.prepared)
    x = reference.equilibrium.positions
    x = x + 0.05 * rng.standard_normal(x.shape)
    x += reference.defect.cell[0] * (rng.random((len(x), 1)) < 0.3)  # some in the next image
    v = rng.standard_normal(x.shape)
    js = real.page.evaluate(EVALUATE, [packed(real.data.theta(setting)), packed(x), packed(v)])
    surface = landscape(model, reference.defect.cell, x)
    V, f = surface.evaluate()
    gap = V - real.prepared.crystal.energy_per_atom(model)
    np.testing.assert_allclose(unpacked(js["V"], V.shape) - js["bulk"], gap, rtol=0, atol=1e-11)
    np.testing.assert_allclose(unpacked(js["f"], f.shape), f, rtol=0, atol=1e-10 * np.abs(f).max())
    Hv = surface.hessian()(v)
    np.testing.assert_allclose(
        unpacked(js["Hv"], v.shape), Hv, rtol=0, atol=1e-10 * np.abs(Hv).max()
    )


def test_greens_function_and_energy_norm(real):
    reference = real.prepared.reference
    x = reference.equilibrium.positions
    v = np.random.default_rng(2).standard_normal(x.shape)
    theta = real.data.theta(Setting(**real.data.meta["default"]))
    js = real.page.evaluate(EVALUATE, [packed(theta), packed(x), packed(v)])
    Gv, gram = reference.preconditioner(v), reference.norm.gram(v)
    np.testing.assert_allclose(
        unpacked(js["Gv"], v.shape), Gv, rtol=0, atol=1e-10 * np.abs(Gv).max()
    )
    np.testing.assert_allclose(unpacked(js["gram"], v.shape), gram, rtol=0, atol=1e-11)
    assert js["norm"] == pytest.approx(reference.norm(v), rel=1e-12)


def test_page_relaxes_as_the_library_does(real):
    """Random settings: Newton's estimate, kappa, the relaxed state, its curvature and verdict."""
    reference, seen = real.prepared.reference, set()
    for setting in settings(real, SETTINGS[real.name]):
        theta = real.data.theta(setting)
        js = real.page.evaluate(STUDY, packed(theta))
        model = model_of(real.data, setting, real.prepared)
        p, m = predict(model, reference, rtol=1e-9), measure(model, reference, tolerance=1e-10)
        newton, settled = js["newton"], js["settled"]
        seen.add((str(p.verdict.outcome), str(m.verdict.outcome)))
        if p.steps:  # Newton's method came to an end
            for name in ("geometry", "energy", "relaxation"):
                assert newton[name] == pytest.approx(getattr(p, name), rel=1e-6, abs=1e-9), setting
            # the force left over after a step, which is itself right to rtol of the first
            assert newton["kappa"] == pytest.approx(p.kappa, rel=1e-6, abs=1e-7), setting
            assert newton["steps"] == p.steps
        expected = {"applies": "ok", "not a minimum": "ok", "left the basin": "left"}
        expected |= {
            "error bar too wide": "wide",
            "unstable": "unstable",
            "not finite": "not finite",
        }
        assert newton["kind"] == expected[str(p.verdict.outcome)], setting
        if (
            p.verdict.outcome == "not a minimum"
        ):  # which way down is chance: equivalent ones lead apart
            assert settled["saddle"] < 0 and settled["followed"] < 0, setting
            continue
        if not m.verdict:
            assert settled["kind"] in ("left", "not converged"), setting
            continue
        assert settled["kind"] == "relaxed" and settled["saddle"] is None, setting
        assert settled["geometry"] == pytest.approx(m.geometry, rel=1e-6, abs=1e-9), setting
        assert settled["energy"] == pytest.approx(m.energy, rel=1e-6, abs=1e-9), setting
        assert np.linalg.norm(settled["shells"]) == pytest.approx(settled["geometry"], rel=1e-9)
        assert 0 < settled["curvature"] < 1.35 * m.curvature, setting
    print(real.name, sorted(seen))
    assert ("applies", "relaxed") in seen and len(seen) > (real.name == "copper divacancy")


def test_all_settings_together_are_a_hundred():
    assert sum(SETTINGS.values()) >= 100 and set(SETTINGS) == set(STUDIES)


@pytest.mark.slow
def test_only_what_a_browser_can_do():
    """Without being asked, and beyond the limits, a page carries nothing to relax with."""
    study = prepared("tungsten vacancy")
    assert can_relax(study)
    plain = explorer_data(study, grid=False, shells=3, near=20, modes=6, relax_in_page=False)
    with_all = explorer_data(study, grid=False, shells=3, near=20, modes=6)
    assert "relax" not in plain.meta and not [a for a in plain.arrays if a.startswith("relax/")]
    added = len(with_all.pack()) - len(plain.pack())
    print(f"{added} characters more for {plain.meta['test_atoms']} atoms")
    assert added < 100 * plain.meta["test_atoms"]
    big = SimpleNamespace(
        crystal=study.crystal,
        basis=range(LARGEST["functions"] + 1),
        reference=SimpleNamespace(defect=range(10)),
    )
    assert not can_relax(big)
    big.basis, big.reference.defect = range(10), range(LARGEST["atoms"] + 1)
    assert not can_relax(big)
