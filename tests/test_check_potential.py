"""`check_potential` passes what is right and names what is wrong."""

import numpy as np
import pytest

from mlipgen.potentials import EAM, ACEBasis, LinearACE, StillingerWeber, Toy2D, check_potential
from mlipgen.potentials.site import SitePotential


@pytest.mark.parametrize(
    "potential",
    [
        EAM("W"),
        EAM("Cu"),
        StillingerWeber(),
        Toy2D(),
        LinearACE(ACEBasis(4.4, 6, r0=2.7), np.linspace(-1, 1, 30), "W"),
    ],
    ids=["W", "Cu", "Si", "2D", "ACE"],
)
def test_the_librarys_own_pass(potential):
    assert all(f.passed for f in check_potential(potential))


class Pairs(SitePotential):
    """V_i = 1/2 sum_j (1 - r^2 / rc^2)^power, with one thing wrong."""

    symbol, cutoff, power = "X", 3.0, 4

    def squared(self, R):
        return (R**2).sum(axis=1)

    def gradient(self, s, R):
        return -self.power / self.cutoff**2 * (s ** (self.power - 1))[:, None] * R

    def sites(self, R, offsets):
        r2 = self.squared(R)
        s = np.where(r2.real < self.cutoff**2, 1 - r2 / self.cutoff**2, 0)
        V = np.zeros(len(offsets) - 1, s.dtype)
        np.add.at(V, np.repeat(np.arange(len(V)), np.diff(offsets)), 0.5 * s**self.power)
        return V, self.gradient(s, R)


class Abs(Pairs):
    def squared(self, R):
        return (np.abs(R) ** 2).sum(axis=1)


class Float(Pairs):
    def squared(self, R):
        return (R.real**2).sum(axis=1)


class RealOnly(Pairs):
    def sites(self, R, offsets):
        if np.iscomplexobj(R):
            raise TypeError("real neighbour vectors, please")
        return super().sites(R, offsets)


class Nanometres(Pairs):
    """A cutoff that no pair is within."""

    def sites(self, R, offsets):
        V, G = super().sites(1e3 * R, offsets)
        return V, 1e3 * G


class WrongSign(Pairs):
    def gradient(self, s, R):
        return -super().gradient(s, R)


class Abrupt(Pairs):
    power = 1


class Ungrouped(Pairs):
    def sites(self, R, offsets):
        V, G = super().sites(R, offsets)
        return np.full_like(V, V.mean()), G


@pytest.mark.parametrize(
    "potential, wanted",
    [
        (Abs(), "a complex step.*no abs"),
        (Float(), "a complex step"),
        (RealOnly(), "a complex step of the energy.*the symmetry of second derivatives"),
        (Nanometres(), "the reach.*no pair interacts: is the cutoff in angstrom"),
        (WrongSign(), "the gradient.*must be dV_i/dR_p"),
        (Abrupt(), "the end at the cutoff.*to zero"),
        (Ungrouped(), "two sites at once.*offsets"),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, Pairs) else "",
)
def test_what_is_wrong_is_named(potential, wanted):
    assert check_potential(Pairs())
    with pytest.raises(ValueError, match=wanted):
        check_potential(potential)


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match="object has no cutoff, symbol, sites"):
        check_potential(object())
