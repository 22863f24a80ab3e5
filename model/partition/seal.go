package partition

import (
	"bytes"
	"fmt"
	"hash/fnv"

	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/store"
)

// Place says what a stored record is a record of.
type Place struct {
	// Kind is columns, exposures or computed.
	Kind      string
	Partition int64
	// Of is the experiment's key, or the hash of the computation's; empty for columns.
	Of string
}

// String names the place in logs.
func (p Place) String() string {
	if p.Of == "" {
		return fmt.Sprintf("%s of partition %d", p.Kind, p.Partition)
	}
	return fmt.Sprintf("%s of partition %d and %s", p.Kind, p.Partition, p.Of)
}

// seal returns a record as it is stored: behind a hash of the format and of what the record is one of. A record that
// strayed to another place is whole, and wrong; that it is whole its own checksum says.
func seal(place Place, revision store.Revision, name string, plain []byte) []byte {
	return append(place.seal(revision, name), plain...)
}

// sealAll returns the records of a place, by name, as they are stored.
func sealAll(place Place, revision store.Revision, plain map[string][]byte) map[string][]byte {
	sealed := make(map[string][]byte, len(plain))
	for name, data := range plain {
		sealed[name] = seal(place, revision, name, data)
	}
	return sealed
}

// unseal returns what stands behind the seal of a record.
func unseal(place Place, revision store.Revision, name string, sealed []byte) (plain []byte, err error) {
	plain, found := bytes.CutPrefix(sealed, place.seal(revision, name))
	if !found {
		return nil, fmt.Errorf("the record %s belongs to another place, or has another format", name)
	}
	return plain, nil
}

func (p Place) seal(revision store.Revision, name string) []byte {
	hash := fnv.New64a()
	fmt.Fprintf(hash, "%v %q %d %q %d %d %q", column.Format, p.Kind, p.Partition, p.Of, revision.Number, revision.Write, name)
	return hash.Sum(nil)
}
