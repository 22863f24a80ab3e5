package store_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/modeltest"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// mustBeUnavailable checks that an error tells its reader what to do, and no password.
func mustBeUnavailable(t *testing.T, err error, says string) {
	t.Helper()
	e, _ := errors.AsType[*model.Error](err)
	if e == nil || e.Code != model.Unavailable || !strings.Contains(e.Message, says) || e.Cause == nil {
		t.Errorf("error %v (%s), want UNAVAILABLE: …%s…", err, model.CodeOf(err), says)
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

// openAndUse opens a database and writes to it, and returns the first error.
func openAndUse(ctx context.Context, url string) error {
	st, err := store.Open(ctx, url, store.Options{})
	if err != nil {
		return err
	}
	defer st.Close()
	if _, err := st.Migrate(ctx); err != nil {
		return err
	}
	return st.CreateSite(ctx, &model.Site{Name: "a", Timezone: "UTC"})
}

func changed(t *testing.T, address string, change func(u *url.URL)) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	change(u)
	return u.String()
}

func setQuery(u *url.URL, name, value string) {
	query := u.Query()
	query.Set(name, value)
	u.RawQuery = query.Encode()
}

// refusesTLS returns the address of a server that answers N when asked for TLS.
func refusesTLS(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			io.CopyN(io.Discard, conn, 8)
			conn.Write([]byte("N"))
			conn.Close()
		}
	}()
	return listener.Addr().String()
}

