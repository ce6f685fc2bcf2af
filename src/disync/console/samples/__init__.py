"""Ready code that makes one call, in each language of the vendor's own explorer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from disync.console.samples import cli, csharp, curl, go, java, node, php, python
from disync.console.samples.call import Call

SAMPLES: Mapping[str, Callable[[Call], str]] = {
    "python": python.sample,
    "java": java.sample,
    "go": go.sample,
    "node": node.sample,
    "php": php.sample,
    "csharp": csharp.sample,
    "cli": cli.aliyun,
    "curl": curl.sample,
    "disync": cli.disync,
}


def samples(call: Call) -> dict[str, str]:
    return {language: sample(call) for language, sample in SAMPLES.items()}
