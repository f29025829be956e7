package sluice

import (
	"math"
	"unsafe"
)

// KVGet is a value of the plugin's store, which all workers share. Permission: kv.
func KVGet(key string) ([]byte, bool) {
	return whole("kv_get", func(into unsafe.Pointer, capacity int32) int32 {
		return hostKVGet(key, into, capacity)
	})
}

// KVSet stores a value for a number of milliseconds; 0 is for as long as there is room.
// Permission: kv.
func KVSet(key string, value []byte, ttlMS uint32) error {
	return refusal(hostKVSet(key, pointer(value), int32(len(value)), ttlMS))
}

// KVDelete removes a value; false if there was none. Permission: kv.
func KVDelete(key string) (bool, error) {
	code := hostKVDelete(key)
	if code == int32(Absent) {
		return false, nil
	}
	return code >= 0, refusal(code)
}

// KVIncrement adds to the number that is kept under the key, 0 if there is none, and returns the
// sum. Permission: kv.
func KVIncrement(key string, by int64, ttlMS uint32) (int64, error) {
	sum := hostKVIncrement(key, by, ttlMS)
	if sum == math.MinInt64 {
		return 0, Denied
	}
	return sum, nil
}

// KVCapture has the reply to this request stored under the key if it ends without an error and is
// no larger than sizeMax. Permission: kv.
func KVCapture(key string, ttlMS, sizeMax uint32) error {
	return refusal(hostKVCapture(key, ttlMS, sizeMax))
}

// SessionGet is what the plugin keeps for this session. Permission: session.
func SessionGet() ([]byte, bool) {
	return whole("session_get", hostSessionGet)
}

// SessionSet keeps up to 4,096 bytes for this session, also when the plugin is replaced.
// Permission: session.
func SessionSet(value []byte) error {
	return refusal(hostSessionSet(pointer(value), int32(len(value))))
}
