package plugins

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Decode decodes a filter's arguments strictly. Names must match exactly; unknown and
// repeated names and values of a wrong type are refused. A null counts as absent. The
// error is an ArgumentError with its path.
//
// An absent list is nil; a given list is not, even if it is empty.
func Decode[A any](raw []byte) (A, error) {
	var args A
	err := decode("", raw, reflect.ValueOf(&args).Elem())
	return args, err
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

func decode(path string, raw []byte, into reflect.Value) error {
	raw = bytes.TrimSpace(raw)
	if reflect.PointerTo(into.Type()).Implements(unmarshaler) {
		return decodeLeaf(path, raw, into)
	}
	switch into.Kind() {
	case reflect.Pointer:
		if string(raw) == "null" {
			return nil
		}
		into.Set(reflect.New(into.Type().Elem()))
		return decode(path, raw, into.Elem())
	case reflect.Struct:
		return decodeStruct(path, raw, into)
	case reflect.Slice:
		return decodeList(path, raw, into)
	}
	return decodeLeaf(path, raw, into)
}

func decodeLeaf(path string, raw []byte, into reflect.Value) error {
	if string(raw) == "null" || json.Unmarshal(raw, into.Addr().Interface()) != nil {
		return ArgError(path, "expected %s, not %s", expected(into.Type()), excerpt(raw))
	}
	return nil
}

func decodeList(path string, raw []byte, into reflect.Value) error {
	if string(raw) == "null" {
		return nil
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(raw, &elements); err != nil {
		return ArgError(path, "expected a list, not %s", excerpt(raw))
	}
	list := reflect.MakeSlice(into.Type(), len(elements), len(elements))
	for i, element := range elements {
		if err := decode(At(path, i), element, list.Index(i)); err != nil {
			return err
		}
	}
	into.Set(list)
	return nil
}

func decodeStruct(path string, raw []byte, into reflect.Value) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return ArgError(path, "expected an object, not %s", excerpt(raw))
	}
	fields := map[string]reflect.Value{}
	addFields(fields, into)
	seen := map[string]bool{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return ArgError(path, "the arguments are not JSON: %v", err)
		}
		name := token.(string) // the decoder takes nothing else before a colon
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return ArgError(path, "the arguments are not JSON: %v", err)
		}
		field, known := fields[name]
		if !known {
			return ArgError(Under(path, name), "there is no such argument; use one of: %s", names(fields))
		}
		if seen[name] {
			return ArgError(Under(path, name), "the argument appears twice; give it once")
		}
		seen[name] = true
		if isOptional(field) && string(value) == "null" {
			continue
		}
		if err := decode(Under(path, name), value, field); err != nil {
			return err
		}
	}
	if _, err := decoder.Token(); err != nil {
		return ArgError(path, "the arguments are not JSON: %v", err)
	}
	if decoder.More() {
		return ArgError(path, "something follows the arguments; send one JSON object")
	}
	return nil
}

// isOptional tells that null may stand for an absent value.
func isOptional(field reflect.Value) bool {
	switch field.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		return true
	}
	return false
}

// addFields adds the fields by their JSON names, those of embedded structs too.
func addFields(fields map[string]reflect.Value, of reflect.Value) {
	for i := range of.NumField() {
		field := of.Type().Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous && name == "" && field.Type.Kind() == reflect.Struct:
			addFields(fields, of.Field(i))
		case !field.IsExported() || name == "-":
		case name == "":
			fields[field.Name] = of.Field(i)
		default:
			fields[name] = of.Field(i)
		}
	}
}

func names(fields map[string]reflect.Value) string {
	list := make([]string, 0, len(fields))
	for name := range fields {
		list = append(list, name)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

func expected(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Float32, reflect.Float64:
		return "a number"
	}
	return fmt.Sprintf("a %s", t.Name())
}

func excerpt(raw []byte) string {
	text := strings.ToValidUTF8(string(raw), "�")
	if runes := []rune(text); len(runes) > 40 {
		return string(runes[:40]) + "…"
	}
	if text == "" {
		return "nothing"
	}
	return text
}
