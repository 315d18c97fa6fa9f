"""What one process asks of another: nothing of it is shown."""

import msgspec

from forwarder.core.templates.job import Rendered, TemplateJob, Templates


def test_a_job_and_its_result_survive_the_way_and_show_nothing() -> None:
    job = TemplateJob(templates=Templates(part="text", sources={"a": "magpie"}), event=b"magpie", id="msg_1")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(job), type=TemplateJob) == job
    assert (
        repr([job, Rendered(texts=["magpie"], error="magpie")])
        == "[TemplateJob(Templates(text), msg_1), Rendered(1 texts)]"
    )
