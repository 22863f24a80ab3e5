package model

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
)

// KeyScope is what a key lets its bearer do.
type KeyScope string

const (
	// WriteScope keys may only send events, and may stand in a web page.
	WriteScope KeyScope = "WRITE"
	// ReadScope keys may query and subscribe.
	ReadScope KeyScope = "READ"
	// AdminScope keys may do all.
	AdminScope KeyScope = "ADMIN"
)

// Key is an API key, without its secret, which is shown only once.
type Key struct {
	ID   int64
	Name string
	// SiteID is the site that the key is of; 0 for all sites, which no write key has.
	SiteID int64
	Scope  KeyScope
	// Prefix is how the secret begins, for people to tell keys apart.
	Prefix string
	// Hash is HashOf the secret.
	Hash      string
	CreatedAt Millis
	// RevokedAt is 0 while the key holds.
	RevokedAt Millis
}

// keyPrefix is how many characters of a secret are kept.
const keyPrefix = 8

// NewKey returns a key of all sites with its secret: 26 letters and digits, after a
// mark of the scope. The secret holds 128 bits that nobody can guess.
func NewKey(name string, scope KeyScope) (key Key, secret string, err error) {
	if err := checkText("name", &name, 1, MaxName); err != nil {
		return Key{}, "", err
	}
	mark, known := map[KeyScope]string{WriteScope: "w_", ReadScope: "r_", AdminScope: "a_"}[scope]
	if !known {
		return Key{}, "", Invalid("scope", "is %q; use WRITE, READ or ADMIN", clip(string(scope)))
	}
	secret = mark + rand.Text()
	return Key{Name: name, Scope: scope, Prefix: secret[:keyPrefix], Hash: HashOf(secret)}, secret, nil
}

// HashOf returns what is kept of a key's secret. Secrets are random and long, so a
// plain hash is as good as a slow one.
func HashOf(secret string) string {
	hash := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(hash[:])
}
