"""ApiVersions (18): what this broker speaks, and which features are on.

The one response that is always sent with header version 0, and the one
request that may come in a version nobody knows: it is then answered in the
shape of version 0 (KIP-511). Features: KIP-584. Kafka: `ApiVersionManager`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kbroker.handlers.table import SUPPORTED
from kbroker.metadata.features import finalized_features, supported_features
from kbroker.protocol import errors
from kbroker.protocol.generated.api_versions_response import (
    ApiVersion,
    ApiVersionsResponse,
    FinalizedFeatureKey,
    SupportedFeatureKey,
)

if TYPE_CHECKING:
    from kbroker.handlers.context import RequestContext
    from kbroker.protocol.generated.api_versions_request import ApiVersionsRequest

API_KEY = 18
VERSIONS = (0, 4)

_PRODUCE = 0
_SOFTWARE = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?")


def _announced() -> list[ApiVersion]:
    # Produce is announced from 0 although 0 to 2 are refused: librdkafka before 2.12 reads
    # from it whether the broker knows message format v2 at all (KAFKA-18659).
    return [
        ApiVersion(api_key, 0 if api_key == _PRODUCE else first, last)
        for api_key, (_, first, last) in sorted(SUPPORTED.items())
    ]


_ANNOUNCED = _announced()


def handle(request: ApiVersionsRequest, context: RequestContext) -> ApiVersionsResponse:
    version = context.api_version
    if version >= 3 and not _is_valid_software(request):
        return ApiVersionsResponse(error_code=errors.INVALID_REQUEST)
    response = ApiVersionsResponse(api_keys=_ANNOUNCED)
    if version >= 3:
        image = context.services.metadata.image
        response.supported_features = [
            SupportedFeatureKey(name, lowest, highest)
            for name, (lowest, highest) in sorted(supported_features().items())
            # Older clients choke on a range that starts at 0 (KAFKA-17492).
            if lowest > 0 or version >= 4
        ]
        response.finalized_features = [
            FinalizedFeatureKey(name, max_version_level=level, min_version_level=level)
            for name, level in sorted(finalized_features(image).items())
            if level > 0
        ]
        response.finalized_features_epoch = image.offset
    return response


def _is_valid_software(request: ApiVersionsRequest) -> bool:
    name, version = request.client_software_name, request.client_software_version
    return _SOFTWARE.fullmatch(name) is not None and _SOFTWARE.fullmatch(version) is not None


def unsupported_version_response() -> ApiVersionsResponse:
    """For a version above ours: to be written as version 0, naming the versions we do know."""
    return ApiVersionsResponse(
        error_code=errors.UNSUPPORTED_VERSION, api_keys=[ApiVersion(API_KEY, *VERSIONS)]
    )
