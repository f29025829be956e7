package sluice

// Level is what a message of the log is worth.
type Level int32

// From every step to what does not work.
const (
	LevelTrace Level = iota
	LevelDebug
	LevelInfo
	LevelWarn
	LevelError
)

// Log writes a record to the gateway's log. Permission: log; without it, nothing is written. The
// error, which most may ignore, is [OverLimit] if the plugin has logged too much lately.
func Log(level Level, message string) error {
	return refusal(hostLog(int32(level), message))
}

// Trace is [Log] with [LevelTrace].
func Trace(message string) { _ = Log(LevelTrace, message) }

// Debug is [Log] with [LevelDebug].
func Debug(message string) { _ = Log(LevelDebug, message) }

// Info is [Log] with [LevelInfo].
func Info(message string) { _ = Log(LevelInfo, message) }

// Warn is [Log] with [LevelWarn].
func Warn(message string) { _ = Log(LevelWarn, message) }

// Error is [Log] with [LevelError].
func Error(message string) { _ = Log(LevelError, message) }

// Signal tells the operator's policies something; the metadata is a JSON object.
// Permission: signal.
func Signal(name, metadata string) error {
	return refusal(hostSignal(name, metadata))
}

// HTTPSend sends a request and returns its number at once: onHook is called with the response, and
// Event.Request is that number. The headers are a line each, such as
// content-type: application/json. Permission: http.
func HTTPSend(method, url, headers string, body []byte) (uint64, error) {
	number := hostHTTPSend(method, url, headers, pointer(body), int32(len(body)))
	if number < 0 {
		return 0, HostError(number)
	}
	return uint64(number), nil
}

// WallClock is nanoseconds since 1970.
func WallClock() int64 {
	return hostClock(0)
}

// MonotonicClock is nanoseconds since a moment of the process; it never goes back.
func MonotonicClock() int64 {
	return hostClock(1)
}

// Random bytes.
func Random(size int) []byte {
	bytes := make([]byte, size)
	demand("random", hostRandom(pointer(bytes), int32(size)))
	return bytes
}
