import java.util.Set;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.GroupListing;

/** What groups are asked since kinds of group are told apart. */
final class GroupCalls {
    private GroupCalls() {}

    static Set<String> ids(Admin admin) throws Exception {
        return Kit.get(admin.listGroups().valid()).stream().map(GroupListing::groupId).collect(Collectors.toSet());
    }

    static String state(ConsumerGroupDescription description) {
        return description.groupState().name();
    }
}
