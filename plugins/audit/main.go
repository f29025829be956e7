// Records who asked what, when, how long it took and what came of it: a line of JSON for each query
// that has ended, each session, and each error that answers no query.
package main

import "sluice"

func init() {
	sluice.Init = start
}

func start() error {
	if err := readSettings(); err != nil {
		return err
	}
	return startCollector()
}

//go:wasmexport onOpening
func onOpening() sluice.Verdict {
	sessions.begin(sluice.Event.Session)
	return sluice.Forward
}

//go:wasmexport onOpened
func onOpened() sluice.Verdict {
	one := sessions.of(sluice.Event.Session)
	one.isOpen = true
	if settings.sessions && one.isAudited() {
		emit(newRecord("session_opened", one))
	}
	return sluice.Forward
}

//go:wasmexport onClosed
func onClosed() sluice.Verdict {
	one := sessions.of(sluice.Event.Session)
	sessions.end(sluice.Event.Session)
	if !settings.sessions || !one.isAudited() {
		return sluice.Forward
	}
	name := "session_closed"
	if !one.isOpen {
		name = "login_refused"
	}
	made := newRecord(name, one)
	made.number("duration_us", sluice.Event.DurationUS)
	made.field("reason", sluice.FieldMessage, reasonSizeMax)
	emit(made)
	return sluice.Forward
}

//go:wasmexport onQueryEnd
func onQueryEnd() sluice.Verdict {
	one := sessions.of(sluice.Event.Session)
	statement := one.nextStatement(sluice.Event.Request)
	if one.isAudited() {
		recordQuery(one, statement)
	}
	return sluice.Forward
}

// What answers a query is told by onQueryEnd as well.
//
//go:wasmexport onError
func onError() sluice.Verdict {
	if sluice.Event.Request != 0 {
		return sluice.Forward
	}
	one := sessions.of(sluice.Event.Session)
	if one.isAudited() {
		made := newRecord("error", one)
		made.failure()
		emit(made)
	}
	return sluice.Forward
}

//go:wasmexport onTick
func onTick() sluice.Verdict {
	reportDrops()
	collector.flush()
	return sluice.Forward
}

//go:wasmexport onHook
func onHook() sluice.Verdict {
	collector.onResponse()
	return sluice.Forward
}

func main() {}
