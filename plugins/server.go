package plugins

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/goalgraph/goalgraph/plugins/pb"
)

// maxMessage bounds a request: two filters' arguments, or one's and a batch of
// visits, with room to spare.
const maxMessage = 16 << 20

// served is the plugin's side of go-plugin.
type served struct {
	plugin.NetRPCUnsupportedPlugin
	server *server
}

func (s *served) GRPCServer(_ *plugin.GRPCBroker, to *grpc.Server) error {
	pb.RegisterFilterPluginServer(to, s.server)
	return nil
}

func (*served) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("a plugin is not its own client")
}

// server answers the protocol's calls with the types' functions.
type server struct {
	pb.UnimplementedFilterPluginServer
	description *pb.DescribeResponse
	types       map[string]Type
}

// Server returns what Serve serves, for tests that want it in their own process.
func Server(name, version string, types ...Type) pb.FilterPluginServer {
	return newServer(name, version, types)
}

func newServer(name, version string, types []Type) *server {
	s := &server{
		description: &pb.DescribeResponse{Name: name, Version: version},
		types:       make(map[string]Type, len(types)),
	}
	for _, t := range types {
		d := t.description
		s.types[d.Name] = t
		s.description.Types = append(s.description.Types, &pb.FilterType{
			Name: d.Name, Title: d.Title, Description: d.Description, Rule: d.Rule.Proto(),
			Sdl: d.SDL, Input: d.Input, Dimension: d.Dimension.String(), None: d.None,
			Merges: t.merge != nil, Computed: t.compute != nil, Arguments: argumentsOf(d.Arguments),
		})
	}
	return s
}

func (s *server) Describe(context.Context, *pb.DescribeRequest) (*pb.DescribeResponse, error) {
	return s.description, nil
}

func (s *server) Compile(ctx context.Context, request *pb.CompileRequest) (*pb.CompileResponse, error) {
	t, known := s.types[request.GetType()]
	if !known {
		return nil, status.Errorf(codes.NotFound, "there is no filter type %q", request.GetType())
	}
	compiled, err := t.compile(ctx, []byte(request.GetArgs()))
	if e := argumentError(err); e != nil {
		return &pb.CompileResponse{Result: &pb.CompileResponse_Error{Error: e}}, nil
	}
	if err != nil {
		return nil, err
	}
	return &pb.CompileResponse{Result: &pb.CompileResponse_Compiled{Compiled: compiled}}, nil
}

func (s *server) Merge(ctx context.Context, request *pb.MergeRequest) (*pb.MergeResponse, error) {
	t, known := s.types[request.GetType()]
	if !known {
		return nil, status.Errorf(codes.NotFound, "there is no filter type %q", request.GetType())
	}
	if t.merge == nil {
		return nil, status.Errorf(codes.Unimplemented, "filter type %q does not merge", request.GetType())
	}
	merged, err := t.merge(ctx, []byte(request.GetActive()), []byte(request.GetGoal()))
	switch side, isSide := errors.AsType[*sideError](err); {
	case err == nil:
		return &pb.MergeResponse{Result: &pb.MergeResponse_Args{Args: string(merged)}}, nil
	case errors.Is(err, ErrEmpty):
		return &pb.MergeResponse{Result: &pb.MergeResponse_Empty{Empty: &pb.Empty{}}}, nil
	case errors.Is(err, ErrBoth):
		return &pb.MergeResponse{Result: &pb.MergeResponse_Both{Both: &pb.Both{}}}, nil
	case isSide && argumentError(err) != nil && side.goal:
		return &pb.MergeResponse{Result: &pb.MergeResponse_GoalError{GoalError: argumentError(err)}}, nil
	case isSide && argumentError(err) != nil:
		return &pb.MergeResponse{Result: &pb.MergeResponse_ActiveError{ActiveError: argumentError(err)}}, nil
	}
	return nil, err
}

// argumentError returns the ArgumentError in err's chain as the protocol writes it.
func argumentError(err error) *pb.ArgumentError {
	e, ok := errors.AsType[*ArgumentError](err)
	if !ok {
		return nil
	}
	return &pb.ArgumentError{Path: e.Path, Message: e.Message}
}

// recovered makes an error of a panic, so that one bad call does not end the
// process under all others.
func recovered(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (answer any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = status.Error(codes.Internal, fmt.Sprintf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	return next(ctx, request)
}
