package filter_test

import (
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
)

// The clocks of a site are those of its time zone once they are given it, and other clocks keep theirs.
func TestInZone(t *testing.T) {
	const night = model.Millis(1_779_235_200_000) // 2026-05-20T00:00:00Z, a Wednesday
	for _, test := range []struct {
		text, zoned string
		matches     bool
	}{
		{`(in hour "2")`, `(in hour["Europe/Bucharest"] "2")`, false},
		{`(in hour "3")`, `(in hour["Europe/Bucharest"] "3")`, true},
		{`(glob hour "2*")`, `(glob hour["Europe/Bucharest"] "2*")`, false},
		{`(and (in hour "3") (not (in weekday "MONDAY")))`, `(and (in hour["Europe/Bucharest"] "3") (not (in weekday["Europe/Bucharest"] "MONDAY")))`, true},
		{`(and (in hour "2" "3") (in hour["Europe/Bucharest"] "3" "4"))`, `(in hour["Europe/Bucharest"] "3")`, true},
		{`(in weekday["America/New_York"] "TUESDAY")`, `(in weekday["America/New_York"] "TUESDAY")`, true},
		{`(or (in country "RO") (in weekday "SUNDAY"))`, `(or (in country "RO") (in weekday["Europe/Bucharest"] "SUNDAY"))`, false},
	} {
		e, err := filter.Parse(test.text)
		if err != nil {
			t.Fatal(err)
		}
		zoned := filter.InZone(e, "Europe/Bucharest")
		if zoned.String() != test.zoned || filter.IsOfSite(zoned) {
			t.Errorf("%s is %s, want %s", test.text, zoned, test.zoned)
		}
		if again, err := filter.Parse(zoned.String()); err != nil || again.String() != zoned.String() {
			t.Errorf("%s: %v, %v", zoned, again, err)
		}
		if zoned.Match(&model.Session{Start: night, End: night}) != test.matches {
			t.Errorf("%s matches: %t", zoned, !test.matches)
		}
	}
	for _, text := range []string{`(in hour["Mars/Olympus"] "3")`, `(in hour["Local"] "3")`, `(range hour 1 2)`, `(within weekday 10.0.0.0/8)`} {
		if e, err := filter.Parse(text); err == nil {
			t.Errorf("%s is %v", text, e)
		}
	}
}
