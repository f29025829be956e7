package sluice

import "unsafe"

// FieldNumber says what to read with [Field].
type FieldNumber int32

// What can be read of an event.
const (
	// FieldPayload is the message, or messages, as they are on the wire; elsewhere what the hook
	// says it is.
	FieldPayload FieldNumber = iota
	// FieldText is the text of the query.
	FieldText
	// FieldStatementName is the name of the prepared statement, "" for the unnamed one.
	FieldStatementName
	// FieldPortalName is the name of the portal, "" for the unnamed one.
	FieldPortalName
	// FieldParameters has for each of the portal's parameters its format, an i32 (-1: NULL) and
	// the bytes.
	FieldParameters
	// FieldResultFormats has a byte for each of the result's columns, 0 for text, 1 for binary.
	FieldResultFormats
	// FieldColumns is the RowDescription of the result that rows belong to, as a message.
	FieldColumns
	// FieldUser is the user, as the client named it.
	FieldUser
	// FieldDatabase is the database, as the client named it.
	FieldDatabase
	// FieldApplicationName is what the client called itself in application_name.
	FieldApplicationName
	// FieldClientAddress is such as 192.0.2.1:50112, or unix.
	FieldClientAddress
	// FieldServerAddress is there once there is a server.
	FieldServerAddress
	// FieldProxy is the name of the proxy in the configuration.
	FieldProxy
	// FieldListener is the name of the listener in the configuration.
	FieldListener
	// FieldStartupParameters are those of the StartupMessage: name and value in turn, each ended
	// by a zero byte.
	FieldStartupParameters
	// FieldSettings are those that the server reported in ParameterStatus, in the same form.
	FieldSettings
	// FieldSQLState is the SQLSTATE of an error.
	FieldSQLState
	// FieldMessage is the text of an error, or why a session ended.
	FieldMessage
	// FieldCommandTag is such as INSERT 0 1.
	FieldCommandTag
	// FieldPluginName is the plugin's own name.
	FieldPluginName
	// FieldConfiguration is the plugin's configuration as JSON.
	FieldConfiguration
	// FieldNormalisedText is the query's text with its constants replaced. Permission: parse.
	FieldNormalisedText
	// FieldFingerprint is the same for queries that differ in constants only. Permission: parse.
	FieldFingerprint
	// FieldStatements has a line for each statement. Permission: parse.
	FieldStatements
	// FieldTables has a line for each table. Permission: parse.
	FieldTables
	// FieldInjectionSignals has a line for each sign of an injection. Permission: parse.
	FieldInjectionSignals
	// FieldHTTPStatus is the status of an HTTP response, or "" if there was none.
	FieldHTTPStatus
	// FieldFunctions has a line for each function that the text calls. Permission: parse.
	FieldFunctions
)

// HostError is what the host answers when it cannot do what it was asked.
type HostError int32

const (
	// Absent: there is none.
	Absent HostError = -1
	// Denied: the plugin has no permission for it.
	Denied HostError = -2
	// OverLimit: a limit would be passed.
	OverLimit HostError = -3
	// Invalid: what was given cannot be.
	Invalid HostError = -4
)

func (e HostError) Error() string {
	switch e {
	case Absent:
		return "there is none"
	case Denied:
		return "the plugin has no permission for it"
	case OverLimit:
		return "a limit would be passed"
	default:
		return "what was given cannot be"
	}
}

// Field of the event, or false if it has not got it.
func Field(field FieldNumber) ([]byte, bool) {
	return whole("read", func(into unsafe.Pointer, capacity int32) int32 {
		return hostRead(int32(field), 0, into, capacity)
	})
}

// FieldPart copies a part of a field from offset on, and returns the whole field's size, which may
// be more than there is room for; false if the event has not got it. It makes no garbage.
func FieldPart(field FieldNumber, offset int, into []byte) (size int, found bool) {
	code := hostRead(int32(field), int32(offset), pointer(into), int32(len(into)))
	return present("read", code)
}

// FieldString is [Field] as a string.
func FieldString(field FieldNumber) (string, bool) {
	bytes, ok := Field(field)
	return string(bytes), ok
}

// Parameter of the session: what the server reported, or else what the StartupMessage said.
func Parameter(name string) (string, bool) {
	bytes, ok := whole("parameter", func(into unsafe.Pointer, capacity int32) int32 {
		return hostParameter(name, into, capacity)
	})
	return string(bytes), ok
}

// Config is a value of the plugin's configuration by its path, such as rules.0.table: text as it
// is, anything else as JSON.
func Config(path string) (string, bool) {
	bytes, ok := whole("config", func(into unsafe.Pointer, capacity int32) int32 {
		return hostConfig(path, into, capacity)
	})
	return string(bytes), ok
}

// What fits into this is read with one call.
const firstCapacity = 512

// whole is all that `read` has, which answers with the whole size.
func whole(what string, read func(into unsafe.Pointer, capacity int32) int32) ([]byte, bool) {
	bytes := make([]byte, firstCapacity)
	for {
		size, ok := present(what, read(pointer(bytes), int32(len(bytes))))
		if !ok {
			return nil, false
		}
		if size <= len(bytes) {
			return bytes[:size], true
		}
		bytes = make([]byte, size)
	}
}

// present is the host's size or number, or false if there is none.
func present(what string, code int32) (int, bool) {
	if code == int32(Absent) {
		return 0, false
	}
	demand(what, code)
	return int(code), true
}

// demand ends the call unless the host did what it was asked.
func demand(what string, code int32) {
	if code < 0 {
		panic(what + ": " + HostError(code).Error())
	}
}

// refusal is an error unless the host did what it was asked.
func refusal(code int32) error {
	if code < 0 {
		return HostError(code)
	}
	return nil
}

func pointer(bytes []byte) unsafe.Pointer {
	return unsafe.Pointer(unsafe.SliceData(bytes))
}
