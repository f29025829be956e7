package main

import (
	"sluice"
	"strconv"
	"time"
	"unicode/utf8"
)

const (
	// The host cuts what is longer.
	recordSizeMax = 4096
	// Of names, as JSON: 63 bytes is the longest that a server knows, but clients may send more.
	nameSizeMax   = 128
	reasonSizeMax = 512
	// What comes behind the text of a query.
	tailSize = 64
)

// A record in the making: an object of JSON that has not been closed.
type record struct {
	kind  string
	bytes []byte
}

// One at a time is made, always in the same memory: a collection of garbage is the most expensive
// call that a plugin in Go can have.
var (
	current     record
	recordBytes = make([]byte, 0, recordSizeMax+nameSizeMax)
	fieldBytes  = make([]byte, 2*recordSizeMax)
)

func newRecord(kind string, one *session) *record {
	made := &current
	made.kind = kind
	made.bytes = append(recordBytes[:0], `{"audit":"`...)
	made.bytes = append(made.bytes, kind...)
	made.bytes = append(made.bytes, `","time":"`...)
	made.bytes = appendTime(made.bytes, sluice.Event.TimeMS)
	made.bytes = append(made.bytes, '"')
	if one != nil {
		made.number("session", sluice.Event.Session)
		made.bytes = append(made.bytes, one.names[:one.namesSize]...)
		made.field("application", sluice.FieldApplicationName, nameSizeMax)
		made.field("proxy", sluice.FieldProxy, nameSizeMax)
		made.field("server", sluice.FieldServerAddress, nameSizeMax)
		if sluice.Is(sluice.IsTLS) {
			made.bytes = append(made.bytes, `,"tls":true`...)
		}
	}
	return made
}

// The last second, as it is written.
var (
	lastSecond   uint64
	secondsBytes []byte
)

func appendTime(to []byte, timeMS uint64) []byte {
	second := timeMS / 1000
	if second != lastSecond {
		lastSecond = second
		at := time.Unix(int64(second), 0).UTC()
		secondsBytes = at.AppendFormat(secondsBytes[:0], "2006-01-02T15:04:05.")
	}
	to = append(to, secondsBytes...)
	rest := timeMS % 1000
	return append(to, '0'+byte(rest/100), '0'+byte(rest/10%10), '0'+byte(rest%10), 'Z')
}

// line ends the record.
func (made *record) line() []byte {
	return append(made.bytes, '}')
}

func (made *record) name(name string) {
	made.bytes = append(made.bytes, ',', '"')
	made.bytes = append(made.bytes, name...)
	made.bytes = append(made.bytes, '"', ':')
}

func (made *record) number(name string, value uint64) {
	made.name(name)
	made.bytes = strconv.AppendUint(made.bytes, value, 10)
}

// text adds a member of so many bytes at most, and says whether all of it is there.
func (made *record) text(name string, value []byte, sizeMax int) bool {
	made.name(name)
	var isWhole bool
	made.bytes, isWhole = appendQuoted(made.bytes, value, sizeMax)
	return isWhole
}

// field adds a field of the event, if it has it.
func (made *record) field(name string, field sluice.FieldNumber, sizeMax int) {
	value, _, found := fieldStart(field)
	if found {
		made.text(name, value, sizeMax)
	}
}

// fieldStart is a field, as much of it as a record could hold, until the next call; and whether
// that is all of it.
func fieldStart(field sluice.FieldNumber) (value []byte, isWhole, found bool) {
	size, found := sluice.FieldPart(field, 0, fieldBytes)
	if !found {
		return nil, false, false
	}
	return fieldBytes[:min(size, len(fieldBytes))], size <= len(fieldBytes), true
}

// failure adds what is known of an error, if there was one; false if there was none.
func (made *record) failure() bool {
	state, _, found := fieldStart(sluice.FieldSQLState)
	if !found {
		return false
	}
	made.text("sqlstate", state, nameSizeMax)
	if settings.errorMessages {
		made.field("message", sluice.FieldMessage, reasonSizeMax)
	}
	return true
}

const hexadecimal = "0123456789abcdef"

// isPlain has what stands for itself in a string of JSON.
var isPlain = [256]bool{}

func init() {
	for one := ' '; one < utf8.RuneSelf; one++ {
		isPlain[one] = one != '"' && one != '\\' && one != 0x7f
	}
}

// The longest that one character can become.
const escapeSizeMax = 6

// appendQuoted appends a string of JSON whose inside has so many bytes at most, and says whether it
// is whole. What is not UTF-8 becomes U+FFFD.
func appendQuoted(to, value []byte, sizeMax int) ([]byte, bool) {
	to = append(to, '"')
	end := len(to) + sizeMax
	for len(value) > 0 {
		plain := plainStart(value, end-len(to))
		to = append(to, value[:plain]...)
		value = value[plain:]
		if len(value) == 0 {
			break
		}
		if len(to)+escapeSizeMax > end {
			return append(to, '"'), false
		}
		var size int
		to, size = appendEscaped(to, value)
		value = value[size:]
	}
	return append(to, '"'), true
}

// plainStart is how many bytes in front stand for themselves, up to a number.
func plainStart(value []byte, countMax int) int {
	value = value[:max(0, min(len(value), countMax))]
	for at, one := range value {
		if !isPlain[one] {
			return at
		}
	}
	return len(value)
}

// appendEscaped appends the first character, which has so many bytes.
func appendEscaped(to, value []byte) ([]byte, int) {
	switch one := value[0]; {
	case one == '"' || one == '\\':
		return append(to, '\\', one), 1
	case one == '\n':
		return append(to, '\\', 'n'), 1
	case one < utf8.RuneSelf && !isPlain[one]:
		return append(to, '\\', 'u', '0', '0', hexadecimal[one>>4], hexadecimal[one&15]), 1
	}
	character, size := utf8.DecodeRune(value)
	return utf8.AppendRune(to, character), size
}
