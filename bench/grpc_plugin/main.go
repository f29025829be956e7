// Measures what a hook costs whose plugin is a process of its own: a unary gRPC call over a Unix
// socket, with and without mutual TLS. It is its own plugin: it starts itself a second time.
//
//	grpc_plugin measure CALLS SIZE plain|mtls
//	grpc_plugin serve SOCKET plain|mtls
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 3 && args[0] == "serve":
		return serve(args[1], args[2] == "mtls")
	case len(args) == 4 && args[0] == "measure":
		calls, err := strconv.Atoi(args[1])
		if err != nil || calls < 1 {
			return fmt.Errorf("CALLS must be a number from 1, and is %s", args[1])
		}
		size, err := strconv.Atoi(args[2])
		if err != nil || size < 0 {
			return fmt.Errorf("SIZE must be a number of bytes, and is %s", args[2])
		}
		cost, err := measure(calls, size, args[3] == "mtls")
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(cost)
	}
	return fmt.Errorf("usage: grpc_plugin measure CALLS SIZE plain|mtls")
}
