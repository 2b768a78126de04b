"""Which machine a config asks for: as `truss` reads `resources`, and as the service chooses."""

import pytest
from price_list import PRICES

from baseten_deploy.cost.machine import Unknown, choose, differs, needs_of, nodes

BY_ID = {each.machine.id: each.machine for each in PRICES}


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        (None, "1x2"),
        ({}, "1x2"),
        ({"cpu": "1", "memory": "512Mi"}, "1x2"),
        ({"cpu": "500m", "memory": "2Gi"}, "1x2"),
        ({"cpu": 3, "memory": "2Gi"}, "4x16"),
        ({"cpu": "1001m"}, "4x16"),
        ({"memory": "2147483648"}, "1x2"),
        ({"memory": "2.1G"}, "1x2"),
        ({"memory": "3G"}, "4x16"),
        ({"accelerator": "A10G"}, "A10Gx4x16"),
        ({"accelerator": "A10G:1", "cpu": "5"}, "A10Gx8x32"),
        ({"accelerator": "A10G:2"}, "A10G:2x24x96"),
        ({"accelerator": {"accelerator": "A10G", "count": 2}}, "A10G:2x24x96"),
        ({"accelerator": "H100_40GB"}, "H100MIG"),
        ({"accelerator": "H100"}, "H100:26x234"),
        ({"accelerator": None, "use_gpu": False}, "1x2"),
        ({"instance_type": "A10G:8x32", "accelerator": "H100"}, "A10Gx8x32"),
        ({"instance_type": "A10Gx8x32"}, "A10Gx8x32"),
    ],
)
def test_the_cheapest_that_fits(resources, expected):
    """Accelerator, number, cores and memory must be there; a named instance type counts alone."""
    assert expected == choose({"resources": resources}, PRICES).machine.id


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ({"accelerator": "B300"}, "no instance type with a price has what `resources` ask for (B300, 1 cores, 2 GiB)"),
        ({"accelerator": "A10G:8"}, "ask for (A10G:8, 1 cores, 2 GiB)"),
        ({"memory": "16GB"}, "`memory: 16GB` is no size"),
        ({"cpu": "two"}, "`cpu: two` is no number of cores"),
        ({"accelerator": "A10G:x"}, "`accelerator: A10G:x` has no number of accelerators"),
        ({"instance_type": "Z9"}, "the service names no price of the instance type `Z9`"),
    ],
)
def test_unknown_is_said(resources, said):
    """Nothing is guessed: a larger one, or one without the accelerator, is not what will run."""
    with pytest.raises(Unknown) as caught:
        choose({"resources": resources}, PRICES)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("resources", "kept", "prices", "expected"),
    [
        ({"accelerator": "H100"}, "A10Gx4x16", PRICES, True),
        ({"accelerator": "H100"}, "A10Gx4x16", [], True),  # what does not fit needs no prices
        ({"accelerator": "A10G"}, "A10Gx4x16", PRICES, False),
        ({"accelerator": "A10G"}, "A10Gx8x32", PRICES, True),
        ({"accelerator": "A10G"}, "A10Gx8x32", [], None),
        ({"memory": "16GB"}, "1x2", PRICES, None),
        ({"instance_type": "A10G:8x32"}, "A10Gx8x32", [], False),
        ({"instance_type": "A10G:8x32"}, "A10Gx4x16", [], True),
        ({}, "A10Gx8x32", PRICES, False),
        ({"use_gpu": False}, "A10Gx8x32", PRICES, False),
        ("text", "A10Gx8x32", PRICES, False),
    ],
)
def test_differs_from_what_is_kept(resources, kept, prices, expected):
    """A config that asks for nothing asks for no other; without prices only what does not fit is known."""
    assert expected is differs({"resources": resources}, BY_ID[kept], prices)


@pytest.mark.parametrize(("number", "expected"), [(None, 1), (2, 2), (0, 1), (True, 1), ("2", 1)])
def test_nodes(number, expected):
    """Each replica may run on several machines."""
    assert expected == nodes({"resources": {"node_count": number}})


def test_a_machine_with_an_accelerator_is_none_for_a_config_without():
    """However cheap."""
    assert not needs_of({}).are_met_by(BY_ID["T4x4x16"])
