package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"sluice/bench/grpc_plugin/event"
)

// Calls before those that are measured.
const warmUpCalls = 2000

// cost is what calls cost, in microseconds. CPU is that of both processes, for one call.
type cost struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	CPU float64 `json:"cpu"`
}

// plugin is a running one.
type plugin struct {
	process    *exec.Cmd
	connection *grpc.ClientConn
}

func measure(calls, size int, isSecure bool) (*cost, error) {
	folder, err := os.MkdirTemp("", "grpc-plugin-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	running, err := start(folder, isSecure)
	if err != nil {
		return nil, err
	}
	defer running.stop()
	payload := []byte(strings.Repeat("x", size))
	if _, err := running.call(warmUpCalls, payload); err != nil {
		return nil, err
	}
	before, err := running.cpu()
	if err != nil {
		return nil, err
	}
	times, err := running.call(calls, payload)
	if err != nil {
		return nil, err
	}
	after, err := running.cpu()
	if err != nil {
		return nil, err
	}
	slices.Sort(times)
	return &cost{
		P50: microseconds(times[calls/2]),
		P99: microseconds(times[calls*99/100]),
		CPU: microseconds(after-before) / float64(calls),
	}, nil
}

func start(folder string, isSecure bool) (*plugin, error) {
	own, err := newIdentity()
	if err != nil {
		return nil, err
	}
	mode := "plain"
	if isSecure {
		mode = "mtls"
	}
	process := exec.Command(os.Args[0], "serve", socketIn(folder), mode)
	variable := clientCertificate + "=" + base64.StdEncoding.EncodeToString(own.der())
	process.Env = append(os.Environ(), variable)
	process.Stderr = os.Stderr
	output, err := process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := process.Start(); err != nil {
		return nil, err
	}
	running := &plugin{process: process}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		running.stop()
		return nil, fmt.Errorf("the plugin did not start: %w", err)
	}
	transport := insecure.NewCredentials()
	if isSecure {
		transport, err = own.credentialsFor(strings.TrimSpace(line))
	}
	if err == nil {
		running.connection, err = grpc.NewClient(
			"unix://"+socketIn(folder), grpc.WithTransportCredentials(transport),
		)
	}
	if err != nil {
		running.stop()
		return nil, err
	}
	return running, nil
}

func (own *identity) credentialsFor(line string) (credentials.TransportCredentials, error) {
	trusted, err := base64.StdEncoding.DecodeString(line)
	if err != nil {
		return nil, err
	}
	return own.clientCredentials(trusted)
}

// call has the plugin see some events, one behind the other. Each is made anew, as a gateway does.
func (running *plugin) call(calls int, payload []byte) ([]time.Duration, error) {
	times := make([]time.Duration, calls)
	for i := range times {
		began := time.Now()
		result, err := event.Call(context.Background(), running.connection, eventOf(payload))
		times[i] = time.Since(began)
		if err != nil {
			return nil, err
		}
		if got := len(result.Fields["request"].GetData()); got != len(payload) {
			return nil, fmt.Errorf("%d of %d bytes came back", got, len(payload))
		}
	}
	return times, nil
}

func (running *plugin) stop() {
	if running.connection != nil {
		running.connection.Close()
	}
	running.process.Process.Kill()
	running.process.Wait()
}

// cpu is what both processes have used so far.
func (running *plugin) cpu() (time.Duration, error) {
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return 0, err
	}
	other, err := cpuOf(running.process.Process.Pid)
	return time.Duration(own.Utime.Nano()+own.Stime.Nano()) + other, err
}

// cpuOf reads utime and stime of /proc/PID/stat, in ticks of 10 ms: proc(5).
func cpuOf(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+2:]))
	var user, system int64
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		return 0, err
	}
	return time.Duration(user+system) * 10 * time.Millisecond, nil
}

func eventOf(payload []byte) *event.Event {
	return &event.Event{Fields: map[string]*event.Value{
		"client":  peer("127.0.0.1:15432", "127.0.0.1:51234"),
		"server":  peer("127.0.0.1:5432", "127.0.0.1:51236"),
		"request": {Kind: &event.Value_Data{Data: payload}},
		"error":   text(""),
	}}
}

func peer(local, remote string) *event.Value {
	fields := map[string]*event.Value{"local": text(local), "remote": text(remote)}
	return &event.Value{Kind: &event.Value_Fields{Fields: &event.Event{Fields: fields}}}
}

func text(value string) *event.Value {
	return &event.Value{Kind: &event.Value_Text{Text: value}}
}

func microseconds(duration time.Duration) float64 {
	return float64(duration.Nanoseconds()) / 1000
}
