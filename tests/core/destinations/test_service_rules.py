"""The rules of services: which are known, what shares a quota, and what their answers mean."""

import pytest

from forwarder.core.destinations.service_rules import allowances_of, rules_of, service_of
from forwarder.core.dispatch.retry import Rule


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


def test_what_shares_a_quota_is_one_webhook_one_bot_or_one_chat() -> None:
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


@pytest.mark.parametrize(
    ("host", "format_", "service"),
    [
        ("discord.com", "raw", "discord"),
        ("canary.discordapp.com", "raw", "discord"),
        ("hooks.slack.com", "discord", "slack"),
        ("api.telegram.org", "raw", "telegram"),
        ("chat.example", "slack", "slack"),
        ("chat.example", "template", None),
    ],
)
def test_a_service_is_known_by_its_host_and_else_by_the_format(host: str, format_: str, service: str | None) -> None:
    assert service_of(host, format_) == service


def test_a_404_means_a_deleted_webhook_for_discord_and_slack_only() -> None:
    assert rules_of("discord") == rules_of("slack") == {"404": Rule.PAUSE}
    assert rules_of("telegram") == rules_of(None) == {}


def test_destinations_of_one_webhook_share_its_allowance_whatever_the_thread() -> None:
    first = allowances_of("discord", "https://discord.com/api/webhooks/1/tok?thread_id=5", chat_id="")
    second = allowances_of("discord", "https://discord.com/api/webhooks/1/tok", chat_id="")
    other = allowances_of("discord", "https://discord.com/api/webhooks/2/tok", chat_id="")
    assert first == second
    assert first[0] != other[0]
    assert first[1] == other[1]  # that of the whole service
    assert first[1].is_global


def test_a_group_of_telegram_has_a_limit_of_its_own_and_all_chats_share_that_of_the_bot() -> None:
    url = "https://api.telegram.org/bot1:secret/sendMessage"
    group, person = (allowances_of("telegram", url, chat_id=chat) for chat in ("-100", "100"))
    assert [len(of[0].limits) for of in (group, person)] == [2, 1]
    assert group[0].key != person[0].key
    assert group[1] == person[1]
    assert "secret" not in repr((group, person))


def test_slack_allows_one_request_a_second_and_others_are_not_limited() -> None:
    (allowance,) = allowances_of("slack", "https://hooks.slack.com/services/T/B/secret", chat_id="")
    assert [(limit.count, limit.per.total_seconds()) for limit in allowance.limits] == [(1, 1)]
    assert "secret" not in allowance.key
    assert allowances_of(None, "https://a.example/", chat_id="") == ()
