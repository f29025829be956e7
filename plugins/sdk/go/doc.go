// Package sluice is for plugins of Sluice, the PostgreSQL gateway: WebAssembly modules that are
// called at its hooks.
//
// A plugin is a package main with one exported function for each hook that it wants:
//
//	//go:wasmexport onQuery
//	func onQuery() sluice.Verdict {
//		if !strings.HasPrefix(strings.ToLower(sluice.Text()), "drop ") {
//			return sluice.Forward
//		}
//		return sluice.Reject("42501", "nothing is dropped here", "ask an administrator")
//	}
//
// and is built with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -ldflags="-s -w" -o hello.wasm .
//
// Where there may be nothing, a second result says whether there was something. What the host
// refuses while an event is read or a verdict is made (no permission, a limit that would be passed)
// ends the call with a panic, which follows the plugin's failure policy; what only asks for an
// effect returns an error.
//
// Hooks are called one at a time. Goroutines run while a hook runs, and rest between two calls.
package sluice
