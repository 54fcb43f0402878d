"""What observations determine: ranks, invisible directions and what they do to the defect."""

import numpy as np
import pytest

from mlipgen.experiments.study import Study
from mlipgen.generalisation import predict
from mlipgen.learning import (
    defect_configurations,
    defect_response,
    identifiability,
    joint_ranks,
    labelling_cost,
)
from mlipgen.potentials import LinearACE


@pytest.fixture(scope="module")
def setting():
    prepared = Study("W", "vacancy", cells=(3,), degrees=(6,), test_cell=6).prepare()
    S = defect_response(prepared.basis, prepared.reference)
    model = prepared.fit(3, "EF", 6).model
    return prepared, S, model, float(np.linalg.norm(prepared.basis.prior * model.theta))


def test_response_predicts_the_linear_error(setting):
    prepared, S, model, _ = setting
    assert np.linalg.norm(S @ model.theta) == pytest.approx(
        predict(model, prepared.reference, rtol=1e-7).linear_geometry, rel=1e-4
    )


def test_energies_leave_a_null_space_that_moves_the_defect(setting):
    prepared, S, model, size = setting
    basis, blocks = prepared.basis, prepared.blocks(3)
    found = identifiability(blocks, ("E",), basis.prior, S, size)
    assert (found.scalars, found.rank, found.free) == (10, 10, len(basis) - 10)
    z = found.direction
    assert np.linalg.norm(basis.prior * z) == pytest.approx(size)
    assert np.abs(blocks["E"].R[:, :-1] @ z).max() < 1e-8 * size
    assert np.linalg.norm(S @ z) == pytest.approx(found.blindness, rel=1e-6)
    # plausible models with the same energies, another defect
    assert found.blindness > prepared.reference.scale
    step = 0.02 * prepared.reference.scale / found.blindness
    moved = predict(LinearACE(basis, model.theta + step * z, "W", model.offset), prepared.reference)
    assert moved.linear_geometry == pytest.approx(0.02 * prepared.reference.scale, rel=1.0)


def test_more_kinds_never_determine_less(setting):
    prepared, S, _, size = setting
    of = lambda *k: identifiability(prepared.blocks(3), k, prepared.basis.prior, S, size)
    assert of("F").free == 0 and of("F").blindness == 0
    assert of("FC").free > 0 and of("V").free > 0
    assert of("V", "FC").rank > max(of("V").rank, of("FC").rank)
    assert of("E", "V", "FC").blindness < min(
        of("E").blindness, of("V").blindness, of("FC").blindness
    )
    assert of("E", "F", "V", "FC").ambiguity < of("E", "F").ambiguity < of("E").ambiguity
    for kinds in (("E",), ("E", "F"), ("V", "FC")):
        assert of(*kinds).ambiguity >= of(*kinds).blindness * (1 - 1e-9)


def test_joint_ranks(setting):
    prepared = setting[0]
    rank = joint_ranks(prepared.blocks(3), prepared.basis.prior)
    alone = np.diag(rank)
    assert (rank == rank.T).all() and (rank >= np.maximum.outer(alone, alone)).all()
    assert (rank <= np.minimum(len(prepared.basis), np.add.outer(alone, alone))).all()
    assert alone[0] == 10 and alone[1] == len(prepared.basis)
    # The crystal's cubic symmetry leaves few independent force constants of 99 blocks.
    assert alone[3] < 0.1 * prepared.blocks(3)["FC"].rows


def test_cost_counts_atoms(setting):
    prepared = setting[0]
    cells = defect_configurations(prepared.potential, prepared.crystal, "vacancy", 3, 2)
    cost = lambda **o: labelling_cost(prepared.crystal, 4.4, **o)
    assert cost(configurations=cells) == 2 * 53
    assert cost(configurations=cells, power=3) == 2 * 53**3
    assert cost(virials=5) == 5 * 2 * 27  # 4.4 A cutoff: three cells make two cutoffs
    assert cost(force_constants=True) == 2 * 432


def test_bad_input_is_named(setting):
    prepared, S, _, size = setting
    with pytest.raises(ValueError, match="Fq"):
        identifiability(prepared.blocks(3), ("Fq",), prepared.basis.prior, S, size)
    blocks, prior = prepared.blocks(3), prepared.basis.prior
    for kinds, given, S_given, options, words in (
        ("E", prior, S, {"size": 0.0}, "size=0.0"),
        ("E", prior, S[1:], {}, "S of shape"),
        ("E", prior[1:], S, {}, "a prior of shape"),
        ("E", -prior, S, {}, "a prior of shape"),
        ("E", prior, S, {"tolerance": {"E": 0.0}}, "the tolerance of E=0.0"),
        ("", prior, S, {}, "''"),
    ):
        with pytest.raises(ValueError, match=words):
            identifiability(blocks, kinds, given, S_given, **{"size": size, **options})
    with pytest.raises(ValueError, match=r"kinds \['F'\]: the blocks are of E"):
        joint_ranks({"E": blocks["E"]}, prior, "EF")
    with pytest.raises(ValueError, match="cut=2.0"):
        joint_ranks(blocks, prior, cut=2.0)
