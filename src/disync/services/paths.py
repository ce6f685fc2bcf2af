"""Folder paths: `Business Flow/<flow>/Data Integration/…`, in the three spellings that the vendor's pages use."""

from __future__ import annotations

from disync.model.errors import Refused

ROOT = "Business Flow"
DATA_INTEGRATION = "Data Integration"
_ROOTS = {"business flow", "业务流程", "business_process"}
_KINDS = {"data integration", "数据集成", "data_integration"}
_LONGEST = 512
_LONGEST_NAME = 128


def canonical(path: str) -> str:
    """The one spelling that is stored. Raises Refused if no folder can have this path."""
    parts = [part.strip() for part in path.strip().strip("/").split("/")]
    if parts[0].lower() not in _ROOTS or not all(_fit(part) for part in parts) or len(path) > _LONGEST:
        raise Refused(f"Invalid path: {path}", "Invalid.Path")
    parts[0] = ROOT
    if len(parts) > 2 and parts[2].lower() in _KINDS:
        parts[2] = DATA_INTEGRATION
    return "/".join(parts)


def of_business(name: str) -> list[str]:
    """The folders that a business flow comes with."""
    return [f"{ROOT}/{name}", f"{ROOT}/{name}/{DATA_INTEGRATION}"]


def parent(path: str) -> str:
    return path.rpartition("/")[0]


def business_name(path: str) -> str | None:
    parts = path.split("/")
    return parts[1] if len(parts) > 1 else None


def _fit(part: str) -> bool:
    return 0 < len(part) <= _LONGEST_NAME and part not in (".", "..") and part.isprintable() and "\\" not in part
