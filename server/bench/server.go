package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/goalgraph/goalgraph/model"
)

// guard is a shell script that runs the server, and ends it when standard input closes: at the latest when this process ends.
const guard = `
exec 3<&0
"$@" </dev/null 3<&- >&2 &
server=$!
echo "$server"
{ read -r _ <&3; kill -s TERM "$server"; } >/dev/null 2>&1 &
reader=$!
wait "$server"
kill "$reader" 2>/dev/null
`

// server is a running Goalgraph.
type server struct {
	cmd     *exec.Cmd
	alive   io.Closer
	pid     int
	url     string
	log     *os.File
	client  *http.Client
	site    string
	days    model.Range
	started time.Time
}

// startServer starts the server, with default settings but for flags, and waits until it is ready.
func startServer(ctx context.Context, o options, database string, flags ...string) (_ *server, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return nil, err
	}
	plugins := filepath.Join(o.dir, "plugins.d")
	if err := os.MkdirAll(plugins, 0o755); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(o.dir, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	s := &server{
		cmd: exec.Command("/bin/sh", append([]string{"-c", guard, "sh", o.server, "serve", "--auth", "none", "--key-rate", "0", "--listen", address, "--plugins", plugins}, flags...)...),
		url: "http://" + address, log: log,
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 5 * time.Minute},
		days:   model.Range{From: firstDay.Start(), To: (firstDay + model.Day(o.days)).Start()},
	}
	// Not on the command line, which everybody on the machine can read.
	s.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TMPDIR=" + os.TempDir(), "DATABASE_URL=" + database}
	s.cmd.Stderr = log
	in, err := s.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	s.alive = in
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.started = time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%w; its log is %s", err, log.Name()), s.stop())
		}
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, err
	}
	if s.pid, err = strconv.Atoi(strings.TrimSpace(line)); err != nil {
		return nil, err
	}
	for limit := time.Now().Add(time.Minute); ; time.Sleep(2 * time.Millisecond) {
		response, err := s.client.Get(s.url + "/readyz")
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				break
			}
		}
		if time.Now().After(limit) || ctx.Err() != nil {
			return nil, fmt.Errorf("the server is not ready: %w", errors.Join(err, ctx.Err()))
		}
	}
	var data struct{ Sites []struct{ ID string } }
	if err := s.ask(ctx, "{ sites { id } }", nil, &data); err != nil {
		return nil, err
	}
	s.site = data.Sites[0].ID
	return s, nil
}

// stop ends the server and waits for it. It can be called more than once.
func (s *server) stop() error {
	s.alive.Close()
	err := s.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) || errors.Is(err, os.ErrProcessDone) {
		err = nil // the exit code of the guard means nothing
	}
	s.client.CloseIdleConnections()
	s.log.Close()
	return err
}

// residentMB returns the resident memory of the server's process, in MiB.
func (s *server) residentMB() (float64, error) {
	out, err := exec.Command("ps", "-o", "rss=", "-p", strconv.Itoa(s.pid)).Output()
	if err != nil {
		return 0, fmt.Errorf("ps: %w", err)
	}
	kilobytes, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	return kilobytes / 1024, err
}

// post sends a GraphQL request and returns the body of the answer.
func (s *server) post(ctx context.Context, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, answer)
	}
	return answer, err
}

// request returns the body of a GraphQL request.
func request(query string, variables map[string]any) ([]byte, error) {
	return json.Marshal(map[string]any{"query": query, "variables": variables})
}

func (s *server) ask(ctx context.Context, query string, variables map[string]any, data any) error {
	body, err := request(query, variables)
	if err != nil {
		return err
	}
	answer, err := s.post(ctx, body)
	if err != nil {
		return err
	}
	return decode(answer, data)
}

func decode(answer []byte, data any) error {
	parsed := struct {
		Data   any
		Errors []struct{ Message string }
	}{Data: data}
	if err := json.Unmarshal(answer, &parsed); err != nil {
		return fmt.Errorf("%w: %s", err, answer)
	}
	if len(parsed.Errors) > 0 {
		return fmt.Errorf("graphql: %s", answer)
	}
	return nil
}

func rangeOf(r model.Range) map[string]any {
	return map[string]any{"from": r.From.Time().Format(time.RFC3339), "to": r.To.Time().Format(time.RFC3339)}
}

// one counts the sessions of a definition.
func (s *server) one(ctx context.Context, d definition) (count int, took time.Duration, err error) {
	var data struct{ Site struct{ SessionCount int } }
	start := time.Now()
	err = s.ask(ctx, "query($site: ID!, $filters: [FilterInput!], $range: TimeRange!) { site(id: $site) { sessionCount(filters: $filters, range: $range) } }",
		map[string]any{"site": s.site, "filters": d.filters, "range": rangeOf(s.days)}, &data)
	return data.Site.SessionCount, time.Since(start), err
}

// fillMemory counts 50 leaves that no question has: session lengths beyond theirs. It makes the process use its memory once,
// as after a while of serving: the first use of a page of memory takes the system several times as long.
func (s *server) fillMemory(ctx context.Context, round int) error {
	for begin := range 2 { // an operation has 30 aliases at most
		query := "query($site: ID!, $range: TimeRange!) { site(id: $site) { "
		for n := range 25 {
			query += fmt.Sprintf("n%d: sessionCount(filters: [{sessionLength: {min: %d}}], range: $range) ", n, 2000+round*50+begin*25+n)
		}
		var data struct{ Site map[string]int }
		if err := s.ask(ctx, query+"} }", map[string]any{"site": s.site, "range": rangeOf(s.days)}, &data); err != nil {
			return err
		}
	}
	return nil
}

