package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// Nothing but yes undoes a migration.
func TestConfirmDown(t *testing.T) {
	t.Parallel()
	st, err := store.Open(t.Context(), storetest.SQLite(t), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if _, err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for answer, goesOn := range map[string]bool{"yes\n": true, "yes": true, "y\n": false, "no\nyes\n": false, "\n": false, "": false} {
		var said bytes.Buffer
		if err := confirmDown(t.Context(), streams{in: strings.NewReader(answer), err: &said}, st); (err == nil) != goesOn {
			t.Errorf("%q: %v", answer, err)
		}
		if !strings.Contains(said.String(), "deletes the data") {
			t.Errorf("it asks %q", &said)
		}
	}
}
