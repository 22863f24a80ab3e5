package store_test

import (
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// A replica must be a PostgreSQL, of a PostgreSQL. It need not be reachable.
func TestReplicaAddress(t *testing.T) {
	t.Parallel()
	postgresql := storetest.PostgreSQL(t)
	for _, test := range []struct{ database, replica, field string }{
		{storetest.SQLite(t), postgresql, "--database-replica"},
		{postgresql, storetest.SQLite(t), "--database-replica"},
		{postgresql, "postgres://127.0.0.1:1/nobody", ""},
	} {
		st, err := store.Open(t.Context(), test.database, store.Options{Replica: test.replica})
		if test.field != "" {
			mustBe(t, err, model.BadInput, test.field)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}
}
