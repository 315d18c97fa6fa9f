"""A redirect says what to write into the config, if it is that simple, and never a path or a query."""

import pytest
from yarl import URL

from forwarder.core.destinations.redirects import describe_redirect

SO = "(write it so in the config)"


@pytest.mark.parametrize(
    ("url", "location", "said"),
    [
        ("https://a.test/secret", "https://a.test/secret/", f"the same URL with a slash at its end {SO}"),
        ("https://a.test/secret", "/secret/", f"the same URL with a slash at its end {SO}"),
        ("https://a.test/x/secret", "secret/", f"the same URL with a slash at its end {SO}"),
        ("https://a.test/secret?key=1", "/secret/?key=1", f"the same URL with a slash at its end {SO}"),
        ("https://a.test/secret?key=1", "/secret/", f"the same URL with a slash at its end {SO}"),
        ("https://a.test/%3Asecret", "/%3asecret/", f"the same URL with a slash at its end {SO}"),
        ("https://a.test/%C3%A4", "/ä/", f"the same URL with a slash at its end {SO}"),
        ("https://u:pw@a.test/secret", "//a.test/secret/", f"the same URL with a slash at its end {SO}"),
        ("https://a.test/secret/", "/secret", f"the same URL without the slash at its end {SO}"),
        ("http://a.test/secret", "https://a.test/secret", f"the same URL with https:// {SO}"),
        ("http://a.test/secret", "HTTPS://A.test:443/secret", f"the same URL with https:// {SO}"),
        ("http://a.test:8080/secret", "https://a.test:8080/secret", f"the same URL with https:// {SO}"),
        ("https://a.test/secret", "https://www.a.test/secret", f'the same URL with "www." {SO}'),
        ("https://www.a.test/secret", "https://a.test/secret", f'the same URL without "www." {SO}'),
        (
            "http://a.test/secret",
            "https://www.a.test/secret/",
            f'the same URL with https:// and with "www." and with a slash at its end {SO}',
        ),
        ("https://a.test/secret", "/secret", "the same URL"),
        ("https://a.test/secret", "", "the same URL"),
        ("https://a.test/secret", "?key=1", "the same URL"),
        ("https://a.test/", "/login", "another path of the same host"),
        ("https://a.test/secret", "/login?next=/secret", "another path of the same host"),
        ("https://a.test/secret", "https://b.test/secret", "https://b.test"),
        ("https://a.test/secret", "https://me:pw@b.test:8443/secret/?key=1", "https://b.test:8443"),
        ("https://a.test/secret", "https://a.test:8443/secret", "https://a.test:8443"),
        ("http://a.test:8080/secret", "https://a.test/secret", "https://a.test"),
        ("https://a.test/secret", "http://a.test/secret", "http://a.test"),
        ("http://a.test/secret", "https://a.test/login", "https://a.test"),
        ("https://a.test/secret", "https://b.a.test/secret", "https://b.a.test"),
        ("https://a.test/secret", "http://[::1", "an invalid address"),
        ("https://a.test/secret", "mailto:a@b", "an invalid address"),
        ("https://a.test/secret", f"https://{'b' * 5_000}.test/", "an invalid address"),
    ],
)
def test_where_a_redirect_points(url: str, location: str, said: str) -> None:
    parts = URL(url, encoded=True)
    assert describe_redirect(parts, parts.raw_path_qs, location) == said


def test_the_path_is_that_of_the_request() -> None:
    assert describe_redirect(URL("https://a.test/"), "/of-the-event", "/of-the-event/").startswith(
        "the same URL with a slash"
    )
