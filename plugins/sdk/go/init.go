package sluice

// Init, if a plugin sets it (in a func init), is called once, before any hook. Its error refuses
// the plugin.
var Init func() error

//go:wasmexport sluice_init
func initialise() int32 {
	for _, one := range metrics {
		one.number = hostMetric(one.kind, one.name)
		if one.number < 0 {
			return refuse("the metric " + one.name + ": " + HostError(one.number).Error())
		}
	}
	if Init == nil {
		return 0
	}
	if err := Init(); err != nil {
		return refuse(err.Error())
	}
	return 0
}

func refuse(reason string) int32 {
	hostError("58000", reason, "")
	return 1
}
