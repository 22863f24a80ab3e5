// Package servers starts private PostgreSQL and Redis servers for tests.
//
// A server listens on a free loopback port, requires a random password, keeps nothing
// (no fsync, no snapshots), and has a folder of its own that is removed with it. It
// ends with the process that started it, even after SIGKILL: a shell, which is the
// server's parent, holds the reading end of a pipe, and only this process has the
// writing end. When the pipe closes, for whatever reason, the shell ends the server by
// its process id and removes the folder. So nobody has to clean up, and test packages
// need no TestMain.
//
// PostgreSQL refuses to run as root. Started by root, servers run as the user
// postgres, or else nobody.
package servers

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// The variables that name servers to use in place of private ones: a PostgreSQL on which databases may be created, and a Redis whose
// databases may be flushed.
const (
	DatabaseURLVariable = "GOALGRAPH_TEST_DATABASE_URL"
	RedisURLVariable    = "GOALGRAPH_TEST_REDIS_URL"
)

const (
	startLimit = 60 * time.Second // a loaded machine of CI needs more than the usual second
	stopLimit  = 10 * time.Second
	// A port is free when it is chosen and may be taken when the server binds it.
	attempts = 5
)

// Server is a running server.
type Server struct {
	// URL connects to it as its superuser.
	URL string

	dir   string
	alive *os.File // the writing end: closing it ends the server
	ended chan struct{}
	log   bytes.Buffer // the end of it, to be read when it has ended
}

// Stop ends the server at once, as if it had crashed, and waits until its folder is gone. It may be called again.
func (s *Server) Stop() error {
	if err := s.alive.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("stop %s: %w", s.dir, err)
	}
	select {
	case <-s.ended:
		return nil
	case <-time.After(stopLimit):
		return fmt.Errorf("stop %s: still running after %s", s.dir, stopLimit)
	}
}

// PostgreSQL starts a PostgreSQL server of the newest version installed.
func PostgreSQL() (*Server, error) {
	return startPostgreSQL("", "QUIT", []string{
		"fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200", "autovacuum_naptime=10min",
	})
}

// KeptPostgreSQL starts a PostgreSQL server of the newest version installed whose data stand in the folder data and stay there: the
// next one finds them. The folder is made where it is missing. settings are name=value; by default all are PostgreSQL's own, but the
// port, which is a free one.
func KeptPostgreSQL(data string, settings ...string) (*Server, error) {
	data, err := filepath.Abs(data)
	if err != nil {
		return nil, err
	}
	return startPostgreSQL(data, "INT", settings)
}

// startPostgreSQL takes a folder of the data, or none for one that goes with the server.
func startPostgreSQL(kept, signal string, settings []string) (*Server, error) {
	initdb, err := find("initdb")
	if err != nil {
		return nil, err
	}
	if initdb, err = filepath.EvalSymlinks(initdb); err != nil { // postgres stands beside the real one
		return nil, err
	}
	postgres := filepath.Join(filepath.Dir(initdb), "postgres")
	return start("postgresql", func(f folder, port string) (launch, error) {
		data := cmp.Or(kept, filepath.Join(f.dir, "data"))
		password, err := f.data(initdb, data)
		if err != nil {
			return launch{}, err
		}
		for _, s := range settings {
			if given, isPort := strings.CutPrefix(s, "port="); isPort {
				port = given
			}
		}
		l := launch{signal: signal, argv: []string{postgres, "-D", data}}
		for _, s := range slices.Concat([]string{"listen_addresses=127.0.0.1", "port=" + port, "unix_socket_directories=", "timezone=UTC"}, settings) {
			l.argv = append(l.argv, "-c", s)
		}
		l.url = (&url.URL{Scheme: "postgres", User: url.UserPassword("goalgraph", password), Host: "127.0.0.1:" + port,
			Path: "/postgres", RawQuery: "sslmode=disable"}).String()
		l.ping = func(ctx context.Context) error {
			conn, err := pgx.Connect(ctx, l.url)
			if err != nil {
				return err
			}
			return conn.Close(ctx)
		}
		return l, nil
	})
}

