package servers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	if os.Getenv("SERVERS_TEST_STARTER") == "" {
		os.Exit(m.Run())
	}
	pg, err := PostgreSQL()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	redis, err := Redis()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(pg.URL, pg.dir, redis.dir)
	select {}
}

func TestServersEndWithAKilledProcess(t *testing.T) {
	starter := exec.Command(os.Args[0])
	starter.Env = append(os.Environ(), "SERVERS_TEST_STARTER=1")
	starter.Stderr = os.Stderr
	out, err := starter.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := starter.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(line)
	url, dirs := fields[0], fields[1:]
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())

	if err := starter.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = starter.Wait()
	deadline := time.After(stopLimit)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for _, dir := range dirs {
		for _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist); _, err = os.Stat(dir) {
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatalf("%s is still there: %v", dir, err)
			}
		}
	}
	if conn, err := pgx.Connect(t.Context(), url); err == nil {
		conn.Close(t.Context())
		t.Error("PostgreSQL outlived the process")
	}
}

func TestStartTellsWhyAServerEnded(t *testing.T) {
	_, err := start("broken", func(folder, string) (launch, error) {
		return launch{
			argv:   []string{"/bin/sh", "-c", "echo out of luck; sleep 0.2; exit 1"},
			signal: "KILL",
			ping:   func(context.Context) error { return errors.New("no answer") },
		}, nil
	})
	if !errors.Is(err, errEnded) || !strings.Contains(err.Error(), "out of luck") {
		t.Error(err)
	}
}
