package sluice

// The names of all metrics, which are made before the first hook is called.
var metrics []*metric

type metric struct {
	kind   int32
	name   string
	number int32
}

func newMetric(kind int32, name string) *metric {
	made := &metric{kind: kind, name: name, number: -1}
	metrics = append(metrics, made)
	return made
}

func (m *metric) record(value float64) {
	if m.number < 0 {
		m.number = hostMetric(m.kind, m.name)
		demand("metric "+m.name, m.number)
	}
	hostMetricRecord(m.number, value)
}

// Counter is a sum that only grows.
type Counter struct{ metric *metric }

// NewCounter is for a package's variable. A name may have labels: queries_total{kind="select"}.
func NewCounter(name string) Counter {
	return Counter{newMetric(0, name)}
}

// Add a value, which is not negative.
func (c Counter) Add(value float64) { c.metric.record(value) }

// Gauge is a value that comes and goes.
type Gauge struct{ metric *metric }

// NewGauge is for a package's variable.
func NewGauge(name string) Gauge {
	return Gauge{newMetric(1, name)}
}

// Set it.
func (g Gauge) Set(value float64) { g.metric.record(value) }

// Histogram counts values by size.
type Histogram struct{ metric *metric }

// NewHistogram is for a package's variable.
func NewHistogram(name string) Histogram {
	return Histogram{newMetric(2, name)}
}

// Observe counts one value.
func (h Histogram) Observe(value float64) { h.metric.record(value) }
