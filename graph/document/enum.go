package document

import (
	"fmt"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/validator/core"
)

// tellingEnums returns the library's rule about values, which tells of each value that is none of an enum which enum that
// is, and what its values are.
func tellingEnums(library core.Rule) core.Rule {
	return core.Rule{Name: library.Name, RuleFunc: func(observers *core.Events, addError core.AddErrFunc) {
		var at *ast.Value
		observers.OnValue(func(_ *core.Walker, value *ast.Value) { at = value }) // before the rule looks at it
		library.RuleFunc(observers, func(options ...core.ErrorOption) {
			if at != nil && at.Definition != nil && at.Definition.Kind == ast.Enum && at.Kind != ast.NullValue && at.Kind != ast.ListValue {
				options = append(options, func(err *gqlerror.Error) { err.Message = enumMessage(at) })
			}
			addError(options...)
		})
	}}
}

func enumMessage(value *ast.Value) string {
	names := make([]string, len(value.Definition.EnumValues))
	for i, allowed := range value.Definition.EnumValues {
		names[i] = allowed.Name
	}
	hint := ""
	if value.Kind == ast.StringValue && value.Definition.EnumValues.ForName(value.Raw) != nil {
		hint = "; write it without quotes"
	}
	return fmt.Sprintf("%.60s is no value of the enum %s, which has %s%s", value.String(), value.Definition.Name, strings.Join(names, ", "), hint)
}