// data makes a folder of PostgreSQL's data where there is none yet, and returns its superuser's password, which is kept in it.
func (f folder) data(initdb, data string) (password string, err error) {
	file := filepath.Join(data, "password")
	if kept, err := os.ReadFile(file); err == nil {
		return string(kept), nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	// The folder is its owner's alone, and those above are open to it.
	if err := errors.Join(os.MkdirAll(filepath.Dir(data), 0o755), os.MkdirAll(data, 0o700), f.own(data)); err != nil {
		return "", err
	}
	password = rand.Text()
	if err := f.write("password", password); err != nil {
		return "", err
	}
	cmd := f.command(initdb, "-D", data, "-U", "goalgraph", "-E", "UTF8", "--locale=C", "--no-sync",
		"--auth=scram-sha-256", "--pwfile="+filepath.Join(f.dir, "password"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return password, errors.Join(os.WriteFile(file, []byte(password), 0o600), f.own(file))
}

// Redis starts a Redis server with 1,024 databases.
func Redis() (*Server, error) { return startRedis("", rand.Text()) }

// RedisAgain starts an empty Redis server with the URL of one that was stopped.
func RedisAgain(stopped string) (*Server, error) {
	u, err := url.Parse(stopped)
	if err != nil {
		return nil, err
	}
	password, _ := u.User.Password()
	return startRedis(u.Port(), password)
}

// startRedis starts a Redis server on the port, or any free one.
func startRedis(fixed, password string) (*Server, error) {
	server, err := find("redis-server")
	if err != nil {
		return nil, err
	}
	return start("redis", func(f folder, port string) (launch, error) {
		port = cmp.Or(fixed, port)
		// In a file, because everybody on the machine can read a command line.
		conf := "bind 127.0.0.1\nport " + port + "\nrequirepass " + password + "\ndir " + f.dir +
			"\nsave \"\"\nappendonly no\ndatabases 1024\n"
		if err := f.write("redis.conf", conf); err != nil {
			return launch{}, err
		}
		l := launch{signal: "KILL", argv: []string{server, filepath.Join(f.dir, "redis.conf")}}
		l.url = (&url.URL{Scheme: "redis", User: url.UserPassword("default", password), Host: "127.0.0.1:" + port}).String()
		l.ping = func(ctx context.Context) error {
			return pingRedis(ctx, "127.0.0.1:"+port, password)
		}
		return l, nil
	})
}

// pingRedis does without the client library, which logs every refused connection.
func pingRedis(ctx context.Context, addr, password string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(conn, "AUTH %s\r\n", password); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && answer != "+OK\r\n" {
		err = fmt.Errorf("AUTH: %s", answer)
	}
	return err
}

// find returns the path of a server's binary. Debian keeps PostgreSQL's out of PATH, and so does Homebrew for versioned formulas.
func find(name string) (string, error) {
	var found []string
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin",
		"/usr/local/opt/postgresql@*/bin", "/opt/homebrew/bin", "/usr/local/opt/redis/bin"} {
		paths, err := filepath.Glob(filepath.Join(pattern, name))
		if err != nil {
			return "", err
		}
		found = append(found, paths...)
	}
	if len(found) > 0 {
		// The numbers have two digits since 2017, so that the greatest path is the newest version.
		return slices.Max(found), nil
	}
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	return "", fmt.Errorf("%s is not installed: run `make test`, or scripts/install-test-servers.sh, or set %s and %s",
		name, DatabaseURLVariable, RedisURLVariable)
}

// folder is a server's folder and the user that owns it.
type folder struct {
	dir        string
	credential *syscall.Credential // nil: the user of this process
}

func newFolder(kind string) (f folder, err error) {
	parent := ""
	if os.Geteuid() == 0 {
		if f.credential, err = unprivileged(); err != nil {
			return f, err
		}
		parent = "/tmp" // TMPDIR may be a folder that only root enters
	}
	if f.dir, err = os.MkdirTemp(parent, "goalgraph-"+kind+"-"); err != nil {
		return f, err
	}
	return f, f.own(f.dir)
}

func unprivileged() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("root may not run PostgreSQL, and there is neither a user postgres nor nobody")
}

func (f folder) own(path string) error {
	if f.credential == nil {
		return nil
	}
	return os.Chown(path, int(f.credential.Uid), int(f.credential.Gid))
}

func (f folder) write(name, content string) error {
	path := filepath.Join(f.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		return err
	}
	return f.own(path)
}

// command runs in the folder, as its owner, and in a session of its own, where the terminal's Ctrl-C does not reach it.
func (f folder) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = f.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + f.dir, "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: f.credential}
	return cmd
}

// launch says how to start one server.
type launch struct {
	argv   []string
	signal string // ends it at once
	url    string
	ping   func(context.Context) error
}

// guard runs the server as its child. $1 is the folder, $2 the signal, the rest the server's command line.
const guard = `
dir=$1 signal=$2
shift 2
exec 3<&0
"$@" </dev/null >"$dir/log" 2>&1 3<&- &
server=$!
{ read -r _ <&3; kill -s "$signal" "$server"; } >/dev/null 2>&1 &
reader=$!
wait "$server"
kill "$reader" 2>/dev/null
tail -c 4000 "$dir/log"
cd / && rm -rf "$dir"
`

// start prepares and starts a server, on another port if it ends before it answers.
func start(kind string, prepare func(f folder, port string) (launch, error)) (*Server, error) {
	var errs []error
	for range attempts {
		s, err := startOnce(kind, prepare)
		if err == nil {
			return s, nil
		}
		errs = append(errs, err)
		if !errors.Is(err, errEnded) {
			break
		}
	}
	return nil, fmt.Errorf("start %s: %w", kind, errors.Join(errs...))
}

var errEnded = errors.New("the server ended")

func startOnce(kind string, prepare func(f folder, port string) (launch, error)) (_ *Server, err error) {
	f, err := newFolder(kind)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(f.dir))
		}
	}()
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	l, err := prepare(f, port)
	if err != nil {
		return nil, err
	}

	reading, writing, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd := f.command("/bin/sh", append([]string{"-c", guard, "sh", f.dir, l.signal}, l.argv...)...)
	cmd.Stdin = reading
	s := &Server{URL: l.url, dir: f.dir, alive: writing, ended: make(chan struct{})}
	cmd.Stdout = &s.log
	err = cmd.Start()
	reading.Close()
	if err != nil {
		writing.Close()
		return nil, err
	}
	go func() {
		// The guard's exit status says nothing: its server was killed, or its log tells why it ended.
		_ = cmd.Wait()
		close(s.ended)
	}()
	if err := s.wait(l.ping); err != nil {
		err = errors.Join(err, s.Stop())
		return nil, fmt.Errorf("%w; its log:\n%s", err, &s.log)
	}
	return s, nil
}

// wait returns when the server answers.
func (s *Server) wait(ping func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ping(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("%w before it answered", errEnded)
		case <-ctx.Done():
			return fmt.Errorf("no answer after %s: %w", startLimit, err)
		case <-tick.C:
		}
	}
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}
