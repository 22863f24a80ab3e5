// Package storetest gives tests empty databases: SQLite, PostgreSQL and Redis.
//
// A test run has one PostgreSQL and one Redis. `make test` starts them and names them
// in GOALGRAPH_TEST_DATABASE_URL and GOALGRAPH_TEST_REDIS_URL; you can set these to
// servers of your own. Without them, as in a plain `go test ./model/store`, the process
// starts private servers when a test first asks (package servers), and they end with
// the process. Each test gets a database of its own, so tests can run in parallel,
// across packages too. A missing server fails the test and never skips it: nobody
// would test a database that is skipped.
package storetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/goalgraph/goalgraph/model/store/storetest/servers"
)

const limit = time.Minute // for any one operation here, on a loaded machine

// The servers of this process, started when first asked for. They stay referenced until the process ends and they with it.
var (
	postgreSQLServer = sync.OnceValues(func() (string, error) { return serverURL(servers.DatabaseURLVariable, servers.PostgreSQL) })
	redisServer      = sync.OnceValues(func() (string, error) { return serverURL(servers.RedisURLVariable, servers.Redis) })

	running sync.Map // *servers.Server: a collected one would close its pipe
)

func serverURL(variable string, start func() (*servers.Server, error)) (string, error) {
	if u := os.Getenv(variable); u != "" {
		return u, nil
	}
	s, err := start()
	if err != nil {
		return "", err
	}
	running.Store(s, nil)
	return s.URL, nil
}

// SQLite returns the URL of a SQLite database that does not exist yet.
func SQLite(tb testing.TB) string {
	tb.Helper()
	return "sqlite:" + filepath.Join(tb.TempDir(), "test.db")
}

// PostgreSQL returns the URL of a new, empty database. It is dropped when the test ends, with whoever is still connected.
func PostgreSQL(tb testing.TB) string {
	tb.Helper()
	server, err := postgreSQLServer()
	if err != nil {
		tb.Fatal(err)
	}
	u, err := url.Parse(server)
	if err != nil {
		tb.Fatalf("%s: %v", servers.DatabaseURLVariable, err)
	}
	name := "storetest_" + strings.ToLower(rand.Text())
	quoted := pgx.Identifier{name}.Sanitize()
	if err := execute(server, "CREATE DATABASE "+quoted); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := execute(server, "DROP DATABASE "+quoted+" WITH (FORCE)"); err != nil {
			tb.Error(err)
		}
	})
	u.Path = "/" + name
	return u.String()
}

// citusVariable names a database on the coordinator of a Citus cluster, which has the extension.
const citusVariable = "GOALGRAPH_TEST_CITUS_URL"

// HasCitus tells whether a cluster is given.
func HasCitus() bool { return os.Getenv(citusVariable) != "" }

// Citus returns the URL of a new, empty schema on the cluster. It is dropped when the test ends.
func Citus(tb testing.TB) string {
	tb.Helper()
	cluster := os.Getenv(citusVariable)
	u, err := url.Parse(cluster)
	if err != nil {
		tb.Fatalf("%s: %v", citusVariable, err)
	}
	name := "storetest_" + strings.ToLower(rand.Text())
	quoted := pgx.Identifier{name}.Sanitize()
	if err := execute(cluster, "CREATE SCHEMA "+quoted); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := execute(cluster, "DROP SCHEMA "+quoted+" CASCADE"); err != nil {
			tb.Error(err)
		}
	})
	query := u.Query()
	query.Set("search_path", name)
	u.RawQuery = query.Encode()
	return u.String()
}

func execute(server, sql string) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return fmt.Errorf("connect to the PostgreSQL for tests: %w", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	return nil
}

// Databases runs the test on a new SQLite database and on a new PostgreSQL database, as subtests. T is *testing.T or *testing.B.
func Databases[T interface {
	testing.TB
	Run(name string, f func(T)) bool
}](tb T, test func(tb T, url string)) {
	tb.Helper()
	tb.Run("sqlite", func(tb T) { test(tb, SQLite(tb)) })
	tb.Run("postgresql", func(tb T) { test(tb, PostgreSQL(tb)) })
}

// Redis returns the URL of an empty database of the Redis server, which no other test has until this one ends; then it is flushed.
// Channels of pub/sub are the whole server's: a test that publishes needs names of its own, or RedisServer.
func Redis(tb testing.TB) string {
	tb.Helper()
	server, err := redisServer()
	if err != nil {
		tb.Fatal(err)
	}
	opts, err := redis.ParseURL(server)
	if err != nil {
		tb.Fatalf("%s: %v", servers.RedisURLVariable, err)
	}
	opts.DB = 0
	claims := redis.NewClient(opts)
	n, release, err := claim(claims)
	if err != nil {
		claims.Close()
		tb.Fatal(err)
	}
	opts.DB = n
	client := redis.NewClient(opts)
	flush := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		return client.FlushDB(ctx).Err()
	}
	tb.Cleanup(func() {
		for _, f := range []func() error{flush, release, client.Close, claims.Close} {
			if err := f(); err != nil {
				tb.Error(err)
			}
		}
	})
	if err := flush(); err != nil { // a killed test leaves its keys
		tb.Fatal(err)
	}
	u, err := url.Parse(server)
	if err != nil {
		tb.Fatal(err)
	}
	u.Path = "/" + strconv.Itoa(n)
	return u.String()
}

// claimLimit frees the database of a killed test, and is longer than a test may take.
const claimLimit = 30 * time.Minute

// claim takes one of the server's databases but 0, where the claims themselves are kept, because the packages' tests are processes that
// share nothing else. It waits while all are taken.
func claim(client *redis.Client) (n int, release func() error, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	count := 16
	// Some hosted servers refuse CONFIG; 16 is what a server has by default.
	if config, err := client.ConfigGet(ctx, "databases").Result(); err == nil {
		if c, err := strconv.Atoi(config["databases"]); err == nil {
			count = c
		}
	}
	for owner := rand.Text(); ; {
		for n := 1; n < count; n++ {
			key := "storetest:database:" + strconv.Itoa(n)
			ok, err := client.SetNX(ctx, key, owner, claimLimit).Result()
			if err != nil {
				return 0, nil, fmt.Errorf("claim a database of the Redis for tests: %w", err)
			}
			if ok {
				return n, func() error { return client.Del(context.Background(), key).Err() }, nil
			}
		}
		select {
		case <-ctx.Done():
			return 0, nil, fmt.Errorf("claim a database of the Redis for tests: all %d are taken: %w", count-1, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// RedisServer starts a Redis for this test alone, which the test may stop, flush or publish on. It is stopped when the test ends.
func RedisServer(tb testing.TB) *servers.Server {
	tb.Helper()
	return started(tb, servers.Redis)
}

// RedisAgain starts an empty Redis with the URL of one that the test has stopped.
func RedisAgain(tb testing.TB, stopped *servers.Server) *servers.Server {
	tb.Helper()
	return started(tb, func() (*servers.Server, error) { return servers.RedisAgain(stopped.URL) })
}

func started(tb testing.TB, start func() (*servers.Server, error)) *servers.Server {
	tb.Helper()
	s, err := start()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Stop(); err != nil {
			tb.Error(err)
		}
	})
	return s
}
