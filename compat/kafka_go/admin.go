package main

import (
	"slices"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"kbroker/compat/golang/kit"
)

var adminScenarios = []kit.Scenario{
	{Name: "create_topic", Run: createTopics},
	{Name: "admin", Run: administration},
}

func createTopics(c *kit.Context) {
	topic := c.Topic()
	create := func(name string, partitions, replicas int, validate bool, config ...string) error {
		var configs []kafka.ConfigEntry
		for _, setting := range config {
			key, value, _ := strings.Cut(setting, "=")
			configs = append(configs, kafka.ConfigEntry{ConfigName: key, ConfigValue: value})
		}
		wanted := kafka.TopicConfig{Topic: name, NumPartitions: partitions, ReplicationFactor: replicas, ConfigEntries: configs}
		request := &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{wanted}, ValidateOnly: validate}
		admin := client(c)
		if validate {
			// It waits for the topic to appear, which it will not.
			admin.Timeout = 2 * time.Second
		}
		return kit.Must(admin.CreateTopics(c, request)).Errors[name]
	}
	kit.Done(create(topic, 3, 1, false, "retention.ms=3600000"))
	for partition := range 3 {
		fill(c, topic, partition, 0, 1)
	}
	kit.Equal(len(topics(c, topic)[topic].Partitions), 3, "partitions")
	kit.Equal(config(c, topic, "retention.ms").ConfigValue, "3600000", "config")

	fails := func(expected error, name string, partitions, replicas int, config ...string) {
		kit.Fails(create(name, partitions, replicas, false, config...), expected, "creating "+name)
	}
	fails(kafka.TopicAlreadyExists, topic, 1, 1)
	fails(kafka.InvalidTopic, "not a name", 1, 1)
	fails(kafka.InvalidReplicationFactor, c.Topic("rf"), 1, 5)
	fails(kafka.InvalidPartitionNumber, c.Topic("p"), 0, 1)
	fails(kafka.InvalidConfiguration, c.Topic("c"), 1, 1, "retention.ms=soon")
	fails(kafka.InvalidConfiguration, c.Topic("u"), 1, 1, "no.such.config=1")

	kit.Done(create(c.Topic("tried"), 1, 1, true))
	kit.Done(create(c.Topic("defaults"), -1, -1, false))
	kit.Eventually(func() bool { return len(topics(c)[c.Topic("defaults")].Partitions) == 1 }, "default partitions", 10)
	_, there := topics(c)[c.Topic("tried")]
	kit.Check(!there, "validating has created a topic")
}

func administration(c *kit.Context) {
	topic := createTopic(c, c.Topic(), 2)
	cluster(c)
	partitions(c, topic)
	configs(c, topic)
	groups(c, topic)
	deleted := kit.Must(client(c).DeleteTopics(c, &kafka.DeleteTopicsRequest{Topics: []string{topic}}))
	kit.Done(deleted.Errors[topic])
	kit.Eventually(func() bool {
		_, there := topics(c)[topic]
		return !there
	}, "the topic is gone", 20)
}

func cluster(c *kit.Context) {
	metadata := kit.Must(client(c).Metadata(c, &kafka.MetadataRequest{}))
	kit.Check(metadata.ClusterID != "", "no cluster id")
	kit.Equal(kit.Map(metadata.Brokers, func(broker kafka.Broker) int { return broker.ID }), []int{1}, "nodes")
	kit.Equal(metadata.Controller.ID, 1, "controller")
	versions := kit.Must(client(c).ApiVersions(c, &kafka.ApiVersionsRequest{}))
	kit.Done(versions.Error)
	kit.Check(len(versions.ApiKeys) > 20, "only %d APIs", len(versions.ApiKeys))
	coordinator := kit.Must(client(c).FindCoordinator(c, &kafka.FindCoordinatorRequest{Key: c.Group(), KeyType: kafka.CoordinatorKeyTypeConsumer}))
	kit.Done(coordinator.Error)
	kit.Equal(coordinator.Coordinator.NodeID, 1, "coordinator")
	producer := kit.Must(client(c).InitProducerID(c, &kafka.InitProducerIDRequest{TransactionTimeoutMs: 60_000}))
	kit.Done(producer.Error)
	kit.Check(producer.Producer.ProducerID >= 0, "no producer id")
}

func partitions(c *kit.Context, topic string) {
	to := func(count int32) error {
		request := &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: topic, Count: count}}}
		return kit.Must(client(c).CreatePartitions(c, request)).Errors[topic]
	}
	kit.Done(to(5))
	kit.Eventually(func() bool { return len(topics(c, topic)[topic].Partitions) == 5 }, "five partitions", 10)
	for _, partition := range topics(c, topic)[topic].Partitions {
		kit.Equal(partition.Leader.ID, 1, "leader")
		kit.Equal(len(partition.Isr), 1, "replicas in sync")
	}
	kit.Fails(to(3), kafka.InvalidPartitionNumber, "fewer partitions")
}

func described(c *kit.Context, resource kafka.ResourceType, name string) []kafka.DescribeConfigResponseConfigEntry {
	answer := kit.Must(client(c).DescribeConfigs(c, &kafka.DescribeConfigsRequest{
		Resources: []kafka.DescribeConfigRequestResource{{ResourceType: resource, ResourceName: name}},
	})).Resources[0]
	kit.Done(answer.Error)
	return answer.ConfigEntries
}

