package model

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"hash/crc32"
	"slices"
	"strings"
)

// MaxKeySites is how many sites a key may list.
const MaxKeySites = 1000

// MaxOrigins is how many origins a key may list.
const MaxOrigins = 100

// Key is an API key without its secret, which is shown only once.
type Key struct {
	ID    int64
	Name  string
	Scope Scope
	// AllSites tells that the key is of every site. Sites are its sites otherwise. A key ends with the last of them.
	AllSites bool
	Sites    []int64
	// Origins are the origins of the pages that may use the key, like https://shop.example; empty for any.
	Origins []string
	// Prefix is the beginning of the secret, so that people can tell keys apart.
	Prefix string
	// Hash is HashOf the secret.
	Hash string
	// CreatedBy is the name of who created it.
	CreatedBy string
	CreatedAt Millis
	// ExpiresAt and RevokedAt are 0 for a key that does not expire, and one that was not revoked.
	ExpiresAt, RevokedAt Millis
	// LastUsedAt is when it was last used, to a minute; 0 for never.
	LastUsedAt Millis
}

// Validate trims the key's texts and checks all that people give of it.
func (k *Key) Validate(now Millis) error {
	if err := checkText("name", &k.Name, 1, MaxName); err != nil {
		return err
	}
	if !slices.Contains(Scopes, k.Scope) {
		return Invalid("scope", "is %q; use WRITE, READ, EDIT or ADMIN", clip(string(k.Scope)))
	}
	if k.AllSites && len(k.Sites) > 0 {
		return Invalid("sites", "are listed, although the key is of all sites")
	}
	slices.Sort(k.Sites)
	k.Sites = slices.Compact(k.Sites)
	if !k.AllSites && len(k.Sites) == 0 {
		return Invalid("sites", "is an empty list; name a site, or leave it out for all sites")
	}
	if len(k.Sites) > MaxKeySites {
		return Invalid("sites", "has %d sites; the limit is %d", len(k.Sites), MaxKeySites)
	}
	if k.ExpiresAt != 0 && k.ExpiresAt <= now {
		return Invalid("expiresAt", "is in the past; give a time to come, or leave it out for a key that does not expire")
	}
	return k.checkOrigins()
}

// Principal returns who bears the key.
func (k *Key) Principal() *Principal {
	p := &Principal{Kind: KeyPrincipal, ID: k.ID, Name: k.Name, Expires: k.ExpiresAt, Origins: k.Origins}
	if k.AllSites {
		p.Grants = []Grant{{AllSites, k.Scope}}
		return p
	}
	for _, site := range k.Sites {
		p.Grants = append(p.Grants, Grant{site, k.Scope})
	}
	return p
}

// IsValid tells whether the key holds at a time.
func (k *Key) IsValid(now Millis) bool {
	return k.RevokedAt == 0 && (k.ExpiresAt == 0 || now < k.ExpiresAt)
}

// The parts of a secret: gg_, the first letter of the scope, _, 26 letters and digits with 130 random bits, and a checksum
// of all that, by which scanners and people tell a key from a text that looks like one.
const (
	secretMark     = "gg_"
	randomLength   = 26
	checksumLength = 7
	secretLength   = len(secretMark) + 2 + randomLength + checksumLength
	// prefixLength is how much of a secret is stored.
	prefixLength = len(secretMark) + 2 + 5
)

// NewSecret gives the key a new secret, and returns it. The scope must be set.
func (k *Key) NewSecret() string {
	body := secretMark + strings.ToLower(string(k.Scope[:1])) + "_" + rand.Text()[:randomLength]
	secret := body + checksum(body)
	k.Prefix, k.Hash = secret[:prefixLength], HashOf(secret)
	return secret
}

// IsSecret tells whether a text has the form of a key's secret.
func IsSecret(text string) bool {
	if len(text) != secretLength || !strings.HasPrefix(text, secretMark) {
		return false
	}
	body := text[:secretLength-checksumLength]
	return text[secretLength-checksumLength:] == checksum(body)
}

// checksum returns the CRC-32 (IEEE) of a text, in the digits of base 32 of RFC 4648, the highest first.
func checksum(text string) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	sum := crc32.ChecksumIEEE([]byte(text))
	var written [checksumLength]byte
	for i := checksumLength - 1; i >= 0; i-- {
		written[i] = digits[sum%32]
		sum /= 32
	}
	return string(written[:])
}

// HashOf returns the SHA-256 of a secret in hex, which is stored in its place. Secrets are random and long, so a plain hash
// is as good as a slow one.
func HashOf(secret string) string {
	hash := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(hash[:])
}
