package sluice

import (
	"strings"
	"unsafe"
)

// What an event may make possible: see [Can].
const (
	CanReplace uint32 = 1 << iota
	CanRespond
	CanReject
	CanClose
	CanRoute
	// IsPipelined: earlier requests of the session have not been answered yet.
	IsPipelined
	// IsDescribed: a reply to this Execute begins with the description of its rows.
	IsDescribed
	// IsFromPlugin: what passes was made by a plugin, not by the server or the client.
	IsFromPlugin
	// IsTLS: the client uses TLS.
	IsTLS
	// IsPooled: another session had the server connection before and another may have it after.
	IsPooled
)

// Where a query's text comes from.
const (
	// PhaseNone is not about a query.
	PhaseNone uint8 = iota
	// PhaseSimple is a Query message: its text is about to run.
	PhaseSimple
	// PhaseParse is a Parse message: its text is about to be prepared.
	PhaseParse
	// PhaseExecute is an Execute message: a portal is about to run.
	PhaseExecute
)

// EventBlock is what every hook is called with: 64 bytes that the host writes before each call.
type EventBlock struct {
	// ABI is the version of the contract: 1.
	ABI uint16
	// Hook is the number of the hook, from 1.
	Hook uint16
	// Flags is a sum of what begins with Can and Is.
	Flags uint32
	// Session is unlike that of any other session of the process; 0 where there is none.
	Session uint64
	// TimeMS is milliseconds since 1970.
	TimeMS uint64
	// PayloadSize is in bytes.
	PayloadSize uint32
	// MessageType is that of the payload's first message, such as 'Q'; 0 if it is no message.
	MessageType uint8
	// TransactionStatus is 'I' idle, 'T' in a transaction, 'E' in a failed one, 0 unknown.
	TransactionStatus uint8
	// Phase says where a query's text comes from.
	Phase uint8
	_     uint8
	// Request is the number of the request within its session, from 1; 0 if nobody asked.
	Request uint64
	// DurationUS is how long it took, in microseconds, where something has ended; 0 elsewhere.
	DurationUS uint64
	// Rows in the payload, or in the whole result where something has ended.
	Rows uint32
	// Worker is which worker calls, from 0; 4294967295 for the control plane.
	Worker uint32
	_      uint64
}

// Event is good while a hook runs.
var Event EventBlock

//go:wasmexport sluice_event
func eventAddress() unsafe.Pointer {
	return unsafe.Pointer(&Event)
}

// Can says whether a verdict, such as [CanReject], is possible now.
func Can(verdict uint32) bool {
	return Event.Flags&verdict != 0
}

// Is says whether a fact, such as [IsTLS], is true of the event.
func Is(fact uint32) bool {
	return Event.Flags&fact != 0
}

// Payload is empty if there is none.
func Payload() []byte {
	payload, _ := Field(FieldPayload)
	return payload
}

// PayloadPart copies a part of the payload from offset on, and returns how many bytes there were.
func PayloadPart(offset int, into []byte) int {
	size, ok := FieldPart(FieldPayload, offset, into)
	if !ok || size < offset {
		return 0
	}
	return min(size-offset, len(into))
}

// Text of the query; empty if the event is not about one.
func Text() string {
	text, _ := FieldString(FieldText)
	return text
}

// NormalisedText is the query with its constants replaced by $1, $2 and so on. Permission: parse.
func NormalisedText() (string, bool) {
	return FieldString(FieldNormalisedText)
}

// Fingerprint is 16 hexadecimal digits, the same for queries that differ in constants only.
// Permission: parse.
func Fingerprint() (string, bool) {
	return FieldString(FieldFingerprint)
}

// Statement is one of a query's text.
type Statement struct {
	// Kind is such as select.
	Kind string
	// IsWrite: it may change something.
	IsWrite bool
	// IsLocking: it locks rows or tables.
	IsLocking bool
	// IsWithoutWhere: it updates or deletes every row.
	IsWithoutWhere bool
}

// Statements of the text. Permission: parse.
func Statements() []Statement {
	var all []Statement
	for _, line := range lines(FieldStatements) {
		// A kind has several words, such as CREATE TABLE AS.
		kind, words, isRead := strings.Cut(line, " read")
		if !isRead {
			kind, words, _ = strings.Cut(line, " write")
		}
		one := Statement{Kind: kind, IsWrite: !isRead}
		for _, word := range strings.Fields(words) {
			one.IsLocking = one.IsLocking || word == "locking"
			one.IsWithoutWhere = one.IsWithoutWhere || word == "without-where"
		}
		all = append(all, one)
	}
	return all
}

// TableUse is one table that a query's text names.
type TableUse struct {
	// Name as in the text, with its schema if that is there.
	Name string
	// IsWrite: it is written to.
	IsWrite bool
}

// Tables that the text names. Permission: parse.
func Tables() []TableUse {
	var all []TableUse
	for _, line := range lines(FieldTables) {
		word, name, _ := strings.Cut(line, " ")
		all = append(all, TableUse{Name: name, IsWrite: word == "write"})
	}
	return all
}

// InjectionSignals are signs of an injection. Permission: parse.
func InjectionSignals() []string {
	return lines(FieldInjectionSignals)
}

// Functions are those that the text calls by name, in lower case. Permission: parse.
func Functions() []string {
	return lines(FieldFunctions)
}

func lines(field FieldNumber) []string {
	text, _ := FieldString(field)
	return strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
}
