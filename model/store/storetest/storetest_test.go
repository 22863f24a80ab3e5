package storetest

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

func TestPostgreSQL(t *testing.T) {
	ctx := t.Context()
	var dropped string
	t.Run("a database of its own", func(t *testing.T) {
		first, second := PostgreSQL(t), PostgreSQL(t)
		for _, url := range []string{first, second} {
			conn, err := pgx.Connect(ctx, url)
			if err != nil {
				t.Fatal(err)
			}
			// Left open: the clean-up must not wait for it.
			if _, err := conn.Exec(ctx, "CREATE TABLE t (id int)"); err != nil {
				t.Fatal(err)
			}
		}
		dropped = first
	})
	if conn, err := pgx.Connect(ctx, dropped); err == nil {
		conn.Close(ctx)
		t.Error("the database outlived its test")
	}
}

func TestRedis(t *testing.T) {
	var url string
	t.Run("a database of its own", func(t *testing.T) {
		url = Redis(t)
		if other := Redis(t); other == url {
			t.Errorf("two tests have %s", url)
		}
		if err := connect(t, url).Set(t.Context(), "key", "value", 0).Err(); err != nil {
			t.Fatal(err)
		}
	})
	if n := connect(t, url).DBSize(t.Context()).Val(); n != 0 {
		t.Errorf("%d keys outlived their test", n)
	}
}

func TestRedisServer(t *testing.T) {
	s := RedisServer(t)
	client := connect(t, s.URL)
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := client.Ping(context.Background()).Err(); err == nil {
		t.Error("it answers after Stop")
	}
}

func connect(t *testing.T, url string) *redis.Client {
	t.Helper()
	opts, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	opts.MaxRetries, opts.DialerRetries = -1, 1
	client := redis.NewClient(opts)
	t.Cleanup(func() { client.Close() })
	return client
}

func TestDatabases(t *testing.T) {
	var schemes []string
	Databases(t, func(t *testing.T, url string) {
		scheme, _, _ := strings.Cut(url, ":")
		schemes = append(schemes, scheme)
	})
	if got := strings.Join(schemes, " "); got != "sqlite postgres" && got != "sqlite postgresql" {
		t.Errorf("ran on %q", got)
	}
}
