import java.util.Set;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.ConsumerGroupListing;

/** What groups are asked while all of them are consumers'. */
final class GroupCalls {
    private GroupCalls() {}

    static Set<String> ids(Admin admin) throws Exception {
        return Kit.get(admin.listConsumerGroups().valid()).stream()
            .map(ConsumerGroupListing::groupId)
            .collect(Collectors.toSet());
    }

    static String state(ConsumerGroupDescription description) {
        return description.state().name();
    }
}
