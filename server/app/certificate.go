package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

// newTLS prepares TLS, by files or by an authority that certifies domains (ACME, RFC 8555); none without either.
func (a *App) newTLS() error {
	o := a.options
	switch {
	case o.TLSCert != "":
		files := &certificateFiles{cert: o.TLSCert, key: o.TLSKey}
		if _, err := files.reload(); err != nil {
			return err
		}
		a.certificate = files
		a.tls = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return files.loaded.Load(), nil }}
	case len(o.TLSDomains) > 0:
		manager := &autocert.Manager{
			Prompt: autocert.AcceptTOS, HostPolicy: autocert.HostWhitelist(o.TLSDomains...), Cache: certificateCache{a.store},
			Client: &acme.Client{DirectoryURL: o.TLSAuthority},
		}
		a.tls = manager.TLSConfig()
		a.tls.MinVersion = tls.VersionTLS12
	}
	return nil
}

// certificateFiles are a certificate and its key, loaded from files.
type certificateFiles struct {
	cert, key string
	loaded    atomic.Pointer[tls.Certificate]
	stamps    [2]stamp
}

// stamp tells versions of a file apart.
type stamp struct {
	at   time.Time
	size int64
}

// reload loads the files if they have changed. After an error the certificate loaded before stays, and is tried again.
func (f *certificateFiles) reload() (changed bool, err error) {
	var stamps [2]stamp
	for i, name := range []string{f.cert, f.key} {
		info, err := os.Stat(name)
		if err != nil {
			return false, fmt.Errorf("the file of %s cannot be loaded: %w", []string{"--tls-cert", "--tls-key"}[i], err)
		}
		stamps[i] = stamp{info.ModTime(), info.Size()}
	}
	if stamps == f.stamps {
		return false, nil
	}
	certificate, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return false, fmt.Errorf("the certificate %s of --tls-cert with the key %s of --tls-key cannot be loaded: %w", f.cert, f.key, err)
	}
	f.loaded.Store(&certificate)
	f.stamps = stamps
	return true, nil
}

// reloadCertificate returns a function that loads the certificate again if its files have changed.
func (a *App) reloadCertificate() func(context.Context) {
	said := ""
	return func(ctx context.Context) {
		changed, err := a.certificate.reload()
		switch {
		case err != nil && err.Error() != said:
			said = err.Error()
			a.options.Log.WarnContext(ctx, "cannot load the new certificate; using the one loaded before", "error", err)
		case err == nil:
			if said = ""; changed {
				a.options.Log.InfoContext(ctx, "loaded the new certificate", "file", a.options.TLSCert)
			}
		}
	}
}

// certificateCache has certificates in the database, so that all servers share them.
type certificateCache struct{ store *store.Store }

var _ autocert.Cache = certificateCache{}

// Get returns what is kept under a name.
func (c certificateCache) Get(ctx context.Context, name string) ([]byte, error) {
	data, err := c.store.Certificate(ctx, name)
	if model.CodeOf(err) == model.NotFound {
		return nil, autocert.ErrCacheMiss
	}
	return data, err
}

// Put keeps data under a name.
func (c certificateCache) Put(ctx context.Context, name string, data []byte) error {
	return c.store.SaveCertificate(ctx, name, data)
}

// Delete deletes what is kept under a name.
func (c certificateCache) Delete(ctx context.Context, name string) error {
	return c.store.DeleteCertificate(ctx, name)
}
