package main

import (
	"fmt"
	"sluice"
	"strings"
)

const (
	nanosecondsPerSecond = 1_000_000_000
	// Between two attempts to send a batch, at most.
	waitSecondsMax = 30
)

var (
	batchesSent   = sluice.NewCounter(`audit_batches_total{result="sent"}`)
	batchesFailed = sluice.NewCounter(`audit_batches_total{result="failed"}`)
)

// Lines that wait to be sent, and those that are on their way: one batch at a time.
var collector httpCollector

type httpCollector struct {
	isOn        bool
	url         string
	headers     string
	batchBytes  int
	attemptsMax int

	pending        []byte
	pendingRecords uint64
	// Records that were lost before, and that lines among the pending ones tell of.
	pendingLost  uint64
	batch        []byte
	batchRecords uint64
	batchLost    uint64
	attempts     int
	// Number of the request that has the batch, 0 if none has.
	request uint64
	// When the batch may be sent again.
	notBefore int64
}

func startCollector() error {
	url, found := sluice.Config("collector.url")
	if !found {
		return nil
	}
	// What cannot be sent is refused for that, unless nothing may be sent.
	if _, err := sluice.HTTPSend("", "", "", nil); err == sluice.Denied {
		return fmt.Errorf("a collector needs the permission http: write it into permissions")
	}
	headers := append(list("collector.headers"), "content-type: application/x-ndjson")
	made := httpCollector{isOn: true, url: url, headers: strings.Join(headers, "\n")}
	var err error
	if made.batchBytes, err = integer("collector.batchBytes"); err != nil {
		return err
	}
	bufferBytes, err := integer("collector.bufferBytes")
	if err != nil {
		return err
	}
	if made.attemptsMax, err = integer("collector.attempts"); err != nil {
		return err
	}
	made.pending = make([]byte, 0, bufferBytes/2)
	made.batch = make([]byte, 0, bufferBytes/2)
	collector = made
	return nil
}

// add keeps a record until it is sent; false if there is no room for it.
func (to *httpCollector) add(line []byte) bool {
	if !to.keep(line) {
		return false
	}
	to.pendingRecords++
	to.flushFull()
	return true
}

// addLost keeps a line that tells of lost records, which are lost again if it is.
func (to *httpCollector) addLost(line []byte, lost uint64) bool {
	if !to.keep(line) {
		return false
	}
	to.pendingLost += lost
	to.flushFull()
	return true
}

func (to *httpCollector) keep(line []byte) bool {
	if len(to.pending)+len(line)+1 > cap(to.pending) {
		return false
	}
	to.pending = append(append(to.pending, line...), '\n')
	return true
}

func (to *httpCollector) flushFull() {
	if len(to.pending) >= to.batchBytes {
		to.flush()
	}
}

// flush sends what there is, unless a batch is on its way or has to wait.
func (to *httpCollector) flush() {
	if !to.isOn || to.request != 0 {
		return
	}
	if len(to.batch) == 0 {
		to.takeBatch()
	}
	if len(to.batch) == 0 || sluice.MonotonicClock() < to.notBefore {
		return
	}
	request, err := sluice.HTTPSend("POST", to.url, to.headers, to.batch)
	if err != nil {
		to.failed(err.Error(), err != sluice.OverLimit)
		return
	}
	to.request = request
}

// takeBatch makes a batch of what is pending: the buffers change places, as going through the bytes
// of one would take most of a call's fuel.
func (to *httpCollector) takeBatch() {
	to.batch, to.pending = to.pending, to.batch[:0]
	to.batchRecords, to.pendingRecords = to.pendingRecords, 0
	to.batchLost, to.pendingLost = to.pendingLost, 0
}

// onResponse is told what came of the request that the event is about.
func (to *httpCollector) onResponse() {
	if to.request == 0 || sluice.Event.Request != to.request {
		return
	}
	to.request = 0
	value, _, _ := fieldStart(sluice.FieldHTTPStatus)
	status := string(value)
	if strings.HasPrefix(status, "2") {
		batchesSent.Add(1)
		to.forgetBatch()
		to.flushFull()
		return
	}
	why := "it answered " + status
	if status == "" {
		why, _ = sluice.FieldString(sluice.FieldMessage)
	}
	to.failed(why, isFinal(status))
}

// Whoever says so will not take the same batch later.
func isFinal(status string) bool {
	return strings.HasPrefix(status, "4") && status != "408" && status != "429"
}

// failed has the batch sent again later, or gives it up.
func (to *httpCollector) failed(why string, isFinal bool) {
	batchesFailed.Add(1)
	to.attempts++
	if !isFinal && to.attempts < to.attemptsMax {
		wait := min(int64(1)<<min(to.attempts-1, 6), waitSecondsMax)
		to.notBefore = sluice.MonotonicClock() + wait*nanosecondsPerSecond
		return
	}
	droppedByCollector.Add(float64(to.batchRecords))
	lostInCollector += to.batchRecords + to.batchLost
	sluice.Warn(fmt.Sprintf("The collector did not take %d records: %s", to.batchRecords, why))
	to.forgetBatch()
}

func (to *httpCollector) forgetBatch() {
	to.batch = to.batch[:0]
	to.batchRecords = 0
	to.batchLost = 0
	to.attempts = 0
	to.notBefore = 0
}
