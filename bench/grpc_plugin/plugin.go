package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"google.golang.org/grpc"

	"sluice/bench/grpc_plugin/event"
)

// clientCertificate is the environment variable that tells the plugin whom to trust.
const clientCertificate = "CLIENT_CERTIFICATE"

// forward is a plugin that looks at the request and gives back what it was given.
type forward struct{ bytesSeen int }

func (plugin *forward) OnEvent(_ context.Context, told *event.Event) (*event.Event, error) {
	plugin.bytesSeen += len(told.Fields["request"].GetData())
	return told, nil
}

// serve is the plugin's process. Its first line says that it listens, and whom to trust.
func serve(socket string, isSecure bool) error {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	var options []grpc.ServerOption
	line := "-"
	if isSecure {
		trusted, err := base64.StdEncoding.DecodeString(os.Getenv(clientCertificate))
		if err != nil {
			return err
		}
		own, err := newIdentity()
		if err != nil {
			return err
		}
		credentials, err := own.serverCredentials(trusted)
		if err != nil {
			return err
		}
		options = append(options, grpc.Creds(credentials))
		line = base64.StdEncoding.EncodeToString(own.der())
	}
	server := grpc.NewServer(options...)
	event.Register(server, new(forward))
	fmt.Println(line)
	return server.Serve(listener)
}

// socketIn is the path of the plugin's socket.
func socketIn(folder string) string { return filepath.Join(folder, "plugin.sock") }
