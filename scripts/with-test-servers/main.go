// Command with-test-servers runs a command with a PostgreSQL and a Redis for its tests.
//
//	with-test-servers go test ./...
//
// It passes the servers' addresses in GOALGRAPH_TEST_DATABASE_URL and GOALGRAPH_TEST_REDIS_URL. A variable that is
// already set stays as it is; for one that is not, it starts a private server. It exits with the command's exit code and
// stops its servers, however the command ends.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/goalgraph/goalgraph/model/store/storetest/servers"
)

func main() {
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "with-test-servers:", err)
	}
	os.Exit(code)
}

func run(argv []string) (code int, err error) {
	if len(argv) == 0 {
		return 2, errors.New("usage: with-test-servers COMMAND [ARGUMENT…]")
	}
	// The command decides what a signal means; this process ends after the command.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)

	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = os.Environ()
	for _, needed := range []struct {
		variable string
		start    func() (*servers.Server, error)
	}{
		{servers.DatabaseURLVariable, servers.PostgreSQL},
		{servers.RedisURLVariable, servers.Redis},
	} {
		if os.Getenv(needed.variable) != "" {
			continue
		}
		s, err := needed.start()
		if err != nil {
			return 1, err
		}
		defer func() { err = errors.Join(err, s.Stop()) }()
		cmd.Env = append(cmd.Env, needed.variable+"="+s.URL)
	}

	if err := cmd.Start(); err != nil {
		return 127, err
	}
	go func() {
		for s := range signals {
			// The command may have ended already.
			_ = cmd.Process.Signal(s)
		}
	}()
	err = cmd.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return max(exit.ExitCode(), 1), nil
	}
	if err != nil {
		return 1, err
	}
	return 0, nil
}
