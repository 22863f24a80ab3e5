//go:build system

// The tests in this file run the server, so they have the tag system: see main_test.go.
package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/model/store/storetest/servers"
)

// kills is how often tests kill what takes in messages: twice, or as often as
// GOALGRAPH_KILLS says (make soak-track does).
func kills(tb testing.TB) int {
	tb.Helper()
	set := os.Getenv("GOALGRAPH_KILLS")
	if set == "" {
		return 2
	}
	n, err := strconv.Atoi(set)
	if err != nil || n < 1 {
		tb.Fatalf("GOALGRAPH_KILLS: %q is no number from 1 on", set)
	}
	return n
}

// surviveKills has senders send batches to the server, each again until it is
// acknowledged, while kill ends something of what takes them in and starts it again.
// In the end each message that was acknowledged must count once.
func surviveKills(t *testing.T, key string, server func() *server, kill func()) {
	t.Helper()
	const senders, each = 6, 5
	var acknowledged atomic.Int64
	stop := make(chan struct{})
	var sending sync.WaitGroup
	for sender := range senders {
		sending.Go(func() {
			for n := 0; ; n++ {
				var batch []string
				for i := range each {
					// Each message has a session of its own.
					batch = append(batch, fmt.Sprintf(`{"type":"page","messageId":"%d-%d-%d","anonymousId":"v%d","timestamp":"2026-01-01T00:00:00Z","context":{"sessionId":"%d-%d-%d"},"properties":{"path":"/"}}`,
						sender, n, i, sender, sender, n, i))
				}
				body := []byte(`{"batch":[` + strings.Join(batch, ",") + `]}`)
				for {
					a, err := server().track(key, "/v1/batch", body)
					if err == nil && a.status == 200 {
						break
					}
					if err == nil && (a.status != 503 || a.header.Get("Retry-After") == "") {
						t.Errorf("a batch that was not kept: %+v", a)
						return
					}
					if t.Context().Err() != nil { // the test has failed
						return
					}
					// Even the last one is sent until it is acknowledged: it may have been kept
					// before the answer was lost.
				}
				acknowledged.Add(each)
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	goOn := func() {
		before := acknowledged.Load()
		await(t, "messages are acknowledged", func() bool { return acknowledged.Load() > before+20*each || t.Failed() })
	}
	for range kills(t) {
		goOn()
		kill()
	}
	goOn()
	close(stop)
	sending.Wait()
	if got := server().sessions(t); int64(got) != acknowledged.Load() {
		t.Errorf("%d sessions of %d acknowledged messages", got, acknowledged.Load())
	}
}

// A server that is killed while it takes in messages has kept those that it
// acknowledged, and those that are sent again count once.
func TestTrackKilled(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		key := mustKey(t, database)
		var current atomic.Pointer[server]
		current.Store(mustServe(t, "--database", database))
		surviveKills(t, key, current.Load, func() {
			if err := current.Load().Process.Kill(); err != nil {
				t.Fatal(err)
			}
			<-current.Load().ended
			current.Store(mustServe(t, "--database", database))
		})
	})
}

// So is it when PostgreSQL is killed: the server goes on by itself when it is back.
func TestTrackDatabaseKilled(t *testing.T) {
	t.Parallel()
	// Not t.TempDir, which is open to its owner alone: started by root, PostgreSQL runs as another user.
	folder, err := os.MkdirTemp("/tmp", "goalgraph-killed-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(folder, "data")
	postgreSQL, err := servers.KeptPostgreSQL(data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { postgreSQL.Stop() })
	address, err := url.Parse(postgreSQL.URL)
	if err != nil {
		t.Fatal(err)
	}
	key := mustKey(t, postgreSQL.URL)
	s := mustServe(t, "--database", postgreSQL.URL)
	surviveKills(t, key, func() *server { return s }, func() {
		text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
		if err != nil {
			t.Fatal(err)
		}
		line, _, _ := strings.Cut(string(text), "\n")
		pid, err := strconv.Atoi(line)
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if err := postgreSQL.Stop(); err != nil {
			t.Fatal(err)
		}
		// Its other processes end one by one; until then the next one refuses to start.
		await(t, "PostgreSQL is back", func() bool {
			again, err := servers.KeptPostgreSQL(data, "port="+address.Port())
			if err == nil {
				postgreSQL = again
			}
			return err == nil
		})
	})
}

// A site whose transactions wait for a lock is refused when too much of it waits, and
// holds no other site up; in the end what was acknowledged of it is kept, and no more.
func TestTrackSlowSite(t *testing.T) {
	t.Parallel()
	database := storetest.PostgreSQL(t)
	key := mustKey(t, database)
	other := strings.TrimSpace(program(t, "--database", database, "key", "create", "--scope", "write", "--site", "other.example", "Other").mustRun(t, done).stdout.String())
	s := mustServe(t, "--database", database, "--key-rate", "0")
	// All of it is of one day, whose partition is locked.
	const moment = `"timestamp":"2026-01-01T00:00:00Z"`
	if a := s.mustTrack(t, key, "/v1/page", []byte(`{"anonymousId":"first","name":"p",`+moment+`}`)); a.status != 200 {
		t.Fatalf("%+v", a)
	}
	db := openSQL(t, database)
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(t.Context(), "SELECT * FROM partitions FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	var kept, refused atomic.Int64
	var sending sync.WaitGroup
	// Each request takes more than 5 MB of memory. Of one site's no more than 24 MiB may wait.
	const requests, waiting = 20, 4
	send := func(request int) (answer, error) {
		var batch []string
		for i := range 5000 {
			batch = append(batch, fmt.Sprintf(`{"type":"page","anonymousId":"v%d-%d","name":"p",%s}`, request, i, moment))
		}
		return s.track(key, "/v1/batch", packed([]byte(`{"batch":[`+strings.Join(batch, ",")+`]}`)), "Content-Encoding", "gzip")
	}
	for request := range requests {
		sending.Go(func() {
			a, err := send(request)
			switch {
			case err == nil && a.status == 200:
				kept.Add(5000)
			case err == nil && a.status == 503 && a.header.Get("Retry-After") != "":
				refused.Add(1)
			default:
				t.Errorf("%v %+v", err, a)
			}
		})
	}
	await(t, "the slow site is refused", func() bool { return refused.Load() >= requests-waiting })
	for n := range 20 {
		begin := time.Now()
		if a := s.mustTrack(t, other, "/v1/page", page(fmt.Sprint(n), "/")); a.status != 200 {
			t.Fatalf("the other site: %+v", a)
		}
		// A transaction that waits for the lock is given 20 s.
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("the other site waited %v", took)
		}
	}
	if kept.Load() != 0 {
		t.Errorf("%d messages were acknowledged while their partition was locked", kept.Load())
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	sending.Wait()
	// On a loaded machine all that waited may have been refused by now. What is sent again is taken.
	if a, err := send(requests); err != nil || a.status != 200 {
		t.Fatalf("after the lock: %v %+v", err, a)
	}
	kept.Add(5000)
	if got := s.sessions(t); int64(got) != kept.Load()+1 {
		t.Errorf("%d sessions of %d acknowledged visitors", got, kept.Load()+1)
	}
}

// What waits to be written when the server is told to stop is written.
func TestTrackStops(t *testing.T) {
	t.Parallel()
	database := "sqlite:" + filepath.Join(t.TempDir(), "goalgraph.db")
	key := mustKey(t, database)
	s := mustServe(t, "--database", database)
	const senders = 20
	acknowledged := make([]int, senders)
	var sending sync.WaitGroup
	begun := make(chan struct{}, senders)
	for sender := range senders {
		sending.Go(func() {
			for n := range 1000 {
				a, err := s.track(key, "/v1/page", page(fmt.Sprintf("v%d-%d", sender, n), "/"))
				if err != nil || a.status != 200 {
					return // the server stops
				}
				acknowledged[sender]++
				if n == 0 {
					begun <- struct{}{}
				}
			}
		})
	}
	for range senders {
		<-begun
	}
	s.mustStop(t)
	sending.Wait()
	want := 0
	for _, n := range acknowledged {
		want += n
	}
	if got := mustServe(t, "--database", database).sessions(t); got < want || got > want+senders {
		t.Errorf("%d sessions of %d acknowledged visitors", got, want)
	}
}
