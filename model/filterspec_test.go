package model_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
)

func leaf() model.FilterSpec { return model.FilterSpec{Type: "country"} }

func group(kind string, parts ...model.FilterSpec) model.FilterSpec {
	return model.FilterSpec{Type: kind, Parts: parts}
}

func named(id int64) model.FilterSpec { return model.FilterSpec{Type: model.InSegment, SegmentID: id} }

// nested returns a filter that stands at a level.
func nested(level int) model.FilterSpec {
	if level == 1 {
		return leaf()
	}
	return group(model.Not, nested(level-1))
}

func mustBeAbout(t *testing.T, err error, code model.Code, field, says string) {
	t.Helper()
	e, ok := err.(*model.Error)
	if !ok || e.Code != code || e.Field != field || !strings.Contains(e.Message, says) {
		t.Errorf("error %v (%s), want %s: %s …%s…", err, model.CodeOf(err), code, field, says)
	}
}

func TestCheckFilters(t *testing.T) {
	for name, filters := range map[string][]model.FilterSpec{
		"none":                  nil,
		"as many as there are":  slices.Repeat([]model.FilterSpec{leaf()}, model.MaxFilters),
		"as many with a group":  {group(model.AnyOf, slices.Repeat([]model.FilterSpec{leaf()}, model.MaxFilters-1)...)},
		"as deep as they stand": {nested(model.MaxLevels)},
		"segments":              {named(1), group(model.AllOf, named(2), named(2))},
	} {
		if err := model.CheckFilters("filters", filters); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, test := range []struct {
		filters     []model.FilterSpec
		field, says string
	}{
		{slices.Repeat([]model.FilterSpec{leaf()}, model.MaxFilters+1), "f", "101 filters"},
		{[]model.FilterSpec{leaf(), group(model.AnyOf, slices.Repeat([]model.FilterSpec{leaf()}, model.MaxFilters-1)...)}, "f", "101 filters"},
		{[]model.FilterSpec{leaf(), nested(model.MaxLevels + 1)}, "f[1]" + strings.Repeat(".not", model.MaxLevels), "10 levels"},
		{[]model.FilterSpec{group(model.AllOf, leaf(), group(model.AnyOf))}, "f[0].allOf[1].anyOf", "is empty"},
		{[]model.FilterSpec{group(model.Not)}, "f[0].not", "is empty"},
		{[]model.FilterSpec{group(model.Not, leaf(), leaf())}, "f[0].not", "takes one"},
	} {
		mustBeAbout(t, model.CheckFilters("f", test.filters), model.BadInput, test.field, test.says)
	}
}

func segmentOf(id int64, filters ...model.FilterSpec) *model.Segment {
	return &model.Segment{ID: id, Name: fmt.Sprintf("s%d", id), Filters: filters}
}

func byID(segments ...*model.Segment) map[int64]*model.Segment {
	all := map[int64]*model.Segment{}
	for _, segment := range segments {
		all[segment.ID] = segment
	}
	return all
}

func TestPutSegments(t *testing.T) {
	filters := []model.FilterSpec{leaf(), group(model.AnyOf, named(1), group(model.Not, named(2)))}
	segments := byID(segmentOf(1, named(2)), segmentOf(2, leaf()))
	if err := model.PutSegments(3, filters, segments); err != nil {
		t.Fatal(err)
	}
	one, two := filters[1].Parts[0].Segment, filters[1].Parts[1].Parts[0].Segment
	if one != segments[1] || two != segments[2] || one.Filters[0].Segment != two {
		t.Errorf("%+v", filters)
	}
	if ids := model.SegmentsNamed(filters, one.Filters); !slices.Equal(ids, []int64{1, 2}) {
		t.Errorf("named %d", ids)
	}
}

func TestPutSegmentsRefuses(t *testing.T) {
	// Each segment names the one before it twice: the last would be 2^40 filters.
	doubling := []*model.Segment{segmentOf(1, leaf())}
	for id := int64(2); id <= 41; id++ {
		doubling = append(doubling, segmentOf(id, named(id-1), named(id-1)))
	}
	chain := []*model.Segment{segmentOf(1, leaf())}
	for id := int64(2); id <= model.MaxAllLevels; id++ {
		chain = append(chain, segmentOf(id, named(id-1)))
	}
	many := segmentOf(1, slices.Repeat([]model.FilterSpec{leaf()}, 99)...)
	for name, test := range map[string]struct {
		self        int64
		filters     []model.FilterSpec
		segments    map[int64]*model.Segment
		code        model.Code
		field, says string
	}{
		"missing":          {0, []model.FilterSpec{group(model.Not, group(model.AllOf, leaf(), named(9)))}, nil, model.NotFound, "[0].not.allOf[1].segment", "there is no segment"},
		"missing below":    {0, []model.FilterSpec{named(1)}, byID(segmentOf(1, named(9))), model.NotFound, "[0].segment", "there is no segment"},
		"itself":           {7, []model.FilterSpec{named(7)}, byID(segmentOf(7)), model.BadInput, "[0].segment", "part of itself; leave it out"},
		"itself by one":    {7, []model.FilterSpec{leaf(), named(1)}, byID(segmentOf(7), segmentOf(1, named(7))), model.BadInput, "[1].segment", `part of itself, by "s1"`},
		"itself by two":    {7, []model.FilterSpec{named(1)}, byID(segmentOf(7), segmentOf(1, named(2)), segmentOf(2, named(7))), model.BadInput, "[0].segment", `part of itself, by "s1" and "s2"`},
		"others in a ring": {0, []model.FilterSpec{named(1)}, byID(segmentOf(1, named(2)), segmentOf(2, named(1))), model.BadInput, "[0].segment", "part of itself"},
		"too many":         {0, slices.Repeat([]model.FilterSpec{named(1)}, 11), byID(many), model.BadInput, "", "more than 1000 filters"},
		"doubled":          {0, []model.FilterSpec{named(41)}, byID(doubling...), model.BadInput, "", "more than 1000 filters"},
		"too deep":         {0, []model.FilterSpec{named(model.MaxAllLevels)}, byID(chain...), model.BadInput, "", "21 levels deep"},
	} {
		t.Run(name, func(t *testing.T) {
			mustBeAbout(t, model.PutSegments(test.self, test.filters, test.segments), test.code, test.field, test.says)
			_ = model.EachFilter(test.filters, func(f *model.FilterSpec) error {
				if f.Segment != nil {
					t.Error("a segment was put in all the same")
				}
				return nil
			})
		})
	}
	ten := slices.Repeat([]model.FilterSpec{named(1)}, 10)
	if err := model.PutSegments(0, ten, byID(many)); err != nil {
		t.Errorf("1,000 filters: %v", err)
	}
	if err := model.PutSegments(0, []model.FilterSpec{named(model.MaxAllLevels - 1)}, byID(chain...)); err != nil {
		t.Errorf("%d levels: %v", model.MaxAllLevels, err)
	}
}

func TestEqualFilters(t *testing.T) {
	made := func() []model.FilterSpec {
		return []model.FilterSpec{{Type: "country", Args: []byte(`{"is":["RO"]}`)}, group(model.AnyOf, named(1), leaf())}
	}
	if !model.EqualFilters(made(), made()) {
		t.Error("equal filters differ")
	}
	for _, change := range []func(f []model.FilterSpec){
		func(f []model.FilterSpec) { f[0].Type = "browser" },
		func(f []model.FilterSpec) { f[0].Args = []byte(`{}`) },
		func(f []model.FilterSpec) { f[1].Type = model.AllOf },
		func(f []model.FilterSpec) { f[1].Parts[0].SegmentID = 2 },
		func(f []model.FilterSpec) { f[1].Parts = f[1].Parts[:1] },
	} {
		other := made()
		change(other)
		if model.EqualFilters(made(), other) {
			t.Errorf("%+v is not told from the others", other)
		}
	}
}
