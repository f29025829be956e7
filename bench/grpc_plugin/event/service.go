package event

import (
	"context"

	"google.golang.org/grpc"
)

const service = "event.Plugin"

const method = "/" + service + "/OnEvent"

// Hook is what a plugin does with an event.
type Hook interface {
	OnEvent(context.Context, *Event) (*Event, error)
}

// Register has a server call the hook for each event.
func Register(server *grpc.Server, hook Hook) {
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: service,
		HandlerType: (*Hook)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "OnEvent", Handler: handle}},
	}, hook)
}

// Call has the plugin at the other end see an event.
func Call(ctx context.Context, connection *grpc.ClientConn, event *Event) (*Event, error) {
	result := new(Event)
	err := connection.Invoke(ctx, method, event, result)
	return result, err
}

func handle(
	hook any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor,
) (any, error) {
	event := new(Event)
	if err := decode(event); err != nil {
		return nil, err
	}
	if intercept == nil {
		return hook.(Hook).OnEvent(ctx, event)
	}
	info := &grpc.UnaryServerInfo{Server: hook, FullMethod: method}
	next := func(ctx context.Context, event any) (any, error) {
		return hook.(Hook).OnEvent(ctx, event.(*Event))
	}
	return intercept(ctx, event, info, next)
}
