package model

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
)

// KeyScope is what the bearer of a key may do.
type KeyScope string

const (
	// WriteScope keys can only send events. They can be published in a web page.
	WriteScope KeyScope = "WRITE"
	// ReadScope keys can query and subscribe.
	ReadScope KeyScope = "READ"
	// AdminScope keys can do everything.
	AdminScope KeyScope = "ADMIN"
)

// Key is an API key without its secret, which is shown only once.
type Key struct {
	ID   int64
	Name string
	// SiteID is the site that the key belongs to, or 0 for all sites. A write key always
	// has a site.
	SiteID int64
	Scope  KeyScope
	// Prefix is the beginning of the secret, so that people can tell keys apart.
	Prefix string
	// Hash is HashOf the secret.
	Hash      string
	CreatedAt Millis
	// RevokedAt is 0 while the key is valid.
	RevokedAt Millis
}

// keyPrefix is the number of characters of a secret that are stored.
const keyPrefix = 8

// NewKey returns a key for all sites, and its secret: a mark of the scope, then 26
// letters and digits with 128 random bits.
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

// HashOf returns the hash of a secret, which is stored in its place. Secrets are random
// and long, so a plain hash is as good as a slow one.
func HashOf(secret string) string {
	hash := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(hash[:])
}
