package engine_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/goalgraph/goalgraph/model/store/storetest/servers"
)

// mustKept starts a PostgreSQL whose data stay.
func mustKept(t *testing.T, data string, settings ...string) *servers.Server {
	t.Helper()
	server, err := servers.KeptPostgreSQL(data, append(settings, "fsync=off", "wal_writer_delay=10s", "synchronous_commit=off")...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// crash ends a server as it stands: what it has not written to a file is lost.
func crash(t *testing.T, server *servers.Server, data string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(line)
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGQUIT)
	}
	if err == nil {
		err = server.Stop()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// dataFolder is one that the user of a server reaches.
func dataFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("/tmp", "goalgraph-lost-")
	if err == nil {
		err = os.Chmod(folder, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	return folder
}

// reconnect waits until all connections of the pool answer again.
func (l *losing) reconnect() {
	l.Helper()
	var running sync.WaitGroup
	for range 32 {
		running.Go(func() {
			until(l.T, "the database answers again", func() bool {
				_, err := l.store.Partitions(l.Context(), l.sites[0], always)
				return err == nil
			})
		})
	}
	running.Wait()
}

// writes returns how many writes the partitions have seen.
func (l *losing) writes() (n int64) {
	l.Helper()
	for _, site := range l.sites {
		state, err := l.store.State(l.Context(), site)
		if err != nil {
			l.Fatal(err)
		}
		n += state.Sessions
	}
	return n
}

// A PostgreSQL with synchronous_commit=off crashes, and loses writes that it had acknowledged.
func TestLostByACrash(t *testing.T) {
	t.Parallel()
	rounds, seed := lostRounds(t, 1)
	rounds = min(rounds, 10)
	r := rand.New(rand.NewPCG(seed, 93))
	data := filepath.Join(dataFolder(t), "data")
	server := mustKept(t, data)
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	l := newLosing(t, r, server.URL, mustRedisClient(t), nil)
	l.mustWrite(r, 10)
	round := 0
	// The server may have written its log to a file at any time: there are more rounds until a crash loses something.
	for ; round < rounds || l.losses.Load() == 0 && round < rounds+20; round++ {
		what := fmt.Sprintf("seed %d, round %d", seed, round)
		db := mustOpenSQL(t, server.URL)
		mustExec(t, db, "CHECKPOINT")
		db.Close()
		before := l.writes()
		l.mustWrite(r, 3)
		l.check(what + " before the crash")
		l.mustWrite(r, 2) // at once before the crash: nothing had time to be flushed
		acknowledged := l.writes()
		crash(t, server, data)
		server = mustKept(t, data, "port="+address.Port())
		l.reconnect()
		if now := l.writes(); now < acknowledged {
			l.losses.Add(1)
		} else if now < before {
			t.Errorf("%d writes, want %d at least", now, before)
		}
		if r.IntN(2) == 0 {
			l.check(what + " after the crash")
		}
		l.mustWrite(r, 2+r.IntN(3))
		l.check(what + " at the end")
	}
	if l.losses.Load() == 0 {
		t.Error("no write was lost: this says little")
	}
	l.report(round)
}

// proxy passes connections on to a server, which may become another one.
type proxy struct {
	net.Listener
	mu          sync.Mutex
	target      string
	connections []net.Conn
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: listener, target: target}
	t.Cleanup(func() { listener.Close(); p.point("") })
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			to, err := net.Dial("tcp", p.target)
			if err != nil {
				from.Close()
			} else {
				p.connections = append(p.connections, from, to)
				go pass(from, to)
				go pass(to, from)
			}
			p.mu.Unlock()
		}
	}()
	return p
}

func pass(from, to net.Conn) {
	io.Copy(to, from)
	to.Close()
	from.Close()
}

// point has all further connections go to a server, and ends the others.
func (p *proxy) point(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.connections {
		conn.Close()
	}
	p.target, p.connections = target, nil
}

// mustBaseBackup copies a running server's data, as those of a standby of it.
func mustBaseBackup(t *testing.T, server *servers.Server, data string) {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/pg_basebackup")
	if err != nil || len(found) == 0 {
		t.Fatal("there is no pg_basebackup", err)
	}
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), found[len(found)-1], "-d", server.URL, "-D", data, "-R", "-c", "fast", "--no-sync")
	cmd.Dir = "/tmp"
	if os.Geteuid() == 0 {
		owner, err := user.Lookup("postgres")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.Atoi(owner.Uid)
		gid, _ := strconv.Atoi(owner.Gid)
		if err := os.Chown(data, uid, gid); err != nil {
			t.Fatal(err)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("pg_basebackup: %v\n%s", err, out)
	}
}

// A standby that has not received the last writes is promoted, and the engines go on over it.
func TestLostByAFailover(t *testing.T) {
	t.Parallel()
	rounds, seed := lostRounds(t, 1)
	rounds = min(rounds, 5)
	r := rand.New(rand.NewPCG(seed, 94))
	folder := dataFolder(t)
	primaryData := filepath.Join(folder, "0")
	primary := mustKept(t, primaryData)
	address, err := url.Parse(primary.URL)
	if err != nil {
		t.Fatal(err)
	}
	p := newProxy(t, address.Host)
	address.Host = p.Addr().String()
	l := newLosing(t, r, address.String(), mustRedisClient(t), nil)
	l.mustWrite(r, 10)
	for round := range rounds {
		what := fmt.Sprintf("seed %d, round %d", seed, round)
		standbyData := filepath.Join(folder, strconv.Itoa(round+1))
		mustBaseBackup(t, primary, standbyData)
		standby := mustKept(t, standbyData)
		l.mustWrite(r, 2)
		onPrimary, onStandby := mustOpenSQL(t, primary.URL), mustOpenSQL(t, standby.URL)
		var position string
		if err := onPrimary.QueryRowContext(t.Context(), "SELECT pg_current_wal_insert_lsn()::text FROM (SELECT pg_switch_wal()) AS switched").Scan(&position); err != nil {
			t.Fatal(err)
		}
		until(t, "the standby has followed", func() bool {
			var has bool
			err := onStandby.QueryRowContext(t.Context(), "SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn", position).Scan(&has)
			return err == nil && has
		})
		l.check(what + " before the standby lags")
		mustExec(t, onStandby, "ALTER SYSTEM SET primary_conninfo = ''")
		mustExec(t, onStandby, "SELECT pg_reload_conf()")
		until(t, "the standby receives nothing", func() bool {
			var receivers int
			err := onStandby.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_stat_wal_receiver").Scan(&receivers)
			return err == nil && receivers == 0
		})
		l.mustWrite(r, 3)
		l.check(what + " before the failover")
		acknowledged := l.writes()
		onPrimary.Close()
		crash(t, primary, primaryData)
		mustExec(t, onStandby, "SELECT pg_promote(true, 60)")
		onStandby.Close()
		standbyURL, err := url.Parse(standby.URL)
		if err != nil {
			t.Fatal(err)
		}
		p.point(standbyURL.Host)
		primary, primaryData = standby, standbyData
		l.reconnect()
		if l.writes() >= acknowledged {
			t.Error("no write was lost: this says little")
		}
		l.losses.Add(1)
		if r.IntN(2) == 0 {
			l.check(what + " after the failover")
		}
		l.mustWrite(r, 2+r.IntN(3))
		l.check(what + " at the end")
	}
	l.report(rounds)
}
