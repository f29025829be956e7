package main

import (
	"sluice"
	"unsafe"
)

var (
	queryRecords   = sluice.NewCounter(`audit_records_total{record="query"}`)
	sessionRecords = sluice.NewCounter(`audit_records_total{record="session"}`)
	errorRecords   = sluice.NewCounter(`audit_records_total{record="error"}`)

	droppedByLog       = sluice.NewCounter(`audit_dropped_total{reason="log"}`)
	droppedByBuffer    = sluice.NewCounter(`audit_dropped_total{reason="buffer"}`)
	droppedByCollector = sluice.NewCounter(`audit_dropped_total{reason="collector"}`)
)

// Records that were lost, and not reported yet where they should have been.
var lostInLog, lostInCollector uint64

// emit writes a record to wherever the settings want it.
func emit(made *record) {
	countRecord(made.kind)
	line := made.line()
	if settings.log && !writeLog(line) {
		droppedByLog.Add(1)
		lostInLog++
	}
	if collector.isOn && !collector.add(line) {
		droppedByBuffer.Add(1)
		lostInCollector++
	}
}

func countRecord(kind string) {
	switch kind {
	case "query":
		queryRecords.Add(1)
	case "error":
		errorRecords.Add(1)
	default:
		sessionRecords.Add(1)
	}
}

func writeLog(line []byte) bool {
	// The host copies it.
	return sluice.Log(sluice.LevelInfo, unsafe.String(unsafe.SliceData(line), len(line))) == nil
}

// reportDrops says where records are missing how many those are, as soon as that can be said.
func reportDrops() {
	if lostInLog > 0 && writeLog(dropRecord(lostInLog)) {
		lostInLog = 0
	}
	if lostInCollector > 0 && collector.addLost(dropRecord(lostInCollector), lostInCollector) {
		lostInCollector = 0
	}
}

func dropRecord(count uint64) []byte {
	made := newRecord("dropped", nil)
	made.number("worker", uint64(sluice.Event.Worker))
	made.number("records", count)
	return made.line()
}
