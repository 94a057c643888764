"""Who may come in and how fast one may guess, with the time written down."""

from __future__ import annotations

import pytest

from ndmp.aio.admission import Admission, LoginGate, neighbourhood
from ndmp.aio.limits import Limits


@pytest.mark.parametrize(
    ("host", "counts_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
    ],
)
def test_what_counts_as_one_address(host: str, counts_as: str) -> None:
    assert neighbourhood(host) == counts_as


def test_sessions_are_counted_in_all_by_address_and_without_login() -> None:
    admission = Admission(Limits(sessions=4, sessions_per_address=2, half_open_sessions=3))
    assert admission.enter("a") is None
    assert admission.enter("a") is None
    assert admission.enter("a") == "too many sessions of one address"
    assert admission.enter("b") is None
    assert admission.enter("c") == "too many sessions without login"
    admission.log_in()
    assert admission.enter("c") is None
    admission.log_in()
    assert admission.enter("d") == "too many sessions"
    admission.leave("a", logged_in=True)
    assert admission.enter("a") is None
    assert admission.enter("e") == "too many sessions"
    admission.leave("c", logged_in=False)
    assert admission.enter("e") is None, "who left without login makes room for another"


def test_each_failure_shuts_the_gate_for_longer() -> None:
    gate = LoginGate(Limits())
    now = 100.0
    for delay in (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0):
        assert gate.wait("a", now) == 0
        assert gate.fail("a", now) == delay
        assert gate.wait("a", now) == delay
        assert gate.wait("a", now + delay - 0.25) == 0.25
        assert gate.wait("b", now) == 0, "others are not delayed"
        now += delay


def test_failures_are_forgotten_a_quarter_of_an_hour_after_the_last_one() -> None:
    gate = LoginGate(Limits())
    assert gate.fail("a", 0.0) == 0.5
    assert gate.fail("a", 899.0) == 1.0
    assert gate.fail("a", 1799.0) == 2.0
    assert gate.fail("a", 2700.0) == 0.5


def test_an_address_may_fail_for_ever() -> None:
    gate = LoginGate(Limits())
    assert {gate.fail("a", float(second)) for second in range(5000)} == {0.5, 1, 2, 4, 8, 16, 30}


def test_the_address_that_failed_longest_ago_is_forgotten_when_the_table_is_full() -> None:
    gate = LoginGate(Limits(addresses_remembered=2))
    for second, address in enumerate("abac"):
        gate.fail(address, float(second))
    assert [gate.wait(address, 3.0) for address in "abc"] == [0.0, 0.0, 0.5]
    assert gate.fail("b", 3.0) == 0.5, "b made room for c, which had failed after a"
    assert gate.fail("c", 3.0) == 1.0
