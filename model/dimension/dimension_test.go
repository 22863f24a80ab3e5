package dimension

import (
	"reflect"
	"slices"
	"testing"

	"github.com/goalgraph/goalgraph/model"
)

// Each dimension has what goes with its kind, and a name of its own.
func TestListIsWhole(t *testing.T) {
	names := map[string]bool{}
	for _, d := range All() {
		if d.Name == "" || names[d.Name] {
			t.Errorf("the name %q is empty, or stands in the list twice", d.Name)
		}
		names[d.Name] = true
		if Named(d.Name) != d {
			t.Errorf("%s is not found by its name", d.Name)
		}
		if len(d.SQL) == 0 {
			t.Errorf("%s names no column of the table of sessions", d.Name)
		}
		has := map[Kind]bool{
			Text: d.Text != nil, Texts: d.Texts != nil, Number: d.Number != nil, KeyedText: d.KeyedTexts != nil, KeyedNumber: d.Sums != nil,
			Clock: d.Shown != nil && d.Place != nil,
		}
		for kind, accessor := range has {
			if accessor != (kind == d.Kind) {
				t.Errorf("%s is of kind %d; it has the accessor of kind %d: %t", d.Name, d.Kind, kind, accessor)
			}
		}
		for _, name := range d.From {
			if from := Named(name); from == nil || from.Unindexed || !d.Unindexed {
				t.Errorf("%s cannot follow from a column of %s", d.Name, name)
			}
		}
		if d.Origin != nil && (d.Kind != Text || len(d.SQL) != 1) {
			t.Errorf("%s comes from the first hit, and so is one text in one column", d.Name)
		}
	}
	if Named("unheard of") != nil {
		t.Error("a dimension is found that does not exist")
	}
}

// Every text of model.Origin is a dimension, and each of those has a text of its own.
func TestOriginsCoverOrigin(t *testing.T) {
	var o model.Origin
	fields := 0
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		for i := range v.NumField() {
			if field := v.Field(i); field.Kind() == reflect.Struct {
				walk(field)
			} else {
				fields++
			}
		}
	}
	walk(reflect.ValueOf(o))
	for _, d := range Origins() {
		place := d.Origin(&o)
		if *place != "" {
			t.Errorf("%s has the place of %s", d.Name, *place)
		}
		*place = d.Name
		if got := d.Text(&model.Session{Origin: o}); got != d.Name {
			t.Errorf("%s reads %q of its place", d.Name, got)
		}
	}
	if len(Origins()) != fields {
		t.Errorf("%d dimensions come from the first hit, and model.Origin has %d texts", len(Origins()), fields)
	}
}

func TestFingerprint(t *testing.T) {
	was := Fingerprint(1)
	if was <= 0 || int(int32(was)) != was {
		t.Errorf("%d is not a positive number of 31 bits", was)
	}
	if Fingerprint(2) == was {
		t.Error("another version has the same fingerprint")
	}
	turned := All()
	slices.Reverse(turned)
	if fingerprint(1, turned) != was {
		t.Error("the order of the list changes its fingerprint")
	}
	for name, list := range map[string][]*Dimension{
		"one more":  append(All(), &Dimension{Name: "weather", Kind: Text}),
		"one less":  All()[1:],
		"renamed":   append(All()[1:], &Dimension{Name: "address", Kind: Text}),
		"changed":   append(All()[1:], &Dimension{Name: all[0].Name, Kind: Texts}),
		"no column": append(All()[1:], &Dimension{Name: all[0].Name, Kind: Text, Unindexed: true}),
	} {
		if fingerprint(1, list) == was {
			t.Errorf("%s: the fingerprint stays", name)
		}
	}
}
