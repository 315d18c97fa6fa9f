"""The options of `listen` that say how requests have to be signed."""

import argparse
from pathlib import Path

from forwarder.cli.arguments.values import named_words, one_of
from forwarder.core.destinations.signing import Algorithm, Encoding

_SCHEMES = ("standard", "hmac")
VARIABLE = "FORWARDER_LISTEN_SECRET"


def add_signatures(parser: argparse.ArgumentParser) -> None:
    """Add them to the parser."""
    group = parser.add_argument_group(
        "signatures",
        "If a secret is given, a request that is not signed with it is answered 401, with one of these reasons: "
        "no_signature, stale_timestamp (more than 5 minutes off) or wrong_signature.",
    )
    given = group.add_mutually_exclusive_group()
    given.add_argument(
        "--secret",
        action="append",
        help="whsec_…, or the public key whpk_…; with --scheme hmac any text; may be repeated. Anyone who may list processes on "
        f"this machine can read it: prefer --secret-file, or the variable {VARIABLE}",
    )
    given.add_argument(
        "--secret-file",
        type=Path,
        metavar="FILE",
        help=f"a file of secrets, one per line; {VARIABLE} has the same form",
    )
    group.add_argument(
        "--scheme",
        type=one_of(*_SCHEMES),
        metavar=named_words(*_SCHEMES),
        help="as under signing: in the config; default: standard",
    )
    group.add_argument(
        "--timestamped", action="store_true", default=None, help="hmac: t=…,v1=… over timestamp.body (Stripe)"
    )
    group.add_argument("--header", metavar="NAME", help="hmac; default: as in the config, X-Hub-Signature-256")
    group.add_argument(
        "--algorithm", type=one_of(*Algorithm), metavar=named_words(*Algorithm), help="hmac; default: sha256"
    )
    group.add_argument("--encoding", type=one_of(*Encoding), metavar=named_words(*Encoding), help="hmac; default: hex")
    group.add_argument("--prefix", metavar="TEXT", help='hmac; default: the algorithm and "="')
