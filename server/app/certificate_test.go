package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/acme/autocert"

	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// mustWriteCertificate writes a certificate for localhost with a serial number, and its key.
func mustWriteCertificate(t *testing.T, folder string, serial int64) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	rawKey, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: raw}, key: {Type: "PRIVATE KEY", Bytes: rawKey}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// A certificate is loaded again when its files change, and stays while they are broken.
func TestCertificateFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	cert, key := mustWriteCertificate(t, folder, 1)
	a := &App{options: Options{TLSCert: cert, TLSKey: key}}
	if err := a.newTLS(); err != nil {
		t.Fatal(err)
	}
	serial := func() int64 {
		t.Helper()
		certificate, err := a.tls.GetCertificate(&tls.ClientHelloInfo{})
		if err != nil {
			t.Fatal(err)
		}
		return certificate.Leaf.SerialNumber.Int64()
	}
	want := func(changed bool, number int64, says string) {
		t.Helper()
		is, err := a.certificate.reload()
		if is != changed || serial() != number || (err != nil) != (says != "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("changed %v, certificate %d, %v", is, serial(), err)
		}
	}
	want(false, 1, "")
	mustWriteCertificate(t, folder, 2)
	later := time.Now().Add(time.Second)
	if err := os.Chtimes(cert, later, later); err != nil {
		t.Fatal(err)
	}
	want(true, 2, "")
	old, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	want(false, 2, "cannot be loaded")
	if err := os.WriteFile(key, old, 0o600); err != nil {
		t.Fatal(err)
	}
	want(true, 2, "")
	if err := os.Remove(cert); err != nil {
		t.Fatal(err)
	}
	want(false, 2, "no such file")
	if err := (&App{options: Options{TLSCert: cert, TLSKey: key}}).newTLS(); err == nil || !strings.Contains(err.Error(), cert) {
		t.Errorf("a certificate that is missing: %v", err)
	}
}

func TestCertificateCache(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		st, err := store.Open(t.Context(), database, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		if _, err := st.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		c := certificateCache{st}
		if _, err := c.Get(t.Context(), "stats.example"); !errors.Is(err, autocert.ErrCacheMiss) {
			t.Errorf("what is not there: %v", err)
		}
		for _, data := range []string{"first\x00", "second"} {
			if err := c.Put(t.Context(), "stats.example", []byte(data)); err != nil {
				t.Fatal(err)
			}
			if got, err := c.Get(t.Context(), "stats.example"); err != nil || string(got) != data {
				t.Errorf("%q, %v", got, err)
			}
		}
		for range 2 {
			if err := c.Delete(t.Context(), "stats.example"); err != nil {
				t.Error(err)
			}
		}
		if _, err := c.Get(t.Context(), "stats.example"); !errors.Is(err, autocert.ErrCacheMiss) {
			t.Errorf("what is deleted: %v", err)
		}
	})
}
