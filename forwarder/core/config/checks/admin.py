"""Checks that nobody can read or change the daemon over the network without a token and encryption."""

from forwarder.core.config.model.admin import AdminConfig
from forwarder.core.config.values.listen import address_of, is_any_address, is_loopback
from forwarder.core.yaml.findings import Findings

_TOKEN = "write token_file: FILE, and a token into the file: openssl rand -hex 32"  # noqa: S105 - no token


def check_admin(admin: AdminConfig, findings: Findings) -> None:
    """Report an address that others reach without a token, without encryption, or by any name."""
    if admin.listen is None:
        return
    if admin.behind_proxy and admin.token is None:
        findings.add(
            ("admin", "behind_proxy"),
            f"a token is missing: who reaches the proxy could read all events; {_TOKEN}",
        )
    if is_loopback(admin.listen):
        return
    host, _ = address_of(admin.listen)
    place, what = ("admin", "listen"), f"{host} is not an address of the loopback interface, so other machines reach it"
    if admin.token is None and not admin.behind_proxy:
        findings.add(place, f"{what}, and a token is missing; {_TOKEN}. Or write 127.0.0.1, [::1] or localhost")
    if admin.tls is None and not admin.behind_proxy:
        findings.add(
            place,
            f"{what}, and everyone on the way could read the token; write tls: {{cert_file: FILE, key_file: FILE}}, or behind_proxy: true "
            "if a reverse proxy does TLS",
        )
    if is_any_address(admin.listen) and not admin.hosts:
        findings.add(
            place,
            f"{host} stands for every address of this machine; write hosts: [NAME] with the names by which others reach it",
        )
