package main

import (
	"slices"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"kbroker/compat/golang/kit"
)

var adminScenarios = []kit.Scenario{
	{Name: "create_topic", Run: createTopics},
	{Name: "admin", Run: administration},
}

func createTopics(c *kit.Context) {
	topic := c.Topic()
	withAdmin(c, func(admin sarama.ClusterAdmin) {
		create := func(name string, partitions int32, replicas int16, validate bool, config ...string) error {
			configs := map[string]*string{}
			for _, setting := range config {
				key, value, _ := strings.Cut(setting, "=")
				configs[key] = &value
			}
			detail := &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: replicas, ConfigEntries: configs}
			return admin.CreateTopic(name, detail, validate)
		}
		kit.Done(create(topic, 3, 1, false, "retention.ms=3600000"))
		for partition := range int32(3) {
			fill(c, topic, partition, 0, 1)
		}
		created := kit.Must(admin.ListTopics())[topic]
		kit.Equal(created.NumPartitions, 3, "partitions")
		kit.Equal(created.ReplicationFactor, 1, "replicas")
		kit.Equal(*created.ConfigEntries["retention.ms"], "3600000", "config")

		fails := func(expected error, name string, partitions int32, replicas int16, config ...string) {
			kit.Fails(create(name, partitions, replicas, false, config...), expected, "creating "+name)
		}
		fails(sarama.ErrTopicAlreadyExists, topic, 1, 1)
		fails(sarama.ErrInvalidTopic, "not a name", 1, 1)
		fails(sarama.ErrInvalidReplicationFactor, c.Topic("rf"), 1, 5)
		fails(sarama.ErrInvalidPartitions, c.Topic("p"), 0, 1)
		fails(sarama.ErrInvalidConfig, c.Topic("c"), 1, 1, "retention.ms=soon")
		fails(sarama.ErrInvalidConfig, c.Topic("u"), 1, 1, "no.such.config=1")

		kit.Done(create(c.Topic("tried"), 1, 1, true))
		kit.Done(create(c.Topic("defaults"), -1, -1, false))
		kit.Eventually(func() bool {
			defaults, there := kit.Must(admin.ListTopics())[c.Topic("defaults")]
			return there && defaults.NumPartitions == 1
		}, "default partitions", 10)
		_, there := kit.Must(admin.ListTopics())[c.Topic("tried")]
		kit.Check(!there, "validating has created a topic")
	})
}

func administration(c *kit.Context) {
	topic := createTopic(c, c.Topic(), 2)
	withAdmin(c, func(admin sarama.ClusterAdmin) {
		cluster(c, admin, topic)
		partitions(admin, topic)
		configs(c, admin, topic)
		records(c, admin, topic)
		groups(c, admin, topic)
		kit.Done(admin.DeleteTopic(topic))
		kit.Eventually(func() bool {
			_, there := kit.Must(admin.ListTopics())[topic]
			return !there
		}, "the topic is gone", 20)
	})
}

func cluster(c *kit.Context, admin sarama.ClusterAdmin, topic string) {
	brokers, controller, err := admin.DescribeCluster()
	kit.Done(err)
	kit.Equal(kit.Map(brokers, func(broker *sarama.Broker) int32 { return broker.ID() }), []int32{1}, "nodes")
	kit.Equal(controller, 1, "controller")
	directories := kit.Must(admin.DescribeLogDirs([]int32{1}))[1]
	kit.Check(slices.ContainsFunc(directories, func(directory sarama.DescribeLogDirsResponseDirMetadata) bool {
		return slices.ContainsFunc(directory.Topics, func(found sarama.DescribeLogDirsResponseTopic) bool {
			return found.Topic == topic
		})
	}), "the topic is in no log directory")
	kit.Equal(kit.Must(admin.Coordinator(c.Group())).ID(), 1, "coordinator")
}

func partitions(admin sarama.ClusterAdmin, topic string) {
	kit.Done(admin.CreatePartitions(topic, 5, nil, false))
	kit.Eventually(func() bool {
		return len(kit.Must(admin.DescribeTopics([]string{topic}))[0].Partitions) == 5
	}, "five partitions", 10)
	for _, partition := range kit.Must(admin.DescribeTopics([]string{topic}))[0].Partitions {
		kit.Equal(partition.Leader, 1, "leader")
		kit.Equal(partition.Isr, []int32{1}, "replicas in sync")
	}
	kit.Fails(admin.CreatePartitions(topic, 3, nil, false), sarama.ErrInvalidPartitions, "fewer partitions")
}

