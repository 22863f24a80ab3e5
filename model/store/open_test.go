package store_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// A database that must exist is not made, and is there once it was migrated.
func TestOpenWhatMustExist(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, url string) {
		t.Parallel()
		open := func() error {
			st, err := store.Open(t.Context(), url, store.Options{MustExist: true})
			if err != nil {
				return err
			}
			return st.Close()
		}
		if err := open(); model.CodeOf(err) != model.NotFound || !strings.Contains(err.Error(), "pass --database") {
			t.Errorf("%v", err)
		}
		path, isFile := strings.CutPrefix(url, "sqlite:")
		if _, err := os.Stat(path); isFile && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the file was made: %v", err)
		}
		mustOpen(t, url)
		if err := open(); err != nil {
			t.Error(err)
		}
	})
}

// The files of SQLite have hashes of passwords, so nobody but their owner reads them.
func TestSQLiteFilesAreTheOwners(t *testing.T) {
	t.Parallel()
	url := storetest.SQLite(t)
	mustOpen(t, url)
	files, err := filepath.Glob(strings.TrimPrefix(url, "sqlite:") + "*")
	if err != nil || len(files) < 2 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}
}
