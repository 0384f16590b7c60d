package kit

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
)

// MemberSettings is what a member of a group is started with.
type MemberSettings struct {
	Bootstrap string
	Group     string
	Topic     string
	Instance  string // Of a static member.
	Strategy  string // How partitions are shared out; what the client begins with if empty.
}

// Member is a consumer in a process of its own, so that it can be killed; this end of it.
type Member struct {
	process *exec.Cmd
	input   io.Closer
	ended   chan struct{}

	lock     sync.Mutex
	assigned [][]int64 // One after the other.
	values   []string
	failure  string
}

// WithMembers tells a story of members; those still alive at its end are killed.
func (c *Context) WithMembers(story func(start func(MemberSettings) *Member)) {
	var members []*Member
	defer func() {
		for _, member := range members {
			member.Kill()
		}
	}()
	story(func(settings MemberSettings) *Member {
		member := start(settings)
		members = append(members, member)
		return member
	})
}

func start(settings MemberSettings) *Member {
	text := Must(json.Marshal(settings))
	process := exec.Command(Must(os.Executable()), "member", string(text))
	process.Stderr = os.Stderr
	input := Must(process.StdinPipe())
	output := Must(process.StdoutPipe())
	Done(process.Start())
	member := &Member{process: process, input: input, ended: make(chan struct{})}
	go member.read(output)
	return member
}

func (m *Member) read(output io.Reader) {
	defer close(m.ended)
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		word, text, _ := strings.Cut(lines.Text(), " ")
		m.lock.Lock()
		switch word {
		case "assigned":
			m.assigned = append(m.assigned, Sorted(strings.Fields(text)))
		case "record":
			m.values = append(m.values, text)
		case "error":
			m.failure = text
		}
		m.lock.Unlock()
	}
}

// Assignments is what it owned after each change.
func (m *Member) Assignments() [][]int64 {
	m.lock.Lock()
	defer m.lock.Unlock()
	return slices.Clone(m.assigned)
}

// Assigned is what it owns now.
func (m *Member) Assigned() []int64 {
	if all := m.Assignments(); len(all) > 0 {
		return all[len(all)-1]
	}
	return []int64{}
}

// Values is what it has read.
func (m *Member) Values() []string {
	m.lock.Lock()
	defer m.lock.Unlock()
	return slices.Clone(m.values)
}

// Failure is the error it ended with, if any.
func (m *Member) Failure() string {
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.failure
}

// Leave ends it by closing its consumer.
func (m *Member) Leave() {
	_ = m.input.Close()
	<-m.ended
	_ = m.process.Wait()
}

// Kill is SIGKILL.
func (m *Member) Kill() {
	_ = m.process.Process.Kill()
	<-m.ended
	_ = m.process.Wait()
}

// Settled waits until the members share all partitions evenly, each owned once.
func Settled(partitions int, members ...*Member) {
	Eventually(func() bool {
		var owned []int64
		least, most := partitions, 0
		for _, member := range members {
			mine := member.Assigned()
			owned = append(owned, mine...)
			least, most = min(least, len(mine)), max(most, len(mine))
		}
		slices.Sort(owned)
		return slices.Equal(owned, Range(0, partitions)) && most-least <= 1
	}, fmt.Sprintf("%d members share %d partitions evenly", len(members), partitions), 40)
}

// AllReadOnce waits until the members have read the numbers up to a count, each once.
func AllReadOnce(count int, members ...*Member) {
	var values []string
	Eventually(func() bool {
		values = nil
		for _, member := range members {
			values = append(values, member.Values()...)
		}
		return len(values) >= count
	}, fmt.Sprintf("%d records are read", count), 30)
	Equal(Sorted(values), Range(0, count), "records read by all members together")
}

// Group is what a member tells of its group; the other end.
type Group struct {
	Told <-chan struct{} // Closed when it is to leave.

	lock  sync.Mutex
	owned map[int64]bool
}

func (p Program) member(text string) {
	var settings MemberSettings
	Done(json.Unmarshal([]byte(text), &settings))
	told := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(told)
	}()
	p.Member(settings, &Group{Told: told, owned: map[int64]bool{}})
}

// Assigned tells of partitions that came.
func (g *Group) Assigned(partitions []int32) { g.change(partitions, true) }

// Revoked tells of partitions that went.
func (g *Group) Revoked(partitions []int32) { g.change(partitions, false) }

// Record tells of a record that was read.
func (g *Group) Record(value []byte) { fmt.Println("record " + string(value)) }

// Failed tells how it ended.
func (g *Group) Failed(why string) { fmt.Println("error " + why) }

func (g *Group) change(partitions []int32, mine bool) {
	g.lock.Lock()
	defer g.lock.Unlock()
	for _, partition := range partitions {
		if mine {
			g.owned[int64(partition)] = true
		} else {
			delete(g.owned, int64(partition))
		}
	}
	words := []string{"assigned"}
	for partition := range g.owned {
		words = append(words, fmt.Sprint(partition))
	}
	fmt.Println(strings.Join(words, " "))
}
