package scalar

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// maxPath is how long the path of a part of a value is at most. No filter that is not refused for its groups has a longer
// one, unless its plugin nests inputs.
const maxPath = 100

// Coerce returns an input value as its type in the schema has it: defaults filled
// in, a single value made the list that the type wants, and everything else as
// the specification says of input coercion, or an error whose path is that of the
// part at fault, beginning with path. Integers become int64, numbers float64.
func Coerce(schema *ast.Schema, typ *ast.Type, value any, path ast.Path) (any, *gqlerror.Error) {
	if len(path) > maxPath {
		return nil, refuse(path[:2], "has more than %d lists and objects in one another; put less of them in one another", maxPath)
	}
	if value == nil {
		if typ.NonNull {
			return nil, refuse(path, "must not be null; it is a %s", typ)
		}
		return nil, nil
	}
	if typ.Elem != nil {
		return coerceList(schema, typ, value, path)
	}
	def := schema.Types[typ.NamedType]
	if def == nil {
		return nil, refuse(path, "is of the type %s, which the schema does not have", typ)
	}
	switch def.Kind {
	case ast.InputObject:
		return coerceObject(schema, def, value, path)
	case ast.Enum:
		return coerceEnum(def, value, path)
	default:
		return coerceScalar(def, value, path)
	}
}

func refuse(path ast.Path, format string, args ...any) *gqlerror.Error {
	// The path is shared with its siblings: what is kept must be a copy.
	return &gqlerror.Error{Path: slices.Clone(path), Message: fmt.Sprintf(format, args...)}
}

// PathText writes a path for people: filters[0].country.is.
func PathText(path ast.Path) string {
	var text strings.Builder
	for i, element := range path {
		switch element := element.(type) {
		case ast.PathName:
			if i > 0 {
				text.WriteByte('.')
			}
			text.WriteString(string(element))
		case ast.PathIndex:
			fmt.Fprintf(&text, "[%d]", int(element))
		}
	}
	return text.String()
}

func coerceList(schema *ast.Schema, typ *ast.Type, value any, path ast.Path) (any, *gqlerror.Error) {
	list, ok := asList(value)
	if !ok {
		element, err := Coerce(schema, typ.Elem, value, path)
		if err != nil {
			return nil, err
		}
		return []any{element}, nil
	}
	coerced := make([]any, len(list))
	for i, element := range list {
		var err *gqlerror.Error
		if coerced[i], err = Coerce(schema, typ.Elem, element, append(path, ast.PathIndex(i))); err != nil {
			return nil, err
		}
	}
	return coerced, nil
}

// asList returns the elements of a list. Where the library made a list of a single
// value it is a slice of that value's type.
func asList(value any) ([]any, bool) {
	if list, ok := value.([]any); ok {
		return list, true
	}
	list := reflect.ValueOf(value)
	if list.Kind() != reflect.Slice {
		return nil, false
	}
	elements := make([]any, list.Len())
	for i := range elements {
		elements[i] = list.Index(i).Interface()
	}
	return elements, true
}

func coerceObject(schema *ast.Schema, def *ast.Definition, value any, path ast.Path) (any, *gqlerror.Error) {
	object, ok := value.(map[string]any)
	if !ok {
		return nil, refuse(path, "must be an object of %s, not %s", def.Name, kindOf(value))
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if def.Fields.ForName(name) == nil {
			return nil, refuse(append(path, ast.PathName(name)), "is unknown; the fields of %s are %s", def.Name, fieldNames(def))
		}
	}
	coerced := make(map[string]any, len(object))
	for _, field := range def.Fields {
		at := append(path, ast.PathName(field.Name))
		given, isGiven := object[field.Name]
		if !isGiven {
			switch {
			case field.DefaultValue != nil:
				var err error
				if given, err = field.DefaultValue.Value(nil); err != nil {
					return nil, refuse(at, "has a default that cannot be read: %v", err)
				}
			case field.Type.NonNull:
				return nil, refuse(at, "is missing; it is a %s", field.Type)
			default:
				continue
			}
		}
		element, err := Coerce(schema, field.Type, given, at)
		if err != nil {
			return nil, err
		}
		coerced[field.Name] = element
	}
	if def.Directives.ForName("oneOf") != nil {
		if err := checkOneOf(def, coerced, path); err != nil {
			return nil, err
		}
	}
	return coerced, nil
}

