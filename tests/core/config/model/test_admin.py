"""The certificate of the page and of the API."""

from forwarder.core.config.model.admin import ServerTlsConfig
from forwarder.core.config.values.secret import Secret
from forwarder.core.destinations.transport import Tls

BEGIN = "-----BEGIN"


def test_the_key_may_be_in_the_certificate() -> None:
    assert ServerTlsConfig(cert=Secret(f"{BEGIN} both")).value == Tls(cert=f"{BEGIN} both")
    apart = ServerTlsConfig(cert=Secret(f"{BEGIN} cert"), key=Secret(f"{BEGIN} key"))
    assert apart.value == Tls(cert=f"{BEGIN} cert", key=f"{BEGIN} key")
