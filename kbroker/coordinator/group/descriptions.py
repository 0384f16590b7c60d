"""What ListGroups and DescribeGroups tell of a group."""

from __future__ import annotations

from kbroker.coordinator.group.classic_group import DEAD, STABLE, ClassicGroup
from kbroker.coordinator.group.offsets import Group
from kbroker.coordinator.group.other_group import OtherGroup
from kbroker.protocol import errors
from kbroker.protocol.generated.describe_groups_response import DescribedGroup, DescribedGroupMember
from kbroker.protocol.generated.list_groups_response import ListedGroup

_CLASSIC = "classic"


def list_group(group: Group) -> ListedGroup:
    if isinstance(group, OtherGroup):
        name = group.group_type.value
        return ListedGroup(group.group_id, name, group.state_text(), name)
    return ListedGroup(group.group_id, group.protocol_type or "", group.state.value, _CLASSIC)


def describe_group(group: ClassicGroup) -> DescribedGroup:
    """Metadata of members only while the group is stable, when it means something."""
    stable = group.state is STABLE
    return DescribedGroup(
        group_id=group.group_id,
        group_state=group.state.value,
        protocol_type=group.protocol_type or "",
        protocol_data=(group.protocol_name or "") if stable else "",
        members=[
            DescribedGroupMember(
                member_id=member.member_id,
                group_instance_id=member.instance_id,
                client_id=member.client_id,
                client_host=member.client_host,
                member_metadata=member.metadata(group.protocol_name) if stable else b"",
                member_assignment=member.assignment,
            )
            for member in group.members.values()
        ],
    )


def describe_missing_group(group_id: str, api_version: int) -> DescribedGroup:
    """A group that does not exist, or is not a classic one: until version 6 simply dead."""
    described = DescribedGroup(group_id=group_id, group_state=DEAD.value)
    if api_version >= 6:
        described.error_code = errors.GROUP_ID_NOT_FOUND
        described.error_message = f"Group {group_id} not found."
    return described
