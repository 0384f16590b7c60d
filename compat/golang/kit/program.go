// Package kit is what the programs of all Go clients share: the conversation of compat/programs.py, members in
// processes of their own, and the small words the scenarios are written in.
package kit

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"time"
)

// Shorter than the runner's deadline, so that what waits for too long says what it waited for.
const scenarioTimeout = 110 * time.Second

// Program is one client's: its module, what it can do, and its member of a group.
type Program struct {
	Module    string
	Scenarios []Scenario
	Member    func(MemberSettings, *Group)
}

// Scenario passes by returning and fails by panicking.
type Scenario struct {
	Name string
	Run  func(*Context)
}

// Context is one scenario's world, and the time it has. Everything it creates carries its prefix.
type Context struct {
	context.Context
	Kind      string
	Bootstrap string

	scenario string
	prefix   string
	runner   *bufio.Reader
	remark   string
}

type skip string

// Main answers the runner until it closes our standard input. The arguments are the command that runs the client's
// own test-suite, or say that this is a member.
func (p Program) Main() {
	arguments := os.Args[1:]
	if len(arguments) > 0 && arguments[0] == "member" {
		p.member(arguments[1])
		return
	}
	scenarios := p.Scenarios
	if len(arguments) > 0 {
		scenarios = append(scenarios, Scenario{"own_suite", ownSuite(arguments)})
	}
	names := []string{"scenarios"}
	for _, scenario := range scenarios {
		names = append(names, scenario.Name)
	}
	say("client", version(p.Module))
	say(names...)
	runner := bufio.NewReader(os.Stdin)
	for {
		line, err := runner.ReadString('\n')
		if err != nil {
			return
		}
		// run, scenario, kind of broker, bootstrap, prefix
		words := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		c := &Context{Kind: words[2], Bootstrap: words[3], scenario: words[1], prefix: words[4], runner: runner}
		for _, scenario := range scenarios {
			if scenario.Name == words[1] {
				say(outcome(scenario, c)...)
			}
		}
	}
}

func outcome(scenario Scenario, c *Context) (verdict []string) {
	timed, cancel := context.WithTimeout(context.Background(), scenarioTimeout)
	defer cancel()
	c.Context = timed
	defer func() {
		switch reason := recover().(type) {
		case nil:
			verdict = []string{"passed", c.remark}
		case skip:
			verdict = []string{"skipped", string(reason)}
		default:
			// Where it happened is in the program's log; the runner shows what.
			debug.PrintStack()
			verdict = []string{"failed", fmt.Sprint(reason)}
		}
	}()
	scenario.Run(c)
	return nil
}

// Topic is a name that nobody else uses.
func (c *Context) Topic(suffix ...string) string {
	return strings.Join(append([]string{c.prefix, c.scenario}, suffix...), "-")
}

// Group is a group id that nobody else uses.
func (c *Context) Group(suffix ...string) string {
	return c.Topic(suffix...)
}

// Broker has the runner kill, stop or start the broker.
func (c *Context) Broker(action string) {
	say("broker", action)
	line, err := c.runner.ReadString('\n')
	Done(err)
	word, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
	if word == "refused" {
		panic(skip(text))
	}
	Check(word == "done", "the runner could not %s the broker: %s", action, text)
}

// Its output is the verdict.
func ownSuite(command []string) func(*Context) {
	return func(c *Context) {
		suite := exec.Command(command[0], append(command[1:], c.Kind, c.Bootstrap)...)
		suite.Stderr = os.Stderr
		output, err := suite.Output()
		c.remark = strings.TrimSpace(string(output))
		Check(err == nil, "%s", c.remark)
	}
}

func version(module string) string {
	info, _ := debug.ReadBuildInfo()
	for _, dependency := range info.Deps {
		if dependency.Path == module {
			return strings.TrimPrefix(dependency.Version, "v")
		}
	}
	return "unknown"
}

func say(words ...string) {
	clean := strings.NewReplacer("\t", " ", "\n", " | ")
	for index, word := range words {
		words[index] = clean.Replace(word)
	}
	fmt.Println("@" + strings.Join(words, "\t"))
}
