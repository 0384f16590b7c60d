package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kbroker/compat/golang/kit"
)

var adminScenarios = []kit.Scenario{
	{Name: "create_topic", Run: createTopics},
	{Name: "admin", Run: administration},
}

func createTopics(c *kit.Context) {
	topic := c.Topic()
	withAdmin(c, func(admin *kadm.Client) {
		hour := map[string]*string{"retention.ms": kadm.StringPtr("3600000")}
		created := kit.Must(admin.CreateTopic(c, 3, 1, hour, topic))
		kit.Equal(created.NumPartitions, 3, "partitions in the answer")
		kit.Equal(created.ReplicationFactor, 1, "replicas in the answer")
		kit.Equal(*created.Configs["retention.ms"].Value, "3600000", "config in the answer")
		for partition := range int32(3) {
			fill(c, topic, partition, 0, 1)
		}
		kit.Equal(kit.Must(admin.ListTopics(c, topic))[topic].ID, created.ID, "topic id")

		fails := func(expected error, name string, partitions int32, replicas int16, config ...string) {
			configs := map[string]*string{}
			for _, setting := range config {
				key, value, _ := strings.Cut(setting, "=")
				configs[key] = &value
			}
			_, err := admin.CreateTopic(c, partitions, replicas, configs, name)
			kit.Fails(err, expected, "creating "+name)
		}
		fails(kerr.TopicAlreadyExists, topic, 1, 1)
		fails(kerr.InvalidTopicException, "not a name", 1, 1)
		fails(kerr.InvalidReplicationFactor, c.Topic("rf"), 1, 5)
		fails(kerr.InvalidPartitions, c.Topic("p"), 0, 1)
		fails(kerr.InvalidConfig, c.Topic("c"), 1, 1, "retention.ms=soon")
		fails(kerr.InvalidConfig, c.Topic("u"), 1, 1, "no.such.config=1")

		tried := c.Topic("tried")
		kit.Done(kit.Must(admin.ValidateCreateTopics(c, 1, 1, nil, tried)).Error())
		kit.Check(!kit.Must(admin.ListTopics(c)).Has(tried), "validating has created a topic")
		defaults := kit.Must(admin.CreateTopic(c, -1, -1, nil, c.Topic("defaults")))
		kit.Equal(defaults.NumPartitions, 1, "default partitions")
	})
}

func administration(c *kit.Context) {
	topic := createTopic(c, c.Topic(), 2)
	withAdmin(c, func(admin *kadm.Client) {
		cluster(c, admin, topic)
		partitions(c, admin, topic)
		configs(c, admin, topic)
		records(c, admin, topic)
		groups(c, admin, topic)
		kit.Must(admin.DeleteTopic(c, topic))
		gone := func() bool { return !kit.Must(admin.ListTopics(c)).Has(topic) }
		kit.Eventually(gone, "the topic is gone", 20)
	})
}

func cluster(c *kit.Context, admin *kadm.Client, topic string) {
	metadata := kit.Must(admin.BrokerMetadata(c))
	kit.Check(metadata.Cluster != "", "no cluster id")
	kit.Equal(metadata.Brokers.NodeIDs(), []int32{1}, "nodes")
	kit.Equal(metadata.Controller, 1, "controller")
	broker := client(c.Bootstrap)
	defer broker.Close()
	described := kit.Must(kmsg.NewPtrDescribeClusterRequest().RequestWith(c, broker))
	kit.Equal(described.ClusterID, metadata.Cluster, "cluster id, asked in another way")
	versions := kit.Must(kmsg.NewPtrApiVersionsRequest().RequestWith(c, broker))
	kit.Check(slices.ContainsFunc(versions.FinalizedFeatures, func(feature kmsg.ApiVersionsResponseFinalizedFeature) bool {
		return feature.Name == "metadata.version"
	}), "no metadata.version among the features")
	directories := kit.Must(admin.DescribeBrokerLogDirs(c, 1, nil))
	kit.Done(directories.Error())
	_, there := directories.LookupPartition(topic, 0)
	kit.Check(there, "the topic is in no log directory")
	coordinators := admin.FindGroupCoordinators(c, c.Group("one"), c.Group("two"))
	kit.Done(coordinators.Error())
	kit.Equal(len(coordinators), 2, "coordinators of two groups in one request")
}

