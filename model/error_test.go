package model_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/goalgraph/goalgraph/model"
)

func TestCodeOf(t *testing.T) {
	notFound := model.Errorf(model.NotFound, "there is no %s", "goal")
	notFound.Cause = io.EOF
	for _, test := range []struct {
		err  error
		want model.Code
	}{
		{nil, ""},
		{io.EOF, model.Internal},
		{notFound, model.NotFound},
		{fmt.Errorf("goal 5: %w", notFound), model.NotFound},
		{errors.Join(io.EOF, notFound), model.NotFound},
		{&model.Error{Code: model.Conflict, Cause: notFound}, model.Conflict},
	} {
		if got := model.CodeOf(test.err); got != test.want {
			t.Errorf("CodeOf(%v) = %q, want %q", test.err, got, test.want)
		}
	}
	if !errors.Is(notFound, io.EOF) {
		t.Error("the cause is not in the chain")
	}
	if got := notFound.Error(); got != "there is no goal" {
		t.Errorf("message %q", got)
	}
}

func TestUnder(t *testing.T) {
	for _, test := range []struct{ prefix, field, want string }{
		{"filters", "", "filters: is bad"},
		{"filters[0]", "country", "filters[0].country: is bad"},
		{"country.is", "[1]", "country.is[1]: is bad"},
	} {
		inner := model.Invalid(test.field, "is %s", "bad")
		err := model.Under(test.prefix, inner)
		if err.Error() != test.want || model.CodeOf(err) != model.BadInput {
			t.Errorf("Under(%q, %v) = %v, want %q", test.prefix, inner, err, test.want)
		}
		if inner.Field != test.field {
			t.Error("Under changed its argument")
		}
	}
	if err := model.Under("a", io.EOF); err != io.EOF {
		t.Errorf("Under(EOF) = %v", err)
	}
	if err := model.Under("a", nil); err != nil {
		t.Errorf("Under(nil) = %v", err)
	}
}