func TestPostgreSQLUnavailable(t *testing.T) {
	good := storetest.PostgreSQL(t)
	st := mustOpen(t, good)
	site := mustCreateSite(t, st, "shop.example")
	before := tables(t, st)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := listener.Addr().String()
	listener.Close()

	readOnly := changed(t, good, func(u *url.URL) { setQuery(u, "default_transaction_read_only", "on") })
	for name, test := range map[string]struct{ url, says string }{
		"read-only":     {readOnly, "read-only"},
		"password":      {changed(t, good, func(u *url.URL) { u.User = url.UserPassword(u.User.Username(), "s3cret") }), "password"},
		"user":          {changed(t, good, func(u *url.URL) { u.User = url.UserPassword("nobody_at_all", "s3cret") }), "rejects the user or password"},
		"database":      {changed(t, good, func(u *url.URL) { u.Path = "/no_such_database" }), "does not exist"},
		"server":        {changed(t, good, func(u *url.URL) { u.Host, u.User = closed, url.UserPassword("a", "s3cret") }), "cannot be reached"},
		"no encryption": {changed(t, good, func(u *url.URL) { u.Host = refusesTLS(t); setQuery(u, "sslmode", "require") }), "cannot be reached"},
	} {
		t.Run(name, func(t *testing.T) { mustBeUnavailable(t, openAndUse(t.Context(), test.url), test.says) })
	}

	t.Run("read-only write", func(t *testing.T) {
		st := mustOpenUnmigrated(t, readOnly)
		_, err := st.Write(t.Context(), site.ID, randomMessages(newRand(1), 10))
		mustBeUnavailable(t, err, "nothing changed")
		mustBeUnavailable(t, st.DeleteSite(t.Context(), site.ID, nil), "nothing changed")
		if read, err := st.Site(t.Context(), site.ID); err != nil || read.Name != site.Name {
			t.Errorf("a read-only database is not read: %v, %v", read, err)
		}
	})
	t.Run("connection lost", func(t *testing.T) {
		st := mustOpenUnmigrated(t, good)
		// The server ends the pool's connection while it is idle, and then all of them in a transaction.
		query(t, mustOpenUnmigrated(t, good), "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
		if _, err := st.Site(t.Context(), site.ID); err != nil && model.CodeOf(err) != model.Unavailable {
			t.Errorf("error %v, want none or UNAVAILABLE", err)
		}
		_, err := st.UpdateSite(t.Context(), site.ID, func(s *model.Site) error {
			s.Name = "changed"
			query(t, mustOpenUnmigrated(t, good), "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
			return nil
		})
		if model.CodeOf(err) != model.Unavailable {
			t.Errorf("error %v, want UNAVAILABLE", err)
		}
		if err := st.Ping(t.Context()); err != nil {
			t.Errorf("the next statement finds no connection: %v", err)
		}
	})
	if after := tables(t, mustOpenUnmigrated(t, good)); after != before {
		t.Errorf("there is\n%s\nwant\n%s", after, before)
	}
}

func TestSQLiteUnavailable(t *testing.T) {
	folder := t.TempDir()
	noDatabase := filepath.Join(folder, "text.db")
	content := []byte(strings.Repeat("this is no database\n", 1000))
	if err := os.WriteFile(noDatabase, content, 0o600); err != nil {
		t.Fatal(err)
	}
	mustBeUnavailable(t, openAndUse(t.Context(), "sqlite:"+noDatabase), "not a SQLite database")
	if left, err := os.ReadFile(noDatabase); err != nil || string(left) != string(content) {
		t.Errorf("the file was changed: %v", err)
	}
	mustBeUnavailable(t, openAndUse(t.Context(), "sqlite:"+folder), "cannot be opened")
	err := openAndUse(t.Context(), "sqlite:"+filepath.Join(noDatabase, "a.db"))
	if model.CodeOf(err) != model.Unavailable || !strings.Contains(err.Error(), "folder") {
		t.Errorf("error %v, want UNAVAILABLE", err)
	}
	// A name may hold what a URL gives a meaning to.
	odd := filepath.Join(folder, "new", "a b?c#d%41.db")
	if err := openAndUse(t.Context(), "sqlite:"+odd); err != nil {
		t.Error(err)
	} else if _, err := os.Stat(odd); err != nil {
		t.Error(err)
	}
}

func TestOpenUnknownAddress(t *testing.T) {
	for _, address := range []string{
		"", "sqlite:", "sqlite::memory:", "mysql://user:s3cret@host/db", "host=localhost password=s3cret", "postgres://user:s3cret@host:port/db",
		"postgres://user:s3cret@host/db?sslmode=maybe", "postgres://host/db?password=s3cret&sslmode=maybe", "postgres://%zz:s3cret@host", ":s3cret@host",
	} {
		_, err := store.Open(t.Context(), address, store.Options{})
		if model.CodeOf(err) != model.BadInput {
			t.Errorf("%q: error %v, want BAD_USER_INPUT", address, err)
			continue
		}
		if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: the error shows the password: %v", address, err)
		}
	}
	if got := store.Redacted("postgres://user:s3cret@host:5432/db?sslmode=disable"); got != "postgres://user:xxxxx@host:5432/db?sslmode=disable" {
		t.Errorf("redacted: %s", got)
	}
	if got := store.Redacted("sqlite:data/goalgraph.db"); got != "sqlite:data/goalgraph.db" {
		t.Errorf("redacted: %s", got)
	}
}

// Rights stop only those who are not root, so another process looks at the file.
func TestSQLiteReadOnly(t *testing.T) {
	folder := filepath.Dir(t.TempDir())
	file := filepath.Join(folder, "read-only.db")
	st, err := store.Open(t.Context(), "sqlite:"+file, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(folder, "copy.test")
	if err := copyFile(binary, "/proc/self/exe"); err != nil {
		if err := copyFile(binary, os.Args[0]); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), binary)
	command.Dir = folder
	command.Env = []string{writeVariable + "=sqlite:" + file}
	if os.Getuid() == 0 {
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	for path, mode := range map[string]os.FileMode{binary: 0o555, file: 0o444, folder: 0o555} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { os.Chmod(folder, 0o755) })
	output, err := command.Output()
	if err == nil || !strings.HasPrefix(string(output), string(model.Unavailable)+": ") || !strings.Contains(string(output), "writable") {
		t.Errorf("writing to a read-only file gives %q, %v", output, err)
	}
	if after, err := os.ReadFile(file); err != nil || string(after) != string(before) {
		t.Errorf("the read-only file was changed, %v", err)
	}
}

func copyFile(to, from string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}

// A database that may not grow is what SQLite makes of a full disk.
func TestSQLiteFull(t *testing.T) {
	st := mustOpen(t, storetest.SQLite(t))
	site := mustCreateSite(t, st, "shop.example")
	messages := randomMessages(newRand(1), 5000)
	if _, err := st.Write(t.Context(), site.ID, messages[:100]); err != nil {
		t.Fatal(err)
	}
	before := tables(t, st)
	limit := func(pages int) { // of the connection that writes
		if _, err := st.Writing().ExecContext(t.Context(), fmt.Sprint("PRAGMA max_page_count = ", pages)); err != nil {
			t.Fatal(err)
		}
	}
	limit(1) // as many as there are
	_, err := st.Write(t.Context(), site.ID, messages)
	mustBeUnavailable(t, err, "disk is full")
	limit(1 << 30)
	if after := tables(t, st); after != before {
		t.Error("the write that failed left something")
	}
	written, err := st.Write(t.Context(), site.ID, messages)
	if err != nil || written.Duplicates != 100 {
		t.Errorf("with room again: %+v, %v", written, err)
	}
	modeltest.EqualSessions(t, modeltest.Stored(t, st, site.ID), modeltest.Sessions(messages))
}

func TestSQLiteLocked(t *testing.T) {
	address := storetest.SQLite(t)
	st := mustOpen(t, address)
	other := mustOpenUnmigrated(t, address)
	tx, err := other.DB().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	hasty := st.WithLockPatience(10 * time.Millisecond)
	mustBeUnavailable(t, hasty.CreateSite(t.Context(), &model.Site{Name: "a", Timezone: "UTC"}), "holds a lock")
}

// waitingTurns counts the goroutines that wait for their turn to write.
func waitingTurns() (n int) {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		state, frames, _ := strings.Cut(stack, "\n")
		if strings.Contains(state, "[select") && strings.Contains(frames, "semaphore.(*Weighted).Acquire(") {
			n++
		}
	}
	return n
}