func partitions(c *kit.Context, admin *kadm.Client, topic string) {
	kit.Done(kit.Must(admin.UpdatePartitions(c, 5, topic)).Error())
	kit.Eventually(func() bool {
		return len(kit.Must(admin.ListTopics(c, topic))[topic].Partitions) == 5
	}, "five partitions", 10)
	for _, partition := range kit.Must(admin.ListTopics(c, topic))[topic].Partitions {
		kit.Equal(partition.Leader, 1, "leader")
		kit.Equal(partition.ISR, []int32{1}, "replicas in sync")
	}
	fewer := kit.Must(admin.UpdatePartitions(c, 3, topic)).Error()
	kit.Fails(fewer, kerr.InvalidPartitions, "fewer partitions")
}

func configs(c *kit.Context, admin *kadm.Client, topic string) {
	config := func(name string) *kadm.Config {
		described := kit.Must(admin.DescribeTopicConfigs(c, topic))
		resource := kit.Must(described.On(topic, nil))
		kit.Done(resource.Err)
		at := slices.IndexFunc(resource.Configs, func(config kadm.Config) bool { return config.Key == name })
		kit.Check(at >= 0, "no config %s", name)
		return &resource.Configs[at]
	}
	// Apache Kafka's broker learns of it a moment after its controller has answered.
	becomes := func(name, value string) {
		kit.Eventually(func() bool { return config(name).MaybeValue() == value }, name+" becomes "+value, 10)
	}
	alter := func(operation kadm.IncrementalOp, name, value string) error {
		changed := kadm.AlterConfig{Op: operation, Name: name, Value: &value}
		return kit.Must(kit.Must(admin.AlterTopicConfigs(c, []kadm.AlterConfig{changed}, topic)).On(topic, nil)).Err
	}
	name := "max.message.bytes"
	kit.Equal(config(name).MaybeValue(), "1048588", "the default")
	kit.Equal(config(name).Source, kmsg.ConfigSourceDefaultConfig, "source of the default")
	kit.Done(alter(kadm.SetConfig, name, "2000"))
	becomes(name, "2000")
	kit.Equal(config(name).Source, kmsg.ConfigSourceDynamicTopicConfig, "its source")
	err := send(c, []*kgo.Record{record(topic, 0, strings.Repeat("x", 3000))}, kgo.ProducerBatchCompression(kgo.NoCompression()))
	kit.Fails(err, kerr.MessageTooLarge, "the new limit")
	kit.Done(alter(kadm.DeleteConfig, name, ""))
	becomes(name, "1048588")
	kit.Done(alter(kadm.AppendConfig, "cleanup.policy", "compact"))
	becomes("cleanup.policy", "delete,compact")
	kit.Done(alter(kadm.SubtractConfig, "cleanup.policy", "compact"))
	becomes("cleanup.policy", "delete")
	kit.Fails(alter(kadm.SetConfig, "retention.ms", "soon"), kerr.InvalidConfig, "a bad value")
	state := []kadm.AlterConfig{{Name: "segment.bytes", Value: kadm.StringPtr("1048576")}}
	kit.Done(kit.Must(kit.Must(admin.AlterTopicConfigsState(c, state, topic)).On(topic, nil)).Err)
	becomes("segment.bytes", "1048576")
	broker := kit.Must(kit.Must(admin.DescribeBrokerConfigs(c, 1)).On("1", nil))
	at := slices.IndexFunc(broker.Configs, func(config kadm.Config) bool { return config.Key == "node.id" })
	kit.Check(at >= 0 && broker.Configs[at].MaybeValue() == "1", "node.id of the broker")
}