func configs(c *kit.Context, admin sarama.ClusterAdmin, topic string) {
	config := func(name string) sarama.ConfigEntry {
		asked := sarama.ConfigResource{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{name}}
		return kit.Must(admin.DescribeConfig(asked))[0]
	}
	// Apache Kafka's broker learns of it a moment after its controller has answered.
	becomes := func(name, value string) {
		kit.Eventually(func() bool { return config(name).Value == value }, name+" becomes "+value, 10)
	}
	alter := func(operation sarama.IncrementalAlterConfigsOperation, name, value string) error {
		entry := sarama.IncrementalAlterConfigsEntry{Operation: operation, Value: &value}
		entries := map[string]sarama.IncrementalAlterConfigsEntry{name: entry}
		return admin.IncrementalAlterConfig(sarama.TopicResource, topic, entries, false)
	}
	name := "max.message.bytes"
	kit.Equal(config(name).Value, "1048588", "the default")
	kit.Equal(config(name).Source, sarama.SourceDefault, "source of the default")
	kit.Done(alter(sarama.IncrementalAlterConfigsOperationSet, name, "2000"))
	becomes(name, "2000")
	kit.Equal(config(name).Source, sarama.SourceTopic, "its source")
	err := send(c, []*sarama.ProducerMessage{record(topic, 0, strings.Repeat("x", 3000))})
	kit.Fails(err, sarama.ErrMessageSizeTooLarge, "the new limit")
	kit.Done(alter(sarama.IncrementalAlterConfigsOperationDelete, name, ""))
	becomes(name, "1048588")
	kit.Done(alter(sarama.IncrementalAlterConfigsOperationAppend, "cleanup.policy", "compact"))
	becomes("cleanup.policy", "delete,compact")
	kit.Done(alter(sarama.IncrementalAlterConfigsOperationSubtract, "cleanup.policy", "compact"))
	becomes("cleanup.policy", "delete")
	err = alter(sarama.IncrementalAlterConfigsOperationSet, "retention.ms", "soon")
	kit.Check(err != nil && strings.Contains(err.Error(), "retention.ms"), "a bad value gave %v", err)
	size := "1048576"
	kit.Done(admin.AlterConfig(sarama.TopicResource, topic, map[string]*string{"segment.bytes": &size}, false))
	becomes("segment.bytes", size)
	broker := kit.Must(admin.DescribeConfig(sarama.ConfigResource{Type: sarama.BrokerResource, Name: "1"}))
	at := slices.IndexFunc(broker, func(entry sarama.ConfigEntry) bool { return entry.Name == "node.id" })
	kit.Check(at >= 0 && broker[at].Value == "1" && broker[at].ReadOnly, "node.id of the broker")
}

func records(c *kit.Context, admin sarama.ClusterAdmin, topic string) {
	now := time.Now()
	stamped := numbered(topic, 1, 0, 50)
	for number, record := range stamped {
		record.Timestamp = now.Add(time.Duration(number) * time.Millisecond)
	}
	kit.Done(send(c, stamped, batchesOf(1), idempotence))
	kit.Done(admin.DeleteRecords(topic, map[int32]int64{0: 30}))
	kit.Equal(offsets(read(c, topic, 20)[0]), kit.Range(30, 50), "what is left")
	kit.Fails(admin.DeleteRecords(topic, map[int32]int64{0: 51}), sarama.ErrOffsetOutOfRange, "beyond the end")
	listed := func(at int64) *sarama.OffsetResult {
		return kit.Must(admin.ListOffsets(map[string]map[int32]int64{topic: {0: at}}, nil))[topic][0]
	}
	kit.Equal(listed(sarama.OffsetOldest).Offset, 30, "the earliest offset")
	kit.Equal(listed(sarama.OffsetNewest).Offset, 50, "the latest offset")
	// The client asks in a version that is too old for the question.
	kit.Fails(listed(-3).Err, sarama.ErrUnsupportedVersion, "the offset of the latest timestamp")
	request := &sarama.DescribeProducersRequest{
		Topics: []sarama.DescribeProducersRequestTopic{{Name: topic, PartitionIndexes: []int32{0}}},
	}
	active := kit.Must(kit.Must(admin.Controller()).DescribeProducers(request)).Topics[0].Partitions[0]
	kit.Check(len(active.ActiveProducers) > 0, "no producer is known")
}

func groups(c *kit.Context, admin sarama.ClusterAdmin, topic string) {
	group := c.Group()
	readAsGroup(c, group, topic, 20, func(session sarama.ConsumerGroupSession) {
		session.Commit()
		_, there := kit.Must(admin.ListConsumerGroups())[group]
		kit.Check(there, "the group is not listed")
		kit.Fails(admin.DeleteConsumerGroup(group), sarama.ErrNonEmptyGroup, "deleting a living group")
	}, manualCommit)
	kit.Equal(committed(c, admin, group, topic).Offset, 50, "committed offset")
	moved := map[string]map[int32]sarama.OffsetAndMetadata{topic: {0: {Offset: 35, LeaderEpoch: -1}}}
	answer := kit.Must(admin.AlterConsumerGroupOffsets(group, moved, nil))
	kit.Fails(answer.Errors[topic][0], sarama.ErrNoError, "moving an offset")
	kit.Equal(committed(c, admin, group, topic).Offset, 35, "moved offset")
	fresh := c.Group("fresh")
	asked := map[string][]int32{topic: {0}}
	many := kit.Must(admin.ListConsumerGroupOffsetsBatch(map[string]map[string][]int32{group: asked, fresh: asked}))
	kit.Equal(many[group].Blocks[topic][0].Offset, 35, "one of two groups in one request")
	kit.Equal(many[fresh].Blocks[topic][0].Offset, -1, "the other")
	kit.Done(admin.DeleteConsumerGroupOffset(group, topic, 0))
	kit.Equal(committed(c, admin, group, topic).Offset, -1, "deleted offset")
	kit.Done(admin.DeleteConsumerGroup(group))
	_, there := kit.Must(admin.ListConsumerGroups())[group]
	kit.Check(!there, "the group is still there")
	kit.Fails(admin.DeleteConsumerGroup(group), sarama.ErrGroupIDNotFound, "deleting a group that is not there")
}