func config(c *kit.Context, topic, name string) kafka.DescribeConfigResponseConfigEntry {
	return entry(described(c, kafka.ResourceTypeTopic, topic), name)
}

func entry(entries []kafka.DescribeConfigResponseConfigEntry, name string) kafka.DescribeConfigResponseConfigEntry {
	at := slices.IndexFunc(entries, func(entry kafka.DescribeConfigResponseConfigEntry) bool { return entry.ConfigName == name })
	kit.Check(at >= 0, "no config %s", name)
	return entries[at]
}

func configs(c *kit.Context, topic string) {
	// Apache Kafka's broker learns of it a moment after its controller has answered.
	becomes := func(name, value string) {
		kit.Eventually(func() bool { return config(c, topic, name).ConfigValue == value }, name+" becomes "+value, 10)
	}
	alter := func(operation kafka.ConfigOperation, name, value string) error {
		changed := kafka.IncrementalAlterConfigsRequestConfig{Name: name, Value: value, ConfigOperation: operation}
		return kit.Must(client(c).IncrementalAlterConfigs(c, &kafka.IncrementalAlterConfigsRequest{
			Resources: []kafka.IncrementalAlterConfigsRequestResource{{
				ResourceType: kafka.ResourceTypeTopic,
				ResourceName: topic,
				Configs:      []kafka.IncrementalAlterConfigsRequestConfig{changed},
			}},
		})).Resources[0].Error
	}
	name := "max.message.bytes"
	kit.Equal(config(c, topic, name).ConfigValue, "1048588", "the default")
	kit.Equal(config(c, topic, name).ConfigSource, 5, "source of the default")
	kit.Done(alter(kafka.ConfigOperationSet, name, "2000"))
	becomes(name, "2000")
	kit.Equal(config(c, topic, name).ConfigSource, 1, "its source")
	err := send(c, []kafka.Message{record(topic, 0, strings.Repeat("x", 3000))})
	kit.Fails(err, kafka.MessageSizeTooLarge, "the new limit")
	kit.Done(alter(kafka.ConfigOperationDelete, name, ""))
	becomes(name, "1048588")
	kit.Done(alter(kafka.ConfigOperationAppend, "cleanup.policy", "compact"))
	becomes("cleanup.policy", "delete,compact")
	kit.Done(alter(kafka.ConfigOperationSubtract, "cleanup.policy", "compact"))
	becomes("cleanup.policy", "delete")
	kit.Fails(alter(kafka.ConfigOperationSet, "retention.ms", "soon"), kafka.InvalidConfiguration, "a bad value")
	state := &kafka.AlterConfigsRequest{Resources: []kafka.AlterConfigRequestResource{{
		ResourceType: kafka.ResourceTypeTopic,
		ResourceName: topic,
		Configs:      []kafka.AlterConfigRequestConfig{{Name: "segment.bytes", Value: "1048576"}},
	}}}
	for _, failure := range kit.Must(client(c).AlterConfigs(c, state)).Errors {
		kit.Done(failure)
	}
	becomes("segment.bytes", "1048576")
	id := entry(described(c, kafka.ResourceTypeBroker, "1"), "node.id")
	kit.Check(id.ConfigValue == "1" && id.ReadOnly, "node.id of the broker")
}

func groups(c *kit.Context, topic string) {
	fill(c, topic, 0, 0, 50)
	group := c.Group()
	listed := func() bool {
		answer := kit.Must(client(c).ListGroups(c, &kafka.ListGroupsRequest{}))
		kit.Done(answer.Error)
		return slices.ContainsFunc(answer.Groups, func(found kafka.ListGroupsResponseGroup) bool { return found.GroupID == group })
	}
	deletion := func() error {
		return kit.Must(client(c).DeleteGroups(c, &kafka.DeleteGroupsRequest{GroupIDs: []string{group}})).Errors[group]
	}
	member := groupReader(c, topic, 0)
	fetch(c)(member, 50)
	kit.Check(listed(), "the group is not listed")
	kit.Fails(deletion(), kafka.NonEmptyGroup, "deleting a living group")
	kit.Done(member.Close())
	kit.Equal(committed(c, group, topic).CommittedOffset, 50, "committed offset")
	moved := kit.Must(client(c).OffsetCommit(c, &kafka.OffsetCommitRequest{
		GroupID: group, GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{topic: {{Offset: 35}}},
	}))
	kit.Done(moved.Topics[topic][0].Error)
	kit.Equal(committed(c, group, topic).CommittedOffset, 35, "moved offset")
	deleted := kit.Must(client(c).OffsetDelete(c, &kafka.OffsetDeleteRequest{GroupID: group, Topics: map[string][]int{topic: {0}}}))
	kit.Done(deleted.Error)
	kit.Done(deleted.Topics[topic][0].Error)
	kit.Equal(committed(c, group, topic).CommittedOffset, -1, "deleted offset")
	kit.Done(deletion())
	kit.Check(!listed(), "the group is still there")
	kit.Fails(deletion(), kafka.GroupIdNotFound, "deleting a group that is not there")
}