// The writers of a process to a SQLite file have their turns in the order in which they
// came, also once another process lets go of it.
func TestSQLiteTurns(t *testing.T) {
	address := storetest.SQLite(t)
	st, other := mustOpen(t, address), mustOpenUnmigrated(t, address)
	site := mustCreateSite(t, st, "shop.example")
	held, err := other.Writing().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	segments := make([]*model.Segment, 10)
	var running sync.WaitGroup
	for n := range segments {
		segments[n] = &model.Segment{SiteID: site.ID, Name: fmt.Sprint(n)}
		running.Go(func() {
			if err := st.CreateSegment(t.Context(), segments[n]); err != nil {
				t.Error(err)
			}
		})
		// The first one looks for the lock, and each other one waits.
		for st.Writing().Stats().InUse == 0 && n == 0 || waitingTurns() < n {
			runtime.Gosched()
		}
	}
	if err := held.Rollback(); err != nil {
		t.Fatal(err)
	}
	running.Wait()
	if !slices.IsSortedFunc(segments, func(a, b *model.Segment) int { return cmp.Compare(a.ID, b.ID) }) {
		t.Error("a writer overtook another one")
	}
}

// Who writes to a SQLite file has its turn while another process does so all the time.
func TestSQLiteBusy(t *testing.T) {
	address := storetest.SQLite(t)
	busy, other := mustOpen(t, address), mustOpen(t, address)
	site := mustCreateSite(t, busy, "shop.example")
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for n := range 4 {
		running.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				id := fmt.Sprint(n, " ", i)
				hit := model.Hit{ID: model.MessageIDOf(id), Visitor: id, Kind: model.PageView, Name: "/"}
				if _, err := busy.Write(ctx, site.ID, []model.Message{{AnonymousID: id, Hit: hit}}); err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for n := range 30 {
		if err := other.CreateSegment(ctx, &model.Segment{SiteID: site.ID, Name: fmt.Sprint(n)}); err != nil {
			t.Error(err)
		}
	}
	stop()
	running.Wait()
}

func TestSortError(t *testing.T) {
	for code, want := range map[string]struct {
		code model.Code
		says string
	}{
		"53100": {model.Unavailable, "disk is full"},
		"53300": {model.Unavailable, "not available"},
		"57P01": {model.Unavailable, "not available"},
		"57P03": {model.Unavailable, "not available"},
		"08006": {model.Unavailable, "not available"},
		"08P01": {model.Unavailable, "not available"},
		"40P01": {model.Unavailable, "try again"},
		"42501": {model.Unavailable, "permission"},
		"25006": {model.Unavailable, "read-only"},
		"42601": {model.Internal, ""},
		"4":     {model.Internal, ""},
		"":      {model.Internal, ""},
	} {
		err := store.SortError(fmt.Errorf("exec: %w", &pgconn.PgError{Code: code, Message: "m"}))
		if model.CodeOf(err) != want.code || !strings.Contains(err.Error(), want.says) {
			t.Errorf("%s becomes %v (%s)", code, err, model.CodeOf(err))
		}
	}
	for _, err := range []error{nil, context.Canceled, context.DeadlineExceeded, model.Errorf(model.NotFound, "a")} {
		if got := store.SortError(err); got != err {
			t.Errorf("%v becomes %v", err, got)
		}
	}
	for _, err := range []error{io.EOF, io.ErrUnexpectedEOF, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, &net.DNSError{}} {
		if got := store.SortError(err); model.CodeOf(got) != model.Unavailable || !errors.Is(got, err) {
			t.Errorf("%v becomes %v", err, got)
		}
	}
}

// However far a write has come when its context ends, it leaves nothing.
func TestWriteCanceled(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, address string) {
		st := mustOpen(t, address)
		site := mustCreateSite(t, st, "shop.example")
		r := rand.New(rand.NewPCG(9, 9))
		messages := randomMessages(r, 400)
		for i := range messages {
			messages[i].UserID = "user of " + messages[i].AnonymousID
		}
		// More visitors, so that there are new sessions enough for COPY.
		for i := 200; i < 400; i++ {
			messages[i].AnonymousID = fmt.Sprint("visitor ", i)
		}
		if _, err := st.Write(t.Context(), site.ID, messages[:150]); err != nil {
			t.Fatal(err)
		}
		cancelAtEachStatement(t, address, func(st *store.Store) string { return tables(t, st) }, func(ctx context.Context, st *store.Store) error {
			_, err := st.Write(ctx, site.ID, messages)
			return err
		})
		modeltest.EqualSessions(t, modeltest.Stored(t, st, site.ID), modeltest.Sessions(messages))
	})
}
