package sluice

// Verdict is what a hook asks for. Making one tells the host what it needs, so a hook makes one and
// returns it.
type Verdict = int32

// Forward is to go on as if the plugin were not there.
const Forward Verdict = 0

// Replace has the bytes take the payload's place. Permission: replace.
func Replace(payload []byte) Verdict {
	Write(payload)
	return 1
}

// Respond gives the client this result, and the server is not asked. Permission: respond.
func Respond(_ Table) Verdict {
	return 2
}

// RespondMessages gives the client these messages and what was written before, RowDescription to
// CommandComplete, and the server is not asked. Permission: respond.
func RespondMessages(messages []byte) Verdict {
	Write(messages)
	return 2
}

// Reject gives the client an error. The SQLSTATE is five of 0-9 and A-Z; the hint may be empty.
// Permission: reject.
func Reject(sqlstate, message, hint string) Verdict {
	demand("reject", hostError(sqlstate, message, hint))
	return 3
}

// Close ends the session without a word. Permission: close.
func Close() Verdict {
	return 4
}

// Route is Forward to another proxy of the same listener, or to a server of a role: "role=primary"
// or "role=replica". Permission: route.
func Route(proxy string) Verdict {
	Write([]byte(proxy))
	return 5
}

// Write appends to what the verdict needs: for what is made in pieces, before Replace(nil) or
// RespondMessages(nil).
func Write(bytes []byte) {
	demand("write", hostWrite(pointer(bytes), int32(len(bytes))))
}

// KVWrite appends a stored value, as [Write] does, and returns its size; false if there is none.
// Permission: kv.
func KVWrite(key string) (int, bool) {
	return present("kv_write", hostKVWrite(key))
}

// Types of PostgreSQL's pg_type for the columns of a [Table].
const (
	TypeBool    uint32 = 16
	TypeBytea   uint32 = 17
	TypeInt8    uint32 = 20
	TypeInt2    uint32 = 21
	TypeInt4    uint32 = 23
	TypeText    uint32 = 25
	TypeJSON    uint32 = 114
	TypeFloat4  uint32 = 700
	TypeFloat8  uint32 = 701
	TypeVarchar uint32 = 1043
	TypeUUID    uint32 = 2950
	TypeJSONB   uint32 = 3802
)

// Table is a result that is being made: columns, then values from left to right and row by row.
type Table struct{}

// NewTable is without columns yet.
func NewTable() Table {
	return Table{}
}

// Column adds a column of a type such as [TypeText].
func (t Table) Column(name string, typeOID uint32) Table {
	demand("column", hostResultColumn(name, typeOID))
	return t
}

// Value adds a value, in PostgreSQL's text form.
func (t Table) Value(value string) Table {
	return t.Bytes([]byte(value))
}

// Bytes adds a value, as it is.
func (t Table) Bytes(value []byte) Table {
	demand("value", hostResultValue(pointer(value), int32(len(value))))
	return t
}

// Null adds NULL.
func (t Table) Null() Table {
	demand("null", hostResultValue(nil, -1))
	return t
}

// Tag sets the command's tag; without it, it is SELECT and the number of rows.
func (t Table) Tag(tag string) Table {
	demand("tag", hostResultTag(tag))
	return t
}