// define creates the segments and goals of a question and returns the request for its matrix.
func (s *server) define(ctx context.Context, q question, key string) (body []byte, err error) {
	return s.defineCells(ctx, q, key, "SESSION", "sessions conversions")
}

// defineCells does so for a matrix by a unit, with the fields of cells.
func (s *server) defineCells(ctx context.Context, q question, key, unit, fields string) (body []byte, err error) {
	variables := map[string]any{"site": s.site, "range": rangeOf(s.days)}
	for name, definitions := range map[string][]definition{"Segment": q.segments, "Goal": q.goal} {
		var ids []string
		for i, d := range definitions {
			input := map[string]any{"siteId": s.site, "name": fmt.Sprintf("%s %d", key, i), "filters": d.filters}
			if name == "Goal" {
				input["key"] = fmt.Sprintf("%s-%d", key, i)
			}
			id, err := s.create(ctx, name, input)
			if err != nil {
				return nil, err
			}
			ids = append(ids, id)
		}
		variables[strings.ToLower(name)+"s"] = ids
	}
	return request("query($site: ID!, $segments: [ID!], $goals: [ID!], $range: TimeRange!) { site(id: $site) { "+
		"goalCards(segments: $segments, goals: $goals, range: $range, unit: "+unit+") { cells { "+fields+" } } } }", variables)
}

// create creates a Segment or a Goal, and returns its id.
func (s *server) create(ctx context.Context, noun string, input map[string]any) (id string, err error) {
	var data struct {
		Payload struct{ Made struct{ ID string } }
	}
	query := fmt.Sprintf("mutation($input: Create%sInput!) { payload: create%s(input: $input) { made: %s { id } } }", noun, noun, strings.ToLower(noun))
	err = s.ask(ctx, query, map[string]any{"input": input}, &data)
	return data.Payload.Made.ID, err
}

// totals counts all sessions and their visitors. all is a definition that every session matches.
func (s *server) totals(ctx context.Context, all definition, key string) (sessions, visitors int, took time.Duration, err error) {
	goal := definition{filters: []map[string]any{{"pageViews": map[string]any{"min": 1}}}}
	body, err := s.defineCells(ctx, question{segments: []definition{all}, goal: []definition{goal}}, key, "SESSION", "sessions visitors")
	if err != nil {
		return 0, 0, 0, err
	}
	var data struct {
		Site struct {
			GoalCards []struct {
				Cells []struct{ Sessions, Visitors int }
			}
		}
	}
	start := time.Now()
	answer, err := s.post(ctx, body)
	if err == nil {
		err = decode(answer, &data)
	}
	took = time.Since(start)
	if err != nil {
		return 0, 0, took, err
	}
	cell := data.Site.GoalCards[0].Cells[0]
	return cell.Sessions, cell.Visitors, took, nil
}

// visitors sends a request of defineCells by visitor, and checks that no cell has more of them than its sessions and its
// segment allow.
func (s *server) visitors(ctx context.Context, body []byte) (took time.Duration, err error) {
	var data struct {
		Site struct {
			GoalCards []struct {
				Cells []struct{ Sessions, Visitors, Conversions int }
			}
		}
	}
	start := time.Now()
	answer, err := s.post(ctx, body)
	if err == nil {
		err = decode(answer, &data)
	}
	took = time.Since(start)
	for _, card := range data.Site.GoalCards {
		for _, cell := range card.Cells {
			if cell.Visitors > cell.Sessions || cell.Conversions > cell.Visitors {
				err = errors.Join(err, fmt.Errorf("%d sessions of %d visitors, %d of whom converted", cell.Sessions, cell.Visitors, cell.Conversions))
			}
		}
	}
	return took, err
}

// metric reads a metric of the server, by its name and labels.
func (s *server) metric(ctx context.Context, name string) (value float64, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if text, found := strings.CutPrefix(lines.Text(), name+" "); found {
			return strconv.ParseFloat(text, 64)
		}
	}
	return 0, errors.Join(lines.Err(), fmt.Errorf("no metric %s", name))
}

// matrix sends a request of define.
func (s *server) matrix(ctx context.Context, body []byte) (a answer, took time.Duration, err error) {
	var data struct {
		Site struct {
			GoalCards []struct {
				Cells []struct{ Sessions, Conversions int }
			}
		}
	}
	start := time.Now()
	raw, err := s.post(ctx, body)
	if err == nil {
		err = decode(raw, &data)
	}
	took = time.Since(start)
	cards := data.Site.GoalCards
	if err != nil || len(cards) == 0 {
		return a, took, errors.Join(err, fmt.Errorf("%d cards", len(cards)))
	}
	a = newAnswer(len(cards[0].Cells), len(cards))
	for j, card := range cards {
		for i, cell := range card.Cells {
			a.Sessions[i], a.Conversions[i][j] = cell.Sessions, cell.Conversions
		}
	}
	return a, took, nil
}
