package kit

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"time"
)

// Check fails the scenario with a message.
func Check(condition bool, format string, arguments ...any) {
	if !condition {
		panic(fmt.Errorf(format, arguments...))
	}
}

// Equal fails the scenario when two things differ, showing both.
func Equal[T any](found, expected T, what string) {
	Check(reflect.DeepEqual(found, expected), "%s: expected %s, found %s", what, short(expected), short(found))
}

// Done fails the scenario when there was an error.
func Done(err error) {
	if err != nil {
		panic(err)
	}
}

// Must is the value, or fails the scenario.
func Must[T any](value T, err error) T {
	Done(err)
	return value
}

// Fails fails the scenario unless this error came.
func Fails(err, expected error, what string) {
	Check(errors.Is(err, expected), "%s: expected %v, found %v", what, expected, err)
}

// Eventually fails the scenario when something does not become true in time.
func Eventually(condition func() bool, what string, seconds int) {
	deadline := time.Now().Add(time.Duration(seconds) * time.Second)
	for !condition() {
		Check(time.Now().Before(deadline), "not within %d s: %s", seconds, what)
		time.Sleep(50 * time.Millisecond)
	}
}

// Range is the numbers from one to just before another.
func Range(from, to int) []int64 {
	numbers := make([]int64, 0, to-from)
	for number := from; number < to; number++ {
		numbers = append(numbers, int64(number))
	}
	return numbers
}

// Numbers is the same as texts.
func Numbers(from, to int) []string {
	return Map(Range(from, to), func(number int64) string { return strconv.FormatInt(number, 10) })
}

// Map is what a function makes of each item.
func Map[From, To any](items []From, turn func(From) To) []To {
	made := []To{}
	for _, item := range items {
		made = append(made, turn(item))
	}
	return made
}

// Filter is the items of which something is true.
func Filter[T any](items []T, wanted func(T) bool) []T {
	found := []T{}
	for _, item := range items {
		if wanted(item) {
			found = append(found, item)
		}
	}
	return found
}

// Sorted is a sorted copy of what texts say as numbers.
func Sorted(texts []string) []int64 {
	numbers := Map(texts, func(text string) int64 { return Must(strconv.ParseInt(text, 10, 64)) })
	slices.Sort(numbers)
	return numbers
}

func short(value any) string {
	text := fmt.Sprintf("%+v", value)
	if len(text) > 300 {
		return fmt.Sprintf("%s… (%d bytes)", text[:200], len(text))
	}
	return text
}
