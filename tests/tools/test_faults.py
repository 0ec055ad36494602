"""Faults planted in rules are found by validation and the locator; `make faults` prints them all."""

import pytest

from tests.tools.fault_table import FAULTS, Fault
from tests.tools.faults import AMONG, RIGHT, VERIFIED, outcome

SAMPLE = [fault for fault in FAULTS if fault.model in ("keras_unet", "torch_flatten", "torch_clap", "torch_dynamic")]


def test_there_are_fifty() -> None:
    assert len({(fault.op, fault.what) for fault in FAULTS}) == len(FAULTS) == 50


@pytest.mark.parametrize("fault", SAMPLE, ids=lambda fault: f"{fault.op} {fault.what}")
def test_a_fault_is_found_where_it_is(fault: Fault) -> None:
    assert outcome(fault).found in (RIGHT, VERIFIED)


def test_what_is_no_node_of_the_result_is_among_those_named() -> None:
    fault = next(fault for fault in FAULTS if fault.what == "perm: last two change places")
    assert outcome(fault).found == AMONG
