package login

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"
	"github.com/trustelem/zxcvbn"
	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"github.com/goalgraph/goalgraph/model"
)

// The least and the most characters of a password.
const (
	minPassword = 10
	maxPassword = 200
)

// parameters are those that OWASP's Password Storage Cheat Sheet names first: 19 MiB, two passes, one thread.
var parameters = argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// mostWaiting is how many may wait to have a password hashed. At 30 ms each, and as long again after those who guess, that
// is 4 to 8 s on the smallest machine.
const mostWaiting = 128

// hasher hashes passwords, at most as many at once as there are pairs of cores: a flood of attempts takes neither the memory
// nor the cores that others need.
type hasher struct {
	parameters *argon2id.Params
	queue      *queue
	// hashed counts what was hashed.
	hashed atomic.Int64
	// dummy is a hash that no password has. It takes as long as any other.
	dummy string
}

func newHasher(parameters argon2id.Params) *hasher {
	random := make([]byte, parameters.SaltLength+parameters.KeyLength)
	_, _ = rand.Read(random) // never fails
	encode := base64.RawStdEncoding.EncodeToString
	return &hasher{
		parameters: &parameters,
		queue:      newQueue(max(1, runtime.GOMAXPROCS(0)/2), mostWaiting),
		dummy: fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, parameters.Memory, parameters.Iterations, parameters.Parallelism,
			encode(random[:parameters.SaltLength]), encode(random[parameters.SaltLength:])),
	}
}

// matches tells whether the password has the hash. Without a hash it has not, which takes as long to find out.
func (h *hasher) matches(ctx context.Context, rank rank, network netip.Prefix, password, hash string) (bool, error) {
	if err := h.queue.wait(ctx, rank, network); err != nil {
		return false, err
	}
	defer h.queue.leave()
	h.hashed.Add(1)
	begin := time.Now()
	matches, err := argon2id.ComparePasswordAndHash(normal(password), cmp.Or(hash, h.dummy))
	if rank == failing {
		// Guesses go on and on, with 19 MiB of garbage each. They keep their turn for as long again, without using it.
		select {
		case <-time.After(time.Since(begin)):
		case <-ctx.Done():
		}
	}
	return matches, err
}

// hash returns the hash of a new password.
func (h *hasher) hash(ctx context.Context, network netip.Prefix, password string) (string, error) {
	if err := h.queue.wait(ctx, known, network); err != nil {
		return "", err
	}
	defer h.queue.leave()
	h.hashed.Add(1)
	return argon2id.CreateHash(normal(password), h.parameters)
}

// normal is the form of a password that is hashed. Keyboards write one character as one or several code points; NIST
// SP 800-63B says to bring them into one form.
func normal(password string) string { return norm.NFC.String(password) }

// estimated is how many characters of a password zxcvbn looks at: its time grows with their square.
const estimated = 100

// leastScore is that of a password which more than 10^8 guesses are needed for, by zxcvbn (Wheeler, 2016).
const leastScore = 3

// checkPassword tells whether people may have the password of a field. It is not to be made from the user's name, the server's
// or the product's.
func checkPassword(field, password string, avoid ...string) error {
	length := utf8.RuneCountInString(password)
	switch {
	case !utf8.ValidString(password):
		return model.Invalid(field, "is not valid UTF-8; type it again")
	case length < minPassword:
		return model.Invalid(field, "has %d characters; choose one with at least %d", length, minPassword)
	case length > maxPassword:
		return model.Invalid(field, "has %d characters; the limit is %d", length, maxPassword)
	}
	start := []rune(password)
	if len(start) > estimated {
		start = start[:estimated]
	}
	for i, word := range avoid {
		avoid[i] = strings.ToLower(word)
	}
	if zxcvbn.PasswordStrength(string(start), avoid).Score < leastScore {
		return model.Invalid(field, "is easy to guess; choose one that is longer, or less like words, names, dates and rows of keys")
	}
	return nil
}
