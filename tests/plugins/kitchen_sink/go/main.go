// Calls every function of the SDK; the tests know what comes of it.
package main

import (
	"errors"
	"fmt"
	"sluice"
)

var (
	calls = sluice.NewCounter(`calls_total{kind="sink"}`)
	level = sluice.NewGauge("level")
	sizes = sluice.NewHistogram("sizes")
	table sluice.Table
)

func init() {
	sluice.Init = func() error {
		if reason, found := sluice.Config("refuse"); found {
			return errors.New(reason)
		}
		return nil
	}
}

//go:wasmexport onQuery
func onQuery() sluice.Verdict {
	switch sluice.Text() {
	case "sink":
		return sink()
	case "replace":
		return sluice.Replace([]byte("select 2"))
	case "messages":
		sluice.KVWrite("stored")
		return sluice.RespondMessages([]byte("more"))
	case "reject":
		return sluice.Reject("42501", "no", "ask")
	case "close":
		return sluice.Close()
	case "route":
		return sluice.Route("reads")
	case "denied":
		fingerprint, _ := sluice.Fingerprint()
		return sluice.Reject("42501", fingerprint, "")
	case "parts":
		part := make([]byte, 4)
		for offset := 0; offset < 16; offset += 4 {
			sluice.Write(part[:sluice.PayloadPart(offset, part)])
		}
		return sluice.Replace(nil)
	default:
		return sluice.Forward
	}
}

func say(name string, value any) {
	table.Value(name).Value(fmt.Sprint(value))
}

func sayTruth(name string, isTrue bool) {
	if isTrue {
		say(name, "yes")
	} else {
		say(name, "no")
	}
}

func sayBytes(name string, value []byte, found bool) {
	sayText(name, string(value), found)
}

func sayText(name string, value string, found bool) {
	if found {
		say(name, value)
	} else {
		table.Value(name).Null()
	}
}

func sink() sluice.Verdict {
	table = sluice.NewTable()
	table.Column("fact", sluice.TypeText).Column("value", sluice.TypeText)
	calls.Add(1)
	level.Set(2.5)
	sizes.Observe(0.5)
	sluice.Warn("sink")
	sayEvent()
	sayReading()
	sayKeeping()
	must(sluice.Signal("terminate", `{"a":1}`))
	say("wall", sluice.WallClock())
	say("monotonic", sluice.MonotonicClock())
	sayBytes("random", sluice.Random(4), true)
	number, err := sluice.HTTPSend("POST", "http://h/x", "a: b", []byte("body"))
	must(err)
	say("http", number)
	sayAnalysis()
	return sluice.Respond(table.Tag("FACTS"))
}

func sayEvent() {
	event := &sluice.Event
	say("abi", event.ABI)
	say("hook", event.Hook)
	sayTruth("can respond", sluice.Can(sluice.CanRespond))
	sayTruth("can route", sluice.Can(sluice.CanRoute))
	sayTruth("pooled", sluice.Is(sluice.IsPooled))
	say("session", event.Session)
	say("time", event.TimeMS)
	say("size", event.PayloadSize)
	say("type", event.MessageType)
	say("status", event.TransactionStatus)
	say("phase", event.Phase)
	say("request", event.Request)
	say("duration", event.DurationUS)
	say("rows", event.Rows)
	say("worker", event.Worker)
}

func sayReading() {
	say("text", sluice.Text())
	sayBytes("payload", sluice.Payload(), true)
	user, found := sluice.FieldString(sluice.FieldUser)
	sayText("user", user, found)
	sqlstate, found := sluice.Field(sluice.FieldSQLState)
	sayBytes("sqlstate", sqlstate, found)
	if !found {
		say("host error", int32(sluice.Absent))
	}
	value, found := sluice.Parameter("server_version")
	sayText("parameter", value, found)
	value, found = sluice.Config("greeting")
	sayText("greeting", value, found)
	value, found = sluice.Config("long")
	sayText("long", value, found)
}

func sayKeeping() {
	must(sluice.KVSet("key", []byte("value"), 5))
	value, found := sluice.KVGet("key")
	sayBytes("kv", value, found)
	_, err := sluice.KVDelete("key")
	must(err)
	value, found = sluice.KVGet("key")
	sayBytes("kv deleted", value, found)
	sum, err := sluice.KVIncrement("sum", -40, 6)
	must(err)
	say("sum", sum)
	must(sluice.KVCapture("reply", 1000, 4096))
	value, found = sluice.SessionGet()
	sayBytes("session before", value, found)
	must(sluice.SessionSet([]byte("kept")))
	value, found = sluice.SessionGet()
	sayBytes("session after", value, found)
}

func sayAnalysis() {
	value, found := sluice.Fingerprint()
	sayText("fingerprint", value, found)
	value, found = sluice.NormalisedText()
	sayText("normalised", value, found)
	for _, statement := range sluice.Statements() {
		say("kind", statement.Kind)
		sayTruth("write", statement.IsWrite)
		sayTruth("locking", statement.IsLocking)
		sayTruth("without where", statement.IsWithoutWhere)
	}
	for _, one := range sluice.Tables() {
		if one.IsWrite {
			say("writes", one.Name)
		} else {
			say("reads", one.Name)
		}
	}
	for _, sign := range sluice.InjectionSignals() {
		say("sign", sign)
	}
	for _, function := range sluice.Functions() {
		say("calls", function)
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {}
