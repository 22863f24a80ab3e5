package login

import (
	"context"

	"github.com/alexedwards/argon2id"
)

// Cheap makes hashing fast, as tests that do not measure it want.
func (l *Logins) Cheap() *Logins {
	l.hasher = newHasher(argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
	return l
}

// Hashed is how many passwords were hashed.
func (l *Logins) Hashed() int64 { return l.hasher.hashed.Load() }

// Touch writes when logins were last used.
func (l *Logins) Touch(ctx context.Context) { l.touch(ctx) }

var (
	LocalPath = localPath
	HashOf    = hashOf
)
