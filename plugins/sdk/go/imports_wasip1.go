package sluice

import "unsafe"

// The host's functions as they are imported: see wit/README.md.

//go:wasmimport sluice read
func hostRead(field, offset int32, into unsafe.Pointer, capacity int32) int32

//go:wasmimport sluice parameter
func hostParameter(name string, into unsafe.Pointer, capacity int32) int32

//go:wasmimport sluice config
func hostConfig(path string, into unsafe.Pointer, capacity int32) int32

//go:wasmimport sluice write
func hostWrite(bytes unsafe.Pointer, length int32) int32

//go:wasmimport sluice result_column
func hostResultColumn(name string, typeOID uint32) int32

//go:wasmimport sluice result_value
func hostResultValue(bytes unsafe.Pointer, length int32) int32

//go:wasmimport sluice result_tag
func hostResultTag(tag string) int32

//go:wasmimport sluice error
func hostError(sqlstate, message, hint string) int32

//go:wasmimport sluice signal
func hostSignal(name, metadata string) int32

//go:wasmimport sluice log
func hostLog(level int32, message string) int32

//go:wasmimport sluice metric
func hostMetric(kind int32, name string) int32

//go:wasmimport sluice metric_record
func hostMetricRecord(metric int32, value float64) int32

//go:wasmimport sluice kv_get
func hostKVGet(key string, into unsafe.Pointer, capacity int32) int32

//go:wasmimport sluice kv_set
func hostKVSet(key string, value unsafe.Pointer, size int32, ttlMS uint32) int32

//go:wasmimport sluice kv_delete
func hostKVDelete(key string) int32

//go:wasmimport sluice kv_increment
func hostKVIncrement(key string, by int64, ttlMS uint32) int64

//go:wasmimport sluice kv_write
func hostKVWrite(key string) int32

//go:wasmimport sluice kv_capture
func hostKVCapture(key string, ttlMS uint32, sizeMax uint32) int32

//go:wasmimport sluice session_get
func hostSessionGet(into unsafe.Pointer, capacity int32) int32

//go:wasmimport sluice session_set
func hostSessionSet(value unsafe.Pointer, length int32) int32

//go:wasmimport sluice clock
func hostClock(clock int32) int64

//go:wasmimport sluice random
func hostRandom(into unsafe.Pointer, capacity int32) int32

//go:wasmimport sluice http_send
func hostHTTPSend(method, url, headers string, body unsafe.Pointer, size int32) int32