func checkOneOf(def *ast.Definition, object map[string]any, path ast.Path) *gqlerror.Error {
	names := slices.Sorted(maps.Keys(object))
	switch {
	case len(names) == 0:
		return refuse(path, "is empty; set exactly one of %s", fieldNames(def))
	case len(names) > 1:
		return refuse(path, "sets %s; exactly one field is set", strings.Join(names, " and "))
	case object[names[0]] == nil:
		return refuse(append(path, ast.PathName(names[0])), "must not be null")
	}
	return nil
}

func fieldNames(def *ast.Definition) string {
	names := make([]string, len(def.Fields))
	for i, field := range def.Fields {
		names[i] = field.Name
	}
	return strings.Join(names, ", ")
}

func coerceEnum(def *ast.Definition, value any, path ast.Path) (any, *gqlerror.Error) {
	if name, ok := value.(string); ok && def.EnumValues.ForName(name) != nil {
		return name, nil
	}
	names := make([]string, len(def.EnumValues))
	for i, value := range def.EnumValues {
		names[i] = value.Name
	}
	return nil, refuse(path, "is %s; %s is one of %s", kindOf(value), def.Name, strings.Join(names, ", "))
}

func coerceScalar(def *ast.Definition, value any, path ast.Path) (any, *gqlerror.Error) {
	switch def.Name {
	case "String":
		if text, ok := value.(string); ok {
			return text, nil
		}
	case "ID":
		if text, ok := value.(string); ok {
			return text, nil
		}
		if n, ok := asInt(value); ok {
			return strconv.FormatInt(n, 10), nil
		}
	case "Boolean":
		if b, ok := value.(bool); ok {
			return b, nil
		}
	case "Int":
		n, ok := asInt(value)
		if ok && (n < math.MinInt32 || n > math.MaxInt32) {
			return nil, refuse(path, "is %d; an Int has 32 bits", n)
		}
		if ok {
			return n, nil
		}
	case "Float":
		if f, ok := asFloat(value); ok {
			return f, nil
		}
	default:
		return value, nil // a custom scalar reads itself
	}
	return nil, refuse(path, "is %s; it must be of type %s", kindOf(value), def.Name)
}

// PlainIntegers returns a JSON value with the integers in it that are written like
// 5.0 or 1e3 written as digits alone. Lists and objects are changed in place.
func PlainIntegers(value any) any {
	switch value := value.(type) {
	case json.Number:
		if n, ok := asInt(value); ok {
			return json.Number(strconv.FormatInt(n, 10))
		}
	case []any:
		for i, element := range value {
			value[i] = PlainIntegers(element)
		}
	case map[string]any:
		for name, member := range value {
			value[name] = PlainIntegers(member)
		}
	}
	return value
}

func asInt(value any) (int64, bool) {
	switch n := value.(type) {
	case int:
		return int64(n), true
	case int64:
		return n, true
	case float64:
		return int64(n), n == math.Trunc(n) && math.Abs(n) < 1<<53
	case json.Number:
		if i, err := n.Int64(); err == nil {
			return i, true
		}
		f, err := n.Float64() // 1e3 and 5.0 are integers too
		return int64(f), err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53
	}
	return 0, false
}

func asFloat(value any) (float64, bool) {
	switch n := value.(type) {
	case float64:
		return n, !math.IsInf(n, 0) && !math.IsNaN(n)
	case json.Number:
		f, err := n.Float64()
		return f, err == nil
	}
	n, ok := asInt(value)
	return float64(n), ok
}

// kindOf names a value for an error.
func kindOf(value any) string {
	switch value := value.(type) {
	case nil:
		return "null"
	case string:
		return fmt.Sprintf("the string %.40q", value)
	case bool:
		return strconv.FormatBool(value)
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	default:
		return fmt.Sprintf("the number %.40s", fmt.Sprint(value))
	}
}
