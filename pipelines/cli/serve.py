"""``graft serve``: a release behind OpenAI's API, for whoever speaks that."""

from __future__ import annotations

import argparse
import ipaddress
import os
import socket

from pipelines.cli.chat import subject, subject_options, yanked
from pipelines.cli.common import say
from pipelines.errors import EXIT_OK, GraftError, UsageError

HELP = "serve a release to clients of OpenAI's API"
TOKEN = "GRAFT_SERVE_TOKEN"
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def arguments(parser: argparse.ArgumentParser) -> None:
    subject_options(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="0: any free one (default: 8000)")
    parser.add_argument(
        "--token",
        help=f"what clients must send as their key; {TOKEN} does the same and is not seen by others on "
        "this machine. Needed where --host is more than this machine",
    )


def command(args: argparse.Namespace) -> int:
    from pipelines.cli.run import stop_cleanly

    token = os.environ.get(TOKEN, "") if args.token is None else args.token
    local = _loopback(args.host)
    if not token and not local:
        raise UsageError(
            f"--host {args.host} can be reached from other machines: give a token in {TOKEN} or with "
            "--token, or stay on 127.0.0.1."
        )
    try:
        import uvicorn

        from pipelines.talk.server import application
    except ImportError as error:
        raise GraftError(
            f"graft serve needs the extra serve ({error.name} is missing): pip install "
            "'graft-taxonomy[pipelines,serve]'."
        ) from error
    stop_cleanly()
    about = subject(args)
    with _bound(args.host, args.port) as bound:
        hosts = [*LOOPBACK, args.host] if local else ["*"]
        app = application(about.student(), about.name, about.longest, token, hosts)
        say("\n".join([f"graft serve: the {about.told}", *yanked(about)]))
        print(f"http://{_address(bound)}/v1  model {about.name}", flush=True)
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=5)
        try:
            uvicorn.Server(config).run(sockets=[bound])
        except KeyboardInterrupt:
            say("graft serve: stopped")
    return EXIT_OK


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bound(host: str, port: int) -> socket.socket:
    """The server's socket, taken before the model is loaded: a port in use is told at once."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise GraftError(
            f"{host}:{port} cannot be listened on: {reason}; name another --port or --host."
        ) from error


def _address(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
