//go:build system

// The tests in this file run the server, so they have the tag system: see main_test.go.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	promodel "github.com/prometheus/common/model"

	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/model/store/storetest/servers"
)

// server is a run of the program that serves.
type server struct {
	*process
	url string
}

// client follows no redirects, and waits no longer than the tests do.
var client = &http.Client{Timeout: limit, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

var listening = regexp.MustCompile(`msg=listening graphql=(https?://\S+)/graphql`)

// mustServe starts a server on a free port and waits until it listens.
func mustServe(tb testing.TB, args ...string) *server {
	tb.Helper()
	p := program(tb, append([]string{"serve", "--auth", "none", "--listen", "127.0.0.1:0"}, args...)...)
	p.Path = checked
	return p.mustServe(tb)
}

func (p *process) mustServe(tb testing.TB) *server {
	tb.Helper()
	p.mustStart(tb)
	s := &server{process: p}
	await(tb, "the server listens", func() bool {
		select {
		case <-p.ended:
			tb.Fatalf("the server ended: %v\n%s", p.err, &p.stderr)
		default:
		}
		if found := listening.FindStringSubmatch(p.stderr.String()); found != nil {
			s.url = found[1]
		}
		return s.url != ""
	})
	return s
}

// answer is what came back of a request.
type answer struct {
	status int
	header http.Header
	body   string
}

func do(request *http.Request, err error) (answer, error) { return doBy(client, request, err) }

// doBy sends a request by a client, and returns the answer.
func doBy(client *http.Client, request *http.Request, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	response, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(body)}, err
}

