// Answers "select hello()" itself, and counts how often it did.
package main

import (
	"sluice"
	"strconv"
	"strings"
)

var hellos = sluice.NewCounter("hellos_total")

//go:wasmexport onQuery
func onQuery() sluice.Verdict {
	text := strings.TrimSuffix(sluice.Text(), ";") // which comes with what is typed into psql
	if !sluice.Can(sluice.CanRespond) || text != "select hello()" {
		return sluice.Forward
	}
	greeting, found := sluice.Config("greeting")
	if !found {
		greeting = "hello"
	}
	times, _ := sluice.KVIncrement("hellos", 1, 0)
	hellos.Add(1)
	sluice.Info("Said hello")
	table := sluice.NewTable().Column("greeting", sluice.TypeText).Column("times", sluice.TypeInt8)
	return sluice.Respond(table.Value(greeting).Value(strconv.FormatInt(times, 10)))
}

func main() {}
