"""``graft export``: a release for others: its rows, the model ready to be served, or all in one archive."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipelines.cli.common import cache, released, say, target_option
from pipelines.errors import EXIT_OK, UsageError

HELP = (
    "write a release for others: training rows for trainers, --deploy for servers, "
    "--bundle for machines without a network"
)
# The names of export.FORMATS and deploy.KINDS, which are not imported for the sake of --help.
FORMATS = ("messages", "instructlab", "openai", "trl")
KINDS = (
    "merged", "gguf-f16", "gguf-q8_0", "gguf-q4_k_m", "ollama", "vllm", "container", "kserve",
    "modelcar",
)  # fmt: skip
EXTRAS = ("model", "serve")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="how rows are written; docs/generation.md tells each (default: messages)",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--release", metavar="TAG", help="default: the last")
    which.add_argument("--run", type=Path, metavar="DIR", help="rows of this run: runs/… or runs/")
    parser.add_argument("--system", metavar="TEXT", help="a system turn for every row")
    parser.add_argument(
        "--deploy",
        metavar="KIND[,KIND…]",
        type=_kinds,
        help=f"the model instead of rows: {', '.join(KINDS)}; docs/deploy.md tells each",
    )
    parser.add_argument(
        "--image", metavar="REF", help="where images of it will be pushed: REGISTRY/NAME"
    )
    parser.add_argument(
        "--base-image",
        metavar="REF|DIR",
        help="what a ModelCar is laid on: an image, or an OCI layout (default: ubi-micro)",
    )
    parser.add_argument(
        "--push", action="store_true", help="push the ModelCar to --image, tagged TAG-modelcar"
    )
    parser.add_argument(
        "--bundle",
        action="store_true",
        help="one archive instead of rows: release, base model and Python packages, to be installed "
        "without a network (docs/deploy.md)",
    )
    parser.add_argument(
        "--extras",
        metavar="EXTRA[,EXTRA…]",
        type=_words,
        help=f"what a bundle brings of Graft (default: {','.join(EXTRAS)}; pipelines: also what trains)",
    )
    parser.add_argument(
        "--index", metavar="URL", help="one more package index for a bundle, as for builds of torch"
    )
    target_option(parser)
    parser.add_argument(
        "out",
        metavar="OUT",
        help="a file, or - ; with --format instructlab and --deploy a folder",
    )


def command(args: argparse.Namespace) -> int:
    if (args.extras or args.index) and not args.bundle:
        raise UsageError("--extras and --index belong to --bundle.")
    if args.bundle:
        return _bundle(args)
    return _deploy(args) if args.deploy else _rows(args)


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _kinds(text: str) -> tuple[str, ...]:
    """The kinds in ``text``, each once, in the order of ``KINDS``."""
    asked = {word.strip().lower() for word in text.split(",") if word.strip()}
    wrong = sorted(asked - set(KINDS))
    if wrong or not asked:
        known = ", ".join(KINDS)
        raise argparse.ArgumentTypeError(f"{', '.join(wrong) or 'nothing'}: choose from {known}")
    return tuple(kind for kind in KINDS if kind in asked)


def _deploy(args: argparse.Namespace) -> int:
    from pipelines.deploy import Order, deploy

    if args.format or args.system or args.run:
        raise UsageError("--deploy writes no rows: leave --format, --system and --run out.")
    if (args.base_image or args.push) and "modelcar" not in args.deploy:
        raise UsageError("--base-image and --push belong to --deploy modelcar.")
    if args.push and not args.image:
        raise UsageError("--push needs --image REGISTRY/NAME.")
    target, tag = released(args, args.release)
    order = Order(
        args.deploy, Path(args.out), cache(), args.image or "", args.base_image or "", args.push
    )
    deploy(target, tag, order, say)
    say(f"{tag} for {', '.join(args.deploy)} in {args.out}")
    return EXIT_OK


def _bundle(args: argparse.Namespace) -> int:
    from pipelines.offline import Order, bundle

    others = (args.format, args.system, args.run, args.deploy, args.image, args.base_image)
    if any(others) or args.push:
        raise UsageError("--bundle takes --release, --extras, --index and --target, and no more.")
    target, tag = released(args, args.release)
    order = Order(Path(args.out), args.extras or EXTRAS, args.index or "")
    digest = bundle(target, tag, order, say)
    print(f"{digest}  {args.out}")
    size = order.out.stat().st_size / 1e6
    say(f"{tag} with its base and {', '.join(order.extras)}: {size:.0f} MB in {args.out}")
    return EXIT_OK


def _rows(args: argparse.Namespace) -> int:
    from pipelines.export import export, release_rows, run_rows

    if args.image or args.base_image or args.push:
        raise UsageError("--image, --base-image and --push belong to --deploy.")
    form = args.format or "messages"
    if form == "instructlab" and (args.out == "-" or Path(args.out).is_file()):
        raise UsageError(f"--format instructlab writes two files: {args.out} must be a folder.")
    if form != "instructlab" and Path(args.out).is_dir():
        raise UsageError(f"{args.out} is a folder; name a file in it.")
    if args.run is not None:
        directory = _run(args.run)
        rows, name = run_rows(directory), directory.name
    else:
        target, tag = released(args, args.release)
        rows, name = release_rows(target, tag), tag
    for place, count in sorted(export(rows, form, args.system or "", args.out, name).items()):
        say(f"{count} rows in {place}")
    return EXIT_OK


def _run(path: Path) -> Path:
    """A run, or the latest of a folder of runs."""
    latest = path / "latest"
    return path / latest.read_text(encoding="utf-8").strip() if latest.is_file() else path