func (s *server) get(tb testing.TB, path string) answer {
	tb.Helper()
	a, err := do(http.NewRequest(http.MethodGet, s.url+path, nil))
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// ready returns the status and the checks of /readyz.
func (s *server) ready(tb testing.TB) (status int, checks map[string]string) {
	tb.Helper()
	a := s.get(tb, "/readyz")
	if err := json.Unmarshal([]byte(a.body), &checks); err != nil {
		tb.Fatalf("/readyz: %v: %s", err, a.body)
	}
	return a.status, checks
}

func graphQLRequest(url, query string) (*http.Request, error) {
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequest(http.MethodPost, url+"/graphql", bytes.NewReader(body))
	if err == nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, err
}

// mustAsk returns the data of a query's answer, which has no errors.
func (s *server) mustAsk(tb testing.TB, query string) string {
	tb.Helper()
	a, err := do(graphQLRequest(s.url, query))
	if err != nil {
		tb.Fatal(err)
	}
	var body struct{ Data, Errors json.RawMessage }
	if err := json.Unmarshal([]byte(a.body), &body); err != nil || a.status != http.StatusOK || body.Errors != nil {
		tb.Fatalf("%s: status %d, %s; %v", query, a.status, a.body, err)
	}
	return string(body.Data)
}

// mustStop ends the server as an operator does.
func (s *server) mustStop(tb testing.TB) {
	tb.Helper()
	if err := s.Process.Signal(syscall.SIGTERM); err != nil {
		tb.Fatal(err)
	}
	if code := s.result(tb); code != done {
		tb.Errorf("exit code %d after SIGTERM\n%s", code, &s.stderr)
	}
}

// children returns the processes that a process has started.
func children(tb testing.TB, parent int) (pids []int) {
	tb.Helper()
	out, err := exec.Command("ps", "-A", "-o", "pid=,ppid=,args=").Output()
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[1] != strconv.Itoa(parent) {
			continue
		}
		pid, err := strconv.Atoi(fields[0])
		if err != nil {
			tb.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

// isAlive tells whether a process runs; one that nobody has waited for does not.
func isAlive(pid int) bool {
	out, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && !strings.HasPrefix(strings.TrimSpace(string(out)), "Z")
}

func TestServeStartsFast(t *testing.T) {
	database := storetest.SQLite(t)
	for _, state := range []string{"on an empty database, with the sample to load", "again"} {
		begin := time.Now()
		s := program(t, "serve", "--auth", "none", "--listen", "127.0.0.1:0", "--sample", "--database", database).mustServe(t)
		status, checks := s.ready(t)
		took := time.Since(begin)
		t.Logf("%s: ready after %v", state, took)
		// It should be 2 s; a loaded machine may take longer.
		if bound := 10 * time.Second; status != http.StatusOK || took > bound {
			t.Errorf("%s: status %d, %v, after %v; want 200 within %v even here", state, status, checks, took, bound)
		}
		s.mustStop(t)
	}
}

func TestServeHTTP(t *testing.T) {
	t.Parallel()
	s := mustServe(t)
	ids := map[string]bool{}
	for _, test := range []struct {
		path     string
		status   int
		location string
		body     string
	}{
		{"/healthz", 200, "", `"ok"`},
		{"/readyz", 200, "", `"plugin builtin":"RUNNING"`},
		{"/", 200, "", `id="app"`},
		{"/sites/shop.example/goals", 200, "", `id="app"`},
		{"/graphiql", 301, "/graphiql/", ""},
		{"/graphiql/", 200, "", "<html"},
		{"/graphql?query=%7B__typename%7D", 200, "", `"Query"`},
		{"/no/such/page", 404, "", ""},
	} {
		a := s.get(t, test.path)
		if a.status != test.status || a.header.Get("Location") != test.location || !strings.Contains(a.body, test.body) {
			t.Errorf("%s: %d %s %.200s", test.path, a.status, a.header.Get("Location"), a.body)
		}
		id := a.header.Get("X-Request-Id")
		if id == "" || ids[id] {
			t.Errorf("%s: request id %q", test.path, id)
		}
		ids[id] = true
	}
	for host, status := range map[string]int{
		"attacker.example": 421, "attacker.example:8080": 421, "localhost.attacker.example": 421, "10.0.0.1": 421, "127.0.0.1.nip.example": 421,
		"localhost": 200, "localhost:1234": 200, "127.0.0.1": 200, "[::1]:8080": 200, "[::1]": 200,
	} {
		// Load balancers ask how the server does by any name.
		for path, want := range map[string]int{"/graphql?query=%7B__typename%7D": status, "/metrics": status, "/healthz": 200, "/readyz": 200} {
			request, err := http.NewRequest(http.MethodGet, s.url+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Host = host
			if a, err := do(request, nil); err != nil || a.status != want || a.header.Get("X-Request-Id") == "" {
				t.Errorf("Host %s, %s: %d, want %d; %v", host, path, a.status, want, err)
			}
		}
	}

	a := s.get(t, "/metrics")
	parser := expfmt.NewTextParser(promodel.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"goalgraph_graphql_seconds", "goalgraph_plugin_up", "goalgraph_plugin_restarts_total", "go_goroutines"} {
		if families[name] == nil || families[name].GetHelp() == "" {
			t.Errorf("/metrics has no %s", name)
		}
	}
	if up := families["goalgraph_plugin_up"]; up != nil && up.GetMetric()[0].GetGauge().GetValue() != 1 {
		t.Errorf("%v", up)
	}
	s.mustStop(t)
	if strings.Contains(s.stdout.String(), "level=") {
		t.Errorf("logs on standard output: %s", &s.stdout)
	}
}

func TestServeOnATakenPort(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	address := listener.Addr().String()
	p := program(t, "serve", "--auth", "none", "--listen", address).mustRun(t, failed)
	if said := p.stderr.String(); !strings.Contains(said, address) || !strings.Contains(said, "address already in use") {
		t.Errorf("it says %s", said)
	}
}

func TestServeTakesSettingsFromTheEnvironment(t *testing.T) {
	t.Parallel()
	p := program(t, "--listen", "127.0.0.1:0")
	p.Env = append(p.Env, "GOALGRAPH_AUTH=none", "GOALGRAPH_LISTEN=no address", "DATABASE_URL=sqlite:env.db")
	s := p.mustServe(t)
	if _, err := os.Stat(filepath.Join(p.Dir, "env.db")); err != nil {
		t.Error(err)
	}
	s.mustStop(t)
}

// A request that runs when the server is told to end gets its answer.
func TestServeDrains(t *testing.T) {
	t.Parallel()
	s := mustServe(t)
	address := strings.TrimPrefix(s.url, "http://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	const body = `{"query": "{ __typename }"}`
	fmt.Fprintf(conn, "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", len(body))
	reader := bufio.NewReader(conn)
	// It comes when the server wants the body, so the request runs.
	if line, err := reader.ReadString('\n'); err != nil || !strings.Contains(line, "100") {
		t.Fatalf("%q; %v", line, err)
	}
	if _, err := reader.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := s.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	await(t, "no new connection is taken", func() bool {
		other, err := net.Dial("tcp", address)
		if err == nil {
			other.Close()
		}
		return err != nil
	})
	if _, err := io.WriteString(conn, body); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, &s.stderr)
	}
	defer response.Body.Close()
	if got, err := io.ReadAll(response.Body); err != nil || !strings.Contains(string(got), `"Query"`) {
		t.Errorf("%d %s; %v", response.StatusCode, got, err)
	}
	if code := s.result(t); code != done {
		t.Errorf("exit code %d\n%s", code, &s.stderr)
	}
}

func TestServeLeavesNoPluginBehind(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*server) error{
		"SIGKILL": func(s *server) error { return s.Process.Kill() },
		"SIGTERM": func(s *server) error { return s.Process.Signal(syscall.SIGTERM) },
		"SIGINT":  func(s *server) error { return s.Process.Signal(os.Interrupt) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := mustServe(t)
			plugins := children(t, s.Process.Pid)
			if len(plugins) != 1 {
				t.Fatalf("the server has children %v, want one", plugins)
			}
			if err := end(s); err != nil {
				t.Fatal(err)
			}
			if code := s.result(t); name != "SIGKILL" && code != done {
				t.Errorf("exit code %d", code)
			}
			await(t, "the plugin has ended", func() bool { return !isAlive(plugins[0]) })
		})
	}
}

func TestServeIsReadyAgainAfterAPluginDied(t *testing.T) {
	t.Parallel()
	s := mustServe(t)
	kills := 0
	restarted := func() string {
		return fmt.Sprintf("goalgraph_plugin_restarts_total{file=\"\",plugin=\"builtin\"} %d\n", kills)
	}
	await(t, "it is not ready", func() bool {
		status, checks := s.ready(t)
		if status == http.StatusServiceUnavailable && checks["plugin builtin"] == "RESTARTING" {
			return true
		}
		// It may be back before that is seen. The next pause is longer.
		if strings.Contains(s.get(t, "/metrics").body, restarted()) && checks["plugin builtin"] == "RUNNING" {
			plugins := children(t, s.Process.Pid)
			if len(plugins) != 1 {
				t.Fatalf("the server has children %v, want one", plugins)
			}
			if err := syscall.Kill(plugins[0], syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			kills++
		}
		return false
	})
	if a := s.get(t, "/healthz"); a.status != http.StatusOK {
		t.Errorf("/healthz: %d", a.status)
	}
	await(t, "it is ready again", func() bool {
		status, checks := s.ready(t)
		return status == http.StatusOK && checks["plugin builtin"] == "RUNNING"
	})
	if a := s.get(t, "/metrics"); !strings.Contains(a.body, restarted()) {
		t.Errorf("/metrics does not count %d restarts", kills)
	}
	s.mustStop(t)
}

func TestServeIsNotReadyWithoutItsDatabase(t *testing.T) {
	t.Parallel()
	database, err := servers.PostgreSQL()
	if err != nil {
		t.Fatal(err)
	}
	defer database.Stop()
	s := mustServe(t, "--database", database.URL, "--sample")
	if status, checks := s.ready(t); status != http.StatusOK || checks["database"] != "ok" {
		t.Errorf("%d %v", status, checks)
	}
	if err := database.Stop(); err != nil {
		t.Fatal(err)
	}
	if status, checks := s.ready(t); status != http.StatusServiceUnavailable || checks["database"] != "unreachable" {
		t.Errorf("%d %v", status, checks)
	}
	if a := s.get(t, "/healthz"); a.status != http.StatusOK {
		t.Errorf("/healthz: %d", a.status)
	}
	s.mustStop(t)
}

func TestServeWithABrokenPlugin(t *testing.T) {
	t.Parallel()
	script := mustWriteFile(t, "broken", "#!/bin/sh\necho this is no plugin >&2\nexit 3\n")
	if err := os.Chmod(script, 0o700); err != nil {
		t.Fatal(err)
	}
	s := mustServe(t, "--plugins", filepath.Dir(script))
	var data struct {
		Plugins []struct{ Name, Status, Reason string }
	}
	if err := json.Unmarshal([]byte(s.mustAsk(t, "{ plugins { name status reason } }")), &data); err != nil {
		t.Fatal(err)
	}
	if len(data.Plugins) != 2 || data.Plugins[0].Status != "RUNNING" || data.Plugins[1].Name != "broken" || data.Plugins[1].Status != "FAILED" ||
		!strings.Contains(data.Plugins[1].Reason, "this is no plugin") {
		t.Errorf("%+v", data)
	}
	if status, checks := s.ready(t); status != http.StatusOK || checks["plugin broken"] != "FAILED" {
		t.Errorf("%d %v", status, checks)
	}
	s.mustStop(t)
}

// Redis may only make it faster: whether it is there shows, and changes nothing.
func TestServeWithRedis(t *testing.T) {
	t.Parallel()
	redis := storetest.RedisServer(t)
	s := mustServe(t, "--redis", redis.URL)
	if !regexp.MustCompile(`msg="Redis is (un)?reachable`).MatchString(s.stderr.String()) { // unreachable, if the machine was busy for 100 ms
		t.Errorf("the log does not say whether Redis is reachable:\n%s", &s.stderr)
	}
	await(t, "Redis is ready", func() bool {
		status, checks := s.ready(t)
		return status == http.StatusOK && checks["redis"] == "ok"
	})
	if err := redis.Stop(); err != nil {
		t.Fatal(err)
	}
	if status, checks := s.ready(t); status != http.StatusOK || checks["redis"] != "unreachable" {
		t.Errorf("%d %v", status, checks)
	}
	s.mustAsk(t, `mutation { createSite(input: { name: "Shop", domains: ["shop.example"] }) { site { id } } }`)
	for n := range 20 { // days of fewer sessions have no use for Redis
		s.mustTrack(t, "shop.example", "/v1/page", page(fmt.Sprint("visitor ", n), "/"))
	}
	if data := s.mustAsk(t, `{ site(domain: "shop.example") { sessionCount(range: { from: "2000-01-01T00:00:00Z" }) } }`); !strings.Contains(data, ":20}") {
		t.Errorf("%s", data)
	}
	if metrics := s.get(t, "/metrics").body; !regexp.MustCompile(`(?m)^goalgraph_count_redis_failures_total [1-9]`).MatchString(metrics) {
		t.Error("the metrics do not tell that Redis did not answer")
	}
	s.mustStop(t)

	without := program(t, "serve", "--auth", "none", "--listen", "127.0.0.1:0")
	without.Env = append(without.Env, "REDIS_URL=redis://:secret@"+unused(t))
	s = without.mustServe(t)
	if said := s.stderr.String(); !strings.Contains(said, `level=WARN msg="Redis is unreachable`) || strings.Contains(said, "secret") {
		t.Errorf("the log does not say so:\n%s", said)
	}
	if status, checks := s.ready(t); status != http.StatusOK || checks["redis"] != "unreachable" {
		t.Errorf("%d %v", status, checks)
	}
	s.mustStop(t)
	if status, checks := mustServe(t).ready(t); status != http.StatusOK || checks["redis"] != "" {
		t.Errorf("without --redis: %d %v", status, checks)
	}
}

// A Redis that takes connections and never answers costs its limit, no more.
func TestServeWithASilentRedis(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	s := mustServe(t, "--redis", "redis://"+listener.Addr().String())
	if status, checks := s.ready(t); status != http.StatusOK || checks["redis"] != "unreachable" {
		t.Errorf("%d %v", status, checks)
	}
	s.mustStop(t)
}

// Servers that start on one empty database at once migrate it once, load the
// sample once, and all serve.
func TestServersStartAtOnce(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		t.Parallel()
		var starting [3]*process
		for i := range starting {
			starting[i] = program(t, "serve", "--sample", "--auth", "none", "--listen", "127.0.0.1:0", "--database", database).mustStart(t)
		}
		var all sync.WaitGroup
		for _, p := range starting {
			all.Go(func() {
				deadline := time.Now().Add(limit)
				for !listening.MatchString(p.stderr.String()) && time.Now().Before(deadline) {
					select {
					case <-p.ended:
						return
					case <-time.After(2 * time.Millisecond):
					}
				}
			})
		}
		all.Wait()
		for _, p := range starting {
			if !listening.MatchString(p.stderr.String()) {
				t.Errorf("a server did not start:\n%s", &p.stderr)
				continue
			}
			(&server{process: p}).mustStop(t)
		}
		checkSample(t, database)
	})
}
