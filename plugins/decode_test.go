package plugins

import (
	"errors"
	"reflect"
	"testing"
)

type decoded struct {
	Key  string   `json:"key"`
	List []string `json:"list,omitempty"`
	Deep *struct {
		N []int `json:"n"`
	} `json:"deep"`
	Span[float64]
	hidden int
}

func TestDecode(t *testing.T) {
	got, err := Decode[decoded]([]byte(` {"key":"k","list":[],"deep":{"n":[1]},"min":1.5,"max":null} `))
	if err != nil {
		t.Fatal(err)
	}
	if got.Key != "k" || got.List == nil || len(got.List) != 0 || !reflect.DeepEqual(got.Deep.N, []int{1}) || *got.Min != 1.5 || got.Max != nil {
		t.Errorf("%+v", got)
	}
	for args, path := range map[string]string{
		``: "", `null`: "", `5`: "", `{`: "", `{"key"`: "", `{"key":}`: "", `{"key":"a"`: "", `{"key":"a"} 1`: "",
		`{"nope":1}`: "nope", `{"Key":"a"}`: "Key", `{"hidden":1}`: "hidden", `{"Span":{}}`: "Span",
		`{"key":5}`: "key", `{"key":null}`: "key", `{"key":"a","key":"b"}`: "key",
		`{"list":"a"}`: "list", `{"list":["a",5]}`: "list[1]", `{"list":[null]}`: "list[0]",
		`{"deep":{"n":[1,2.5]}}`: "deep.n[1]", `{"deep":{"m":1}}`: "deep.m", `{"min":"1"}`: "min",
	} {
		_, err := Decode[decoded]([]byte(args))
		e, ok := errors.AsType[*ArgumentError](err)
		if !ok || e.Path != path {
			t.Errorf("%s: %v, want an error at %q", args, err, path)
		}
	}
	_ = decoded{}.hidden
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"key":"k","list":["a"],"deep":{"n":[1]},"min":1.5}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		// What is refused is refused with a place.
		if _, err := Decode[decoded](raw); err != nil {
			if _, ok := errors.AsType[*ArgumentError](err); !ok {
				t.Errorf("%v", err)
			}
		}
	})
}
