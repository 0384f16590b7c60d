// The program: kafka-go's scenarios by name, in the conversation of compat/programs.py.
package main

import (
	"slices"

	"kbroker/compat/golang/kit"
)

func main() {
	kit.Program{
		Module:    "github.com/segmentio/kafka-go",
		Scenarios: slices.Concat(produceScenarios, consumeScenarios, groupScenarios, adminScenarios, restartScenarios),
		Member:    member,
	}.Main()
}
