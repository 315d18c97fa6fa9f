"""Quotas of services: never more in any window than it allows, and what the answers say is followed."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.delivery import Answered
from forwarder.core.destinations.service_rules import allowances_of
from forwarder.core.dispatch.quota import Allowance, QuotaLimit, ServiceQuota

DISCORD = Allowance(
    key="d",
    limits=(QuotaLimit(count=5, per=timedelta(seconds=2)), QuotaLimit(count=30, per=timedelta(minutes=1))),
    is_reported=True,
)


@given(st.lists(st.floats(0, 3), min_size=1, max_size=200))
def test_no_window_ever_holds_more_than_its_limit(pauses: list[float]) -> None:
    quota, now, sent = ServiceQuota(DISCORD), 1000.0, list[float]()
    for pause in pauses:
        now = max(now + pause, quota.allowed_at())
        quota.take(now)
        sent.append(now)
    for limit in DISCORD.limits:
        for first, later in zip(sent, sent[limit.count :], strict=False):
            assert later - first >= limit.per.total_seconds()


def test_a_quota_that_is_used_up_is_left_alone_until_it_is_reset() -> None:
    quota = ServiceQuota(DISCORD)
    quota.note(Answered(status=204, remaining=1, reset_after=timedelta(seconds=9)), 100.0)
    assert quota.allowed_at() == 0
    quota.note(Answered(status=204, remaining=0, reset_after=timedelta(seconds=9)), 100.0)
    assert quota.allowed_at() == 109.0
    quota.note(Answered(status=429, retry_after=timedelta(seconds=20)), 100.0)
    assert quota.allowed_at() == 120.0


@pytest.mark.parametrize(
    "answer",
    [
        Answered(status=429, retry_after=timedelta(days=300)),
        Answered(status=204, remaining=0, reset_after=timedelta(days=300)),
    ],
    ids=["429", "reset"],
)
def test_a_quota_is_left_alone_for_a_day_at_most(answer: Answered) -> None:
    quota = ServiceQuota(DISCORD)
    quota.note(answer, 100.0)
    assert quota.allowed_at() == 100.0 + 24 * 3600


def test_a_429_for_everything_closes_what_everything_shares() -> None:
    webhook, everything = (
        ServiceQuota(allowance)
        for allowance in allowances_of("discord", "https://discord.com/api/webhooks/1/token", chat_id="")
    )
    for quota in (webhook, everything):
        quota.note(Answered(status=429, retry_after=timedelta(seconds=20), is_for_all=True), 100.0)
    assert (webhook.allowed_at(), everything.allowed_at()) == (0, 120.0)
    for quota in (webhook, everything):
        quota.note(Answered(status=429, retry_after=timedelta(seconds=30)), 100.0)
    assert (webhook.allowed_at(), everything.allowed_at()) == (130.0, 120.0)


def test_bad_answers_stop_everything_long_before_the_ban() -> None:
    (_, everything) = (
        ServiceQuota(allowance)
        for allowance in allowances_of("discord", "https://discord.com/api/webhooks/1/t", chat_id="")
    )
    for number in range(999):
        everything.note(Answered(status=[401, 403, 429][number % 3]), 100.0 + number / 10)
        everything.note(Answered(status=404), 100.0)
    assert everything.allowed_at() == 0
    everything.note(Answered(status=401), 200.0)
    assert everything.allowed_at() == 700.0


def test_the_next_request_waits_until_the_oldest_of_a_full_window_is_over() -> None:
    quota = ServiceQuota(Allowance(key="k", limits=(QuotaLimit(count=2, per=timedelta(seconds=10)),)))
    quota.take(100.0)
    assert quota.allowed_at() == 0
    quota.take(101.0)
    assert 110.0 <= quota.allowed_at() < 111.0
