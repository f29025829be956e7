package main

import (
	"bytes"
	"sluice"
)

var newline = []byte("\n")

var tagBytes = make([]byte, 0, nameSizeMax)

// recordQuery records a statement that has ended.
func recordQuery(one *session, statement uint64) {
	field, _, hasTag := fieldStart(sluice.FieldCommandTag)
	tag := append(tagBytes[:0], field...)
	kind, rows, hasRows := splitTag(tag)
	if !hasRows {
		rows = uint64(sluice.Event.Rows)
	}
	// Without a tag it has failed, and failures are always recorded.
	if hasTag && !isWanted(kind) {
		return
	}
	made := newRecord("query", one)
	made.number("request", sluice.Event.Request)
	made.number("statement", statement)
	if len(kind) == 0 {
		kind = kindOf(statement)
	}
	if len(kind) > 0 {
		made.text("kind", kind, nameSizeMax)
	}
	if len(tag) > 0 {
		made.text("tag", tag, nameSizeMax)
	}
	made.number("duration_us", sluice.Event.DurationUS)
	made.number("rows", rows)
	made.failure()
	made.bytes = append(made.bytes, transactionMember()...)
	if sluice.Is(sluice.IsFromPlugin) {
		made.bytes = append(made.bytes, `,"from_plugin":true`...)
	}
	made.queryText()
	emit(made)
}

// isWanted says whether a statement that did not fail is to be recorded.
func isWanted(kind []byte) bool {
	if len(settings.kinds) > 0 && !settings.kinds[string(kind)] {
		return false
	}
	if sluice.Event.DurationUS < settings.minDurationUS {
		return false
	}
	return settings.sampleRate >= 1 || nextRandom() < settings.sampleRate
}

// splitTag takes a command tag apart: INSERT 0 5 is INSERT, and 5 rows.
func splitTag(tag []byte) (kind []byte, rows uint64, hasRows bool) {
	end := len(tag)
	for end > 0 && (tag[end-1] < 'A' || tag[end-1] > 'Z') {
		end--
	}
	kind = tag[:end]
	last := tag[bytes.LastIndexByte(tag, ' ')+1:]
	if end == len(tag) || len(last) == 0 {
		return kind, 0, false
	}
	for _, digit := range last {
		if digit < '0' || digit > '9' {
			return kind, 0, false
		}
		rows = rows*10 + uint64(digit-'0')
	}
	return kind, rows, true
}

// kindOf asks the parser, which is used for texts only where they are recorded normalised.
func kindOf(statement uint64) []byte {
	if settings.queryText != textNormalised {
		return nil
	}
	lines, isWhole, _ := fieldStart(sluice.FieldStatements)
	for ; statement > 1; statement-- {
		_, lines, _ = bytes.Cut(lines, newline)
	}
	line, _, isEnded := bytes.Cut(lines, newline)
	if !isEnded && !isWhole {
		return nil
	}
	// CREATE TABLE write: what is of the statement's kind is in capitals.
	kind, _, _ := splitTag(line)
	return kind
}

func transactionMember() string {
	switch sluice.Event.TransactionStatus {
	case 'I':
		return `,"transaction":"idle"`
	case 'T':
		return `,"transaction":"open"`
	case 'E':
		return `,"transaction":"failed"`
	}
	return `,"transaction":"unknown"`
}

// queryText adds the text as the settings want it.
func (made *record) queryText() {
	field := sluice.FieldText
	switch settings.queryText {
	case textNone:
		return
	case textNormalised:
		made.field("fingerprint", sluice.FieldFingerprint, nameSizeMax)
		field = sluice.FieldNormalisedText
	}
	text, isWhole, found := fieldStart(field)
	if field == sluice.FieldNormalisedText {
		// Constants of what nobody could parse would be in it.
		found = found && len(text) > 0
		text = withoutComments(text)
	}
	if !found {
		made.bytes = append(made.bytes, `,"query_omitted":"not parsed"`...)
		return
	}
	room := min(settings.queryTextMax, recordSizeMax-tailSize-len(made.bytes))
	if !made.text("query", text, room) || !isWhole {
		made.bytes = append(made.bytes, `,"query_truncated":true`...)
	}
}

// Xorshift: whom it concerns cannot choose it, and it costs nothing.
var randomState uint64

// nextRandom is from 0 up to 1.
func nextRandom() float64 {
	for randomState == 0 {
		for _, one := range sluice.Random(8) {
			randomState = randomState<<8 | uint64(one)
		}
	}
	randomState ^= randomState << 13
	randomState ^= randomState >> 7
	randomState ^= randomState << 17
	return float64(randomState>>11) / (1 << 53)
}