func records(c *kit.Context, admin *kadm.Client, topic string) {
	now := time.Now()
	producer := client(c.Bootstrap)
	defer producer.Close()
	for number := range 50 {
		stamped := record(topic, 0, fmt.Sprint(number))
		stamped.Timestamp = now.Add(time.Duration(number) * time.Millisecond)
		kit.Done(producer.ProduceSync(c, stamped).FirstErr())
	}
	deletion := func(offset int64) error {
		before := kadm.Offsets{}
		before.AddOffset(topic, 0, offset, -1)
		deleted, _ := kit.Must(admin.DeleteRecords(c, before)).Lookup(topic, 0)
		if deleted.Err == nil {
			kit.Equal(deleted.LowWatermark, offset, "low watermark")
		}
		return deleted.Err
	}
	kit.Done(deletion(30))
	kit.Equal(offsets(read(c, topic, 20, 1)), kit.Range(30, 50), "what is left")
	kit.Fails(deletion(51), kerr.OffsetOutOfRange, "beyond the end")
	kit.Equal(kit.Must(admin.ListStartOffsets(c, topic))[topic][0].Offset, 30, "the earliest offset")
	kit.Equal(kit.Must(admin.ListEndOffsets(c, topic))[topic][0].Offset, 50, "the latest offset")
	kit.Equal(kit.Must(admin.ListMaxTimestampOffsets(c, topic))[topic][0].Offset, 49, "the offset of the latest timestamp")
	active := kit.Must(admin.DescribeProducers(c, kadm.TopicsSet{topic: {0: {}}}))
	kit.Check(len(active[topic].Partitions[0].ActiveProducers) > 0, "no producer is known")
}

func groups(c *kit.Context, admin *kadm.Client, topic string) {
	group := c.Group()
	member := client(c.Bootstrap, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer member.Close()
	poll(c, member, 20)
	kit.Done(member.CommitUncommittedOffsets(c))
	kit.Check(slices.Contains(kit.Must(admin.ListGroups(c)).Groups(), group), "the group is not listed")
	_, err := admin.DeleteGroup(c, group)
	kit.Fails(err, kerr.NonEmptyGroup, "deleting a living group")
	lag := kit.Must(admin.Lag(c, group))[group]
	kit.Done(lag.Error())
	kit.Equal(lag.Lag.Total(), 0, "lag of the group")
	kit.Done(member.LeaveGroupContext(c))

	committed := func() (int64, bool) {
		found, there := kit.Must(admin.FetchOffsets(c, group)).Lookup(topic, 0)
		return found.At, there
	}
	at, _ := committed()
	kit.Equal(at, 50, "committed offset")
	moved := kadm.Offsets{}
	moved.AddOffset(topic, 0, 35, -1)
	kit.Done(admin.CommitAllOffsets(c, group, moved))
	at, _ = committed()
	kit.Equal(at, 35, "moved offset")
	many := admin.FetchManyOffsets(c, group, c.Group("fresh"))
	kit.Equal(len(many), 2, "offsets of two groups in one request")
	found, _ := many[group].Fetched.Lookup(topic, 0)
	kit.Equal(found.At, 35, "one of them")
	deleted := kit.Must(admin.DeleteOffsets(c, group, kadm.TopicsSet{topic: {0: {}}}))
	kit.Done(deleted.Error())
	_, there := committed()
	kit.Check(!there, "the deleted offset is still there")
	kit.Must(admin.DeleteGroup(c, group))
	kit.Check(!slices.Contains(kit.Must(admin.ListGroups(c)).Groups(), group), "the group is still there")
	_, err = admin.DeleteGroup(c, group)
	kit.Fails(err, kerr.GroupIDNotFound, "deleting a group that is not there")
}
