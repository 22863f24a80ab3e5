package plugins

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// The variable by which a plugin knows the host.
const (
	// CookieKey and Cookie tell that a host started the program, and with which
	// version of the protocol.
	CookieKey = "GOALGRAPH_PLUGIN"
	Cookie    = "goalgraph.plugins.v1"
)

// SocketFolder begins the name of the temporary folder that a host makes for the
// sockets of its plugins.
const SocketFolder = "goalgraph-"

// Service is the name under which go-plugin finds the service.
const Service = "filter"

// Handshake returns what host and plugin must agree on.
func Handshake() plugin.HandshakeConfig {
	return plugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: CookieKey, MagicCookieValue: Cookie}
}

// Serve serves the filter types until the host ends, and then exits. A plugin's main
// does nothing else. If a person runs the program, it prints what it is and exits with
// code 1.
func Serve(name, version string, types ...Type) {
	if os.Getenv(CookieKey) != Cookie {
		titles := make([]string, len(types))
		for i, t := range types {
			titles[i] = t.description.Name
		}
		fmt.Fprintf(os.Stderr, "%s %s is a plugin of Goalgraph, with the filter types %s.\n"+
			"It is not run by hand: put it into the folder that goalgraph's --plugins names (plugins.d).\n",
			name, version, strings.Join(titles, ", "))
		os.Exit(1)
	}
	// A host that is gone already has closed the pipe that the handshake is
	// written to, which ends the process too.
	go endWithHost(os.Getppid(), time.Second/4)
	// What asks the host to end may ask its whole process group. The host still
	// needs the plugin for the requests that it has begun.
	signal.Ignore(os.Interrupt, syscall.SIGTERM)
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: Handshake(),
		Plugins:         plugin.PluginSet{Service: &served{server: newServer(name, version, types)}},
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(options, grpc.MaxRecvMsgSize(maxMessage), grpc.UnaryInterceptor(recovered))...)
		},
		Logger: hclog.New(&hclog.LoggerOptions{Name: name, Level: hclog.Warn, Output: os.Stderr, JSONFormat: true}),
	})
	os.Exit(0)
}

// endWithHost ends the process when its parent has changed: a host that was
// killed by force could not end it, nor remove the folder of its socket.
func endWithHost(parent int, interval time.Duration) {
	for range time.Tick(interval) {
		if os.Getppid() == parent {
			continue
		}
		if sockets := os.Getenv(plugin.EnvUnixSocketDir); sockets != "" {
			os.RemoveAll(sockets)
			if of := filepath.Dir(sockets); strings.HasPrefix(filepath.Base(of), SocketFolder) {
				os.Remove(of) // which fails while another plugin's is in it
			}
		}
		os.Exit(0)
	}
}
