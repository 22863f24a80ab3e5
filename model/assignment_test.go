package model_test

import (
	"math"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
)

func TestValidateAssignment(t *testing.T) {
	layered := func(from, to float64) *model.Experiment {
		return changed(func(e *model.Experiment) { e.Layer = &model.Layer{Key: "checkout", From: from, To: to} })
	}
	valued := func(value string) *model.Experiment {
		return changed(func(e *model.Experiment) { e.Variants[1].Value = value })
	}
	forced := func(list ...model.ForcedVariant) *model.Experiment {
		return changed(func(e *model.Experiment) { e.Forced = list })
	}
	for name, test := range map[string]struct {
		e           *model.Experiment
		field, says string // empty where all is well
	}{
		"by Goalgraph":              {changed(func(e *model.Experiment) { e.Assignment = model.GoalgraphAssignment }), "", ""},
		"by somebody":               {changed(func(e *model.Experiment) { e.Assignment = "SOMEBODY" }), "assignment", "use EXTERNAL or GOALGRAPH"},
		"all visitors":              {changed(func(e *model.Experiment) { e.TrafficShare = 1 }), "", ""},
		"more than all":             {changed(func(e *model.Experiment) { e.TrafficShare = 1.1 }), "trafficShare", "is 1.1; it must be 0 to 1"},
		"a share that is no number": {changed(func(e *model.Experiment) { e.TrafficShare = math.NaN() }), "trafficShare", "is NaN"},
		"a seed too long":           {changed(func(e *model.Experiment) { e.Seed = strings.Repeat("x", 201) }), "seed", "201 characters"},
		"a layer":                   {layered(0.5, 1), "", ""},
		"an empty layer":            {layered(0.5, 0.5), "layer", "is from 0.5 to 0.5"},
		"a layer too far":           {layered(0.5, 1.5), "layer", "end at 1 or earlier"},
		"a layer of no number":      {layered(math.NaN(), 1), "layer", "NaN"},
		"a layer without a name":    {changed(func(e *model.Experiment) { e.Layer = &model.Layer{To: 1} }), "layer.key", "is empty"},
		"an object":                 {valued(`{"color": "red"}`), "", ""},
		"a boolean":                 {valued(`false`), "", ""},
		"a list":                    {valued(`[1]`), "variants[1].value", "is a list or null"},
		"null":                      {valued(` null`), "variants[1].value", "is a list or null"},
		"no JSON":                   {valued(`{`), "variants[1].value", "is not JSON"},
		"a value too long":          {valued(`"` + strings.Repeat("x", 4095) + `"`), "variants[1].value", "4097 bytes"},
		"forced":                    {forced(model.ForcedVariant{Visitor: " ada ", Variant: "b"}), "", ""},
		"forced to nothing":         {forced(model.ForcedVariant{Visitor: "ada", Variant: "c"}), "forcedVariants[0].variant", `use one of "a", "b"`},
		"forced twice":              {forced(model.ForcedVariant{Visitor: "ada", Variant: "b"}, model.ForcedVariant{Visitor: "ada ", Variant: "a"}), "forcedVariants[1].visitor", "is given twice"},
		"nobody forced":             {forced(model.ForcedVariant{Variant: "a"}), "forcedVariants[0].visitor", "is empty"},
		"too many forced":           {forced(make([]model.ForcedVariant, 101)...), "forcedVariants", "101 visitors"},
	} {
		err := test.e.Validate()
		if test.field == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if e, ok := err.(*model.Error); !ok || e.Code != model.BadInput || e.Field != test.field || !strings.Contains(e.Message, test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	e := valued(` { "color" : "red" } `)
	if err := e.Validate(); err != nil || e.Seed != "headline" || e.Assignment != model.ExternalAssignment || string(e.Variants[0].JSON()) != `"a"` || string(e.Variants[1].JSON()) != `{"color":"red"}` {
		t.Errorf("%+v: %v", e, err)
	}
}

// Of how visitors are assigned, only the share, the forced ones and the roll-out change once they are.
func TestAssignmentStays(t *testing.T) {
	before := changed(func(e *model.Experiment) { e.Layer, e.TrafficShare = &model.Layer{Key: "l", To: 0.5}, 0.5 })
	if err := before.Validate(); err != nil {
		t.Fatal(err)
	}
	before.Status = model.Running
	for field, change := range map[string]func(*model.Experiment){
		"": func(e *model.Experiment) {
			e.TrafficShare, e.Rollout, e.Forced = 0.2, true, []model.ForcedVariant{{Visitor: "ada", Variant: "b"}}
		},
		"assignment":    func(e *model.Experiment) { e.Assignment = model.GoalgraphAssignment },
		"seed":          func(e *model.Experiment) { e.Seed = "other" },
		"layer":         func(e *model.Experiment) { e.Layer = &model.Layer{Key: "l", To: 0.6} },
		"onlyEvaluated": func(e *model.Experiment) { e.OnlyEvaluated = true },
		"variants": func(e *model.Experiment) {
			e.Variants = []model.Variant{{Key: "a", Name: "A", Weight: 1, Baseline: true}, {Key: "b", Name: "B", Weight: 1, Value: "1"}}
		},
	} {
		e := *before
		change(&e)
		err := e.CheckChange(before)
		if field == "" {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		if e, ok := err.(*model.Error); !ok || e.Code != model.FailedPrecondition || e.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	same := *before
	same.Layer = &model.Layer{Key: "l", To: 0.5}
	if err := same.CheckChange(before); err != nil {
		t.Error(err)
	}
}

func TestHoldout(t *testing.T) {
	for _, test := range []struct {
		given, want *model.Holdout
		says        string
	}{
		{nil, nil, ""},
		{&model.Holdout{}, nil, ""},
		{&model.Holdout{Share: 0.05}, &model.Holdout{Share: 0.05, Seed: "holdout"}, ""},
		{&model.Holdout{Share: 1, Seed: " s "}, &model.Holdout{Share: 1, Seed: "s"}, ""},
		{&model.Holdout{Share: -0.1}, nil, "holdout.share: is -0.1"},
		{&model.Holdout{Share: 0.1, Seed: "\x00"}, nil, "holdout.seed: contains"},
	} {
		site := &model.Site{Name: "S", Timezone: "UTC", Holdout: test.given}
		err := site.Validate()
		switch {
		case test.says != "":
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%+v: %v", test.given, err)
			}
		case err != nil:
			t.Error(err)
		case (site.Holdout == nil) != (test.want == nil) || site.Holdout != nil && *site.Holdout != *test.want:
			t.Errorf("%+v is %+v", test.given, site.Holdout)
		}
	}
}

// The id of an exposure is the same wherever it is made, another one for everything else, and a message's name.
func TestExposureID(t *testing.T) {
	id := model.ExposureID(1, 2, 3, "ada")
	if again := model.MessageIDOf(id.UUID()); again != id || id != model.ExposureID(1, 2, 3, "ada") {
		t.Errorf("%s names %v", id.UUID(), again)
	}
	for _, other := range []model.MessageID{model.ExposureID(2, 2, 3, "ada"), model.ExposureID(1, 1, 3, "ada"), model.ExposureID(1, 2, 4, "ada"), model.ExposureID(1, 2, 3, "bob"), model.ExposureID(1, 23, 3, "ada")} {
		if other == id {
			t.Error("two exposures have one id")
		}
	}
}
