"""Group protocols that are not there yet: announced, and refused with what a client gives up on."""

import pytest

from kbroker.handlers.table import REFUSED, SUPPORTED
from kbroker.protocol import errors
from kbroker.protocol.generated.consumer_group_heartbeat_request import ConsumerGroupHeartbeatRequest
from kbroker.protocol.generated.share_group_heartbeat_request import ShareGroupHeartbeatRequest
from tests.handlers.groups import GroupWorld

HEARTBEATS = {68: ConsumerGroupHeartbeatRequest, 76: ShareGroupHeartbeatRequest}


@pytest.mark.parametrize("api_key", REFUSED)
def test_the_first_heartbeat_is_refused_in_every_version(api_key: int) -> None:
    world = GroupWorld()
    world.create_offsets_topic()
    _, first, last = SUPPORTED[api_key]
    for version in range(first, last + 1):
        answer = world.call(HEARTBEATS[api_key](group_id="g", member_id="m", member_epoch=0), version)
        assert answer.error_code == errors.UNSUPPORTED_VERSION
