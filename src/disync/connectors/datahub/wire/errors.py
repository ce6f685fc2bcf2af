"""What goes wrong on the wire: our one decoding error, and the service's ErrorCode vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType


class Malformed(ValueError):
    """Bytes or values that are no valid DataHub message. `index`: the record at fault, where one is."""

    def __init__(self, reason: str, index: int | None = None) -> None:
        super().__init__(reason)
        self.index = index


STATUS: Mapping[str, int] = MappingProxyType(
    {
        "InvalidUriSpec": 400,
        "InvalidParameter": 400,
        "InvalidSchema": 400,
        "InvalidCursor": 400,
        "InvalidSubscription": 400,
        "SeekOutOfRange": 400,
        "InvalidOperation": 400,
        "InvalidShardOperation": 400,
        "MalformedRecord": 400,
        "ListSubscriptionOutofRange": 400,
        "OffsetReseted": 400,
        "OffsetSessionClosed": 400,
        "OffsetSessionChanged": 400,
        "SubscriptionOffline": 400,
        "Unauthorized": 401,
        "NoPermission": 403,
        "OperationDenied": 403,
        "NoSuchProject": 404,
        "NoSuchTopic": 404,
        "NoSuchShard": 404,
        "NoSuchConnector": 404,
        "NoSuchSubscription": 404,
        "NoSuchSchema": 404,
        "NoSuchConsumer": 404,
        "ProjectAlreadyExist": 409,
        "TopicAlreadyExist": 409,
        "SubscriptionAlreadyExist": 409,
        "ConnectorAlreadyExist": 409,
        "LimitExceeded": 429,
        "InternalServerError": 500,
    }
)
"""ErrorCode → HTTP status. The codes are the service's; the statuses are our choice, the service publishes none.

Clients raise by the code and only ask whether the status is below 400.
"""
