package ingest

import (
	"net/netip"
	"time"

	"github.com/goalgraph/goalgraph/model"
)

// Decoder makes messages of log lines and of tracking requests. It is safe for
// use by several goroutines.
type Decoder struct {
	agents    *Agents
	locations *Locations
}

// NewDecoder returns a decoder that finds where addresses are in the given database;
// locations may be nil.
func NewDecoder(locations *Locations) (*Decoder, error) {
	agents, err := NewAgents()
	if err != nil {
		return nil, err
	}
	return &Decoder{agents: agents, locations: locations}, nil
}

// locate fills in the address and where it is.
func (d *Decoder) locate(origin *model.Origin, address netip.Addr) {
	origin.IP = address.String()
	d.locations.Fill(origin, address)
}

// Times outside of these are taken for a broken clock or a wrong unit.
var (
	earliest = model.MillisOf(time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC))
	latest   = model.MillisOf(time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC))
)

func checkTime(field string, t time.Time) (model.Millis, error) {
	// The year first: far years overflow milliseconds.
	if year := t.Year(); year < 1989 || year > 2200 {
		return 0, outOfRange(field, t)
	}
	at := model.MillisOf(t)
	if at < earliest || at >= latest {
		return 0, outOfRange(field, t)
	}
	return at, nil
}

func outOfRange(field string, t time.Time) error {
	return model.Invalid(field, "the year %d is outside 1990 to 2199", t.UTC().Year())
}
