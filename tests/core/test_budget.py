"""Budgets of services: never more in any window than it allows, and what the answers say is heeded."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.budget import Allowance, Budget, Limit
from forwarder.core.delivery import Answered
from forwarder.core.retry import Rule
from forwarder.core.services import allowances_of, rules_of, service_of

DISCORD = Allowance(
    key="d",
    limits=(Limit(count=5, per=timedelta(seconds=2)), Limit(count=30, per=timedelta(minutes=1))),
    is_told=True,
)


@given(st.lists(st.floats(0, 3), min_size=1, max_size=200))
def test_no_window_ever_holds_more_than_its_limit(pauses: list[float]) -> None:
    budget, now, sent = Budget(DISCORD), 1000.0, list[float]()
    for pause in pauses:
        now = max(now + pause, budget.opens_at())
        budget.take(now)
        sent.append(now)
    for limit in DISCORD.limits:
        for first, later in zip(sent, sent[limit.count :], strict=False):
            assert later - first >= limit.per.total_seconds()


def test_a_budget_that_is_used_up_is_left_alone_until_it_is_reset() -> None:
    budget = Budget(DISCORD)
    budget.note(Answered(status=204, remaining=1, reset_after=timedelta(seconds=9)), 100.0)
    assert budget.opens_at() == 0
    budget.note(Answered(status=204, remaining=0, reset_after=timedelta(seconds=9)), 100.0)
    assert budget.opens_at() == 109.0
    budget.note(Answered(status=429, retry_after=timedelta(seconds=20)), 100.0)
    assert budget.opens_at() == 120.0


def test_a_429_for_everything_closes_what_everything_shares() -> None:
    webhook, everything = (
        Budget(allowance)
        for allowance in allowances_of("discord", "https://discord.com/api/webhooks/1/token", chat_id="")
    )
    for budget in (webhook, everything):
        budget.note(Answered(status=429, retry_after=timedelta(seconds=20), is_for_all=True), 100.0)
    assert (webhook.opens_at(), everything.opens_at()) == (0, 120.0)
    for budget in (webhook, everything):
        budget.note(Answered(status=429, retry_after=timedelta(seconds=30)), 100.0)
    assert (webhook.opens_at(), everything.opens_at()) == (130.0, 120.0)


def test_bad_answers_stop_everything_long_before_the_ban() -> None:
    (_, everything) = (
        Budget(allowance) for allowance in allowances_of("discord", "https://discord.com/api/webhooks/1/t", chat_id="")
    )
    for number in range(999):
        everything.note(Answered(status=[401, 403, 429][number % 3]), 100.0 + number / 10)
        everything.note(Answered(status=404), 100.0)
    assert everything.opens_at() == 0
    everything.note(Answered(status=401), 200.0)
    assert everything.opens_at() == 700.0


@pytest.mark.parametrize(
    ("host", "format_", "expected"),
    [
        ("discord.com", "raw", "discord"),
        ("ptb.discord.com", "slack", "discord"),
        ("hooks.slack.com", "template", "slack"),
        ("api.telegram.org", "telegram", "telegram"),
        ("127.0.0.1", "discord", "discord"),
        ("127.0.0.1", "raw", None),
        ("discord.com.example.org", "raw", None),
    ],
)
def test_a_service_is_known_by_its_host_or_by_the_format(host: str, format_: str, expected: str | None) -> None:
    assert service_of(host, format_) == expected


def test_what_shares_a_budget_is_one_webhook_one_bot_or_one_chat() -> None:
    def keys(service: str, url: str, chat_id: str = "") -> list[str]:
        return [allowance.key for allowance in allowances_of(service, url, chat_id=chat_id)]

    discord = "https://discord.com/api/webhooks"
    assert keys("discord", f"{discord}/1/a") == keys("discord", f"{discord}/1/a?thread_id=5")
    first, second = keys("discord", f"{discord}/1/a"), keys("discord", f"{discord}/2/b")
    assert first[0] != second[0]
    assert first[1] == second[1]
    bot = "https://api.telegram.org/bot1:secret"
    here, there = keys("telegram", bot, "-100"), keys("telegram", f"{bot}/sendMessage", "5")
    assert here[0] != there[0]
    assert here[1] == there[1]
    (group, _), (person, _) = (allowances_of("telegram", bot, chat_id=chat) for chat in ("-100", "5"))
    assert len(group.limits) == 2
    assert len(person.limits) == 1
    assert "secret" not in "".join(here)
    assert keys("slack", "https://hooks.slack.com/services/T/B/x") != keys(
        "slack", "https://hooks.slack.com/services/T/B/y"
    )
    assert allowances_of(None, "https://example.com/", chat_id="") == ()


def test_a_404_of_discord_or_slack_pauses() -> None:
    assert rules_of("discord") == rules_of("slack") == {"404": Rule.PAUSE}
    assert rules_of("telegram") == rules_of(None) == {}
