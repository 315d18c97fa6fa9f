"""A warning is a sentence, and knows its place."""

from forwarder.core.yaml.findings import Place
from forwarder.core.yaml.remarks import Remark


def test_a_warning_is_a_sentence_that_begins_with_its_place() -> None:
    remark = Remark(("destinations", "my bot", "url"), "too odd")
    assert remark == 'destinations."my bot".url: too odd'
    assert (remark.at, remark.message, remark.place) == (("destinations", "my bot", "url"), "too odd", None)


def test_people_may_see_its_place_in_another_way() -> None:
    place = Place("a.yaml", 1, 2, "routes[0]")
    remark = Remark(("routes", 5), "odd", shown='a.yaml: routes[0] "coins"', place=place)
    assert remark == 'a.yaml: routes[0] "coins": odd'
    assert remark.place == place
