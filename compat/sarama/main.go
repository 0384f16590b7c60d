// The program: sarama's scenarios by name, in the conversation of compat/programs.py.
package main

import (
	"slices"

	"kbroker/compat/golang/kit"
)

func main() {
	kit.Program{
		Module:    "github.com/IBM/sarama",
		Scenarios: slices.Concat(produceScenarios, consumeScenarios, groupScenarios, adminScenarios, restartScenarios),
		Member:    member,
	}.Main()
}
